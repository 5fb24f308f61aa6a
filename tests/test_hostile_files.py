"""Files that are damaged, lie, or were made to be hard to bear: pixels or a PhotoError, in bounded time and memory.

``benchmarks/fuzz_decode.py`` does the same with as many files as one has the patience for.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import hostile_files
import numpy as np
import pytest
from hostile_files import bombs, damaged, file_name, png_with, saved, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tiff_bytes import write_tiff

from photodefect.errors import PhotoError, TooLargeError, UnreadableError
from photodefect.photos.decode import decode
from photodefect.photos.exif import Capture, read_capture
from photodefect.photos.photo import Photo
from photodefect.photos.raster import MAX_FRAMES, MAX_SCANS

SEEDS = seeds()
CONTENTS = list(SEEDS.values())
MAX_PIXELS = 1_000_000

DECODE_EACH = """
import json, resource, sys
from pathlib import Path
from photodefect.errors import PhotoError
from photodefect.photos.decode import decode
from photodefect.photos.exif import read_capture
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(json.dumps(path.name), end=" ", flush=True)
    try:
        decode(path, max_pixels=20_000_000)
        outcome = "decoded"
    except PhotoError as error:
        outcome = type(error).__name__
    read_capture(path)
    print(outcome, flush=True)
"""
"""Decodes a folder's files with a gigabyte of memory and a minute of computing for all of them."""


def outcome(folder: Path, name: str, content: bytes, max_pixels: int = MAX_PIXELS) -> Photo | PhotoError:
    path = folder / name
    path.write_bytes(content)
    try:
        return decode(path, max_pixels=max_pixels)
    except PhotoError as error:
        return error
    finally:
        assert isinstance(read_capture(path), Capture)
        path.unlink()


def assert_pixels_or_a_message(result: Photo | PhotoError) -> None:
    if isinstance(result, PhotoError):
        assert str(result)
        assert str(result).isprintable()
    else:
        assert result.pixels.dtype == np.uint8
        assert result.pixels.shape == (result.height, result.width, 3)
        assert 0 < result.width * result.height <= MAX_PIXELS


# Damage


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(list(SEEDS)), number=st.integers(0, 2**32))
def test_a_damaged_photo_of_any_kind_gives_pixels_or_an_error_for_people(
    kind: str, number: int, tmp_path: Path
) -> None:
    generator = random.Random(number)
    name = file_name(kind, generator)
    assert_pixels_or_a_message(outcome(tmp_path, name, damaged(SEEDS[kind], generator, CONTENTS)))


@pytest.mark.parametrize("kind", SEEDS)
def test_a_photo_that_ends_at_any_kind_of_place_gives_pixels_or_an_error(kind: str, tmp_path: Path) -> None:
    whole = SEEDS[kind]
    # Each of the first bytes, where the headers are; then every few hundred, and the last ones.
    ends = {*range(1, 64), *range(64, len(whole), max(7, len(whole) // 12)), *range(len(whole) - 3, len(whole))}
    for end in sorted(ends):
        assert_pixels_or_a_message(outcome(tmp_path, f"photo.{kind}", whole[:end]))


@pytest.mark.parametrize("kind", SEEDS)
def test_a_name_with_another_kinds_ending_changes_nothing(kind: str, tmp_path: Path) -> None:
    if kind.startswith(("raw-", "orf", "rw2", "cr2")):
        pytest.skip("a raw photo without a mark of its own is told from a TIFF by its ending")
    right = outcome(tmp_path, "photo", SEEDS[kind])
    for ending in ("jpg", "png", "heic", "txt"):
        wrong = outcome(tmp_path, f"photo.{ending}", SEEDS[kind])
        assert type(wrong) is type(right)
        if isinstance(right, Photo) and isinstance(wrong, Photo):
            assert np.array_equal(wrong.pixels, right.pixels)


# Lies and bombs


def test_small_files_that_ask_for_much_get_a_minute_and_a_gigabyte_for_all_of_them(tmp_path: Path) -> None:
    for number, (name, content) in enumerate(bombs()):
        (tmp_path / f"{number:02} {name}").write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-c", DECODE_EACH, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{run.stdout[-200:]}\n{run.stderr}"
    outcomes = {json.loads(line[: line.rindex('"') + 1])[3:]: line.split()[-1] for line in run.stdout.splitlines()}
    assert len(outcomes) == len(list(bombs()))
    assert {name: found for name, found in outcomes.items() if found == "decoded"}.keys() <= {
        "tiff: chain of folders", "tiff: huge profile", "gif: frames", "ppm: plain",
    }  # fmt: skip


def test_pages_of_a_tiff_are_counted_up_to_a_limit(tmp_path: Path) -> None:
    for pages, counted in ((7, 7), (MAX_FRAMES + 5, MAX_FRAMES)):
        photo = outcome(tmp_path, "photo.tif", hostile_files.tiff_of_folders(pages))
        assert isinstance(photo, Photo)
        assert photo.provenance.frames == counted


def test_a_jpeg_of_too_many_passes_is_refused_and_one_with_a_film_behind_it_is_not(tmp_path: Path) -> None:
    busy = outcome(tmp_path, "photo.jpg", hostile_files.jpeg_of_scans(MAX_SCANS, 8, 8))
    assert isinstance(busy, UnreadableError)
    assert "100 times" in str(busy)
    # Nothing may follow a scan of all there is: libjpeg stops at it.
    whole = hostile_files.jpeg_of_scans(MAX_SCANS, 8, 8, progressive=False)
    assert isinstance(outcome(tmp_path, "photo.jpg", whole), UnreadableError)
    # Cameras append films to photos, in which any bytes occur.
    assert isinstance(outcome(tmp_path, "photo.jpg", SEEDS["jpeg-progressive"] + b"\xff\xda" * 500), Photo)
    assert isinstance(outcome(tmp_path, "photo.jpg", SEEDS["jpeg"] + SEEDS["jpeg-progressive"] * 50), Photo)


def test_a_png_with_megabytes_of_text_is_a_photo(tmp_path: Path) -> None:
    text = zlib.compress(b"prompt " * 500_000)
    assert isinstance(outcome(tmp_path, "photo.png", png_with((b"zTXt", b"workflow\0\0" + text))), Photo)


def test_a_sensor_that_is_larger_than_the_picture_counts_against_the_limit(tmp_path: Path) -> None:
    result = outcome(tmp_path, "photo.dng", hostile_files.lying_sensor(64))
    assert isinstance(result, TooLargeError)
    assert "60000" in str(result)


def test_a_canvas_beyond_the_limit_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    assert isinstance(outcome(tmp_path, "photo.webp", hostile_files.webp_that_claims(16383, 16383)), TooLargeError)


def test_a_tiff_of_seven_bytes_is_damaged(tmp_path: Path) -> None:
    for order in (b"II*\0", b"MM\0*"):
        for end in range(4, 9):
            assert isinstance(outcome(tmp_path, "photo.nef", (order + bytes(4))[:end]), UnreadableError)


def test_what_the_raw_decoder_says_is_told_in_words(tmp_path: Path) -> None:
    result = outcome(tmp_path, "photo.orf", SEEDS["orf"])
    assert isinstance(result, PhotoError)
    assert "b'" not in str(result)
    assert "Input/output error" in str(result)


def test_a_profile_larger_than_any_is_passed_over(tmp_path: Path) -> None:
    photo = outcome(tmp_path, "photo.tif", hostile_files.tiff_with_profile(9_000_000))
    assert isinstance(photo, Photo)
    assert photo.provenance.icc is None


def test_a_pnm_whose_header_never_ends_is_damaged(tmp_path: Path) -> None:
    assert isinstance(outcome(tmp_path, "photo.pgm", b"P2\n#" + b"x" * 100_000 + b"\n1 1 255 7"), UnreadableError)
    photo = outcome(tmp_path, "photo.pgm", b"P2\n# wide\n2 # and\n1\n255\n0 255")
    assert isinstance(photo, Photo)
    assert photo.pixels[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("rows", ["1 x 900000", "900000 x 1"])
def test_a_strip_of_a_pixels_width_is_decoded(rows: str, tmp_path: Path) -> None:
    width, height = map(int, rows.split(" x "))
    photo = outcome(tmp_path, "photo.png", saved(Image.new("L", (width, height), 7), "PNG"))
    assert isinstance(photo, Photo)
    assert (photo.width, photo.height) == (width, height)


# EXIF data


def test_exif_data_that_names_the_same_megabyte_thousands_of_times_is_given_up() -> None:
    assert read_capture(hostile_files.tiff_of_texts(5000, 1_000_000)) == Capture()


def test_a_text_as_long_as_a_book_is_cut() -> None:
    tags = {271: (2, b"M" + b"," * 500_000 + b"\0"), 272: (2, b"Z 6" + b"!" * 500_000 + b"\0")}
    camera = read_capture(write_tiff([(tags, b"\0")])).camera
    assert camera is not None
    assert len(camera) <= 2001


def test_exif_data_within_itself_is_given_up() -> None:
    assert isinstance(read_capture(hostile_files.tiff_of_itself(3)), Capture)
    nothing = struct.pack(">I4sQ", 1, b"free", 0)  # a box of no size: its end is its beginning
    assert read_capture(b"\0\0\0\x0cJXL \r\n\x87\n" + nothing) == Capture()


def test_offsets_to_elsewhere_cost_no_more_than_the_value() -> None:
    tags = {271: (2, b"Nikon\0"), 272: (2, b"Z 6\0"), 256: (4, 1), 257: (4, 1), 258: (3, 8), 262: (3, 1), 277: (3, 1)}
    whole = write_tiff([(tags, b"\0")])
    entry = whole.index(struct.pack("<HHI", 271, 2, 6))
    for offset in (len(whole), 0x7FFFFFFF, 0xFFFFFFFF, entry, 0):
        lying = bytearray(whole)
        struct.pack_into("<I", lying, entry + 8, offset)
        assert (read_capture(bytes(lying)).camera or "").endswith("Z 6")


def test_a_large_photo_of_floating_point_numbers_is_scaled_alike_in_all_its_rows(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1200, dtype=np.float32)
    photo = outcome(tmp_path, "photo.tif", saved(Image.fromarray(np.tile(ramp, (2000, 1))), "TIFF"), 10_000_000)
    assert isinstance(photo, Photo)
    assert (photo.pixels[:, :, 0] == np.rint(ramp * 255)).all()


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="looks into /proc")
@pytest.mark.parametrize(
    ("start", "gib", "message"),
    [
        (b"\xff\xd8\xff\xe0", 4, "the file has 4.0 GiB, more than any JPEG photo"),
        (b"\xff\xd8\xff\xe0", 1.5, "the file has 1.5 GiB, more than any JPEG photo"),
        (b"II*\0\x08\0\0\0", 3, "the file has 3.0 GiB, more than any TIFF photo"),
        (b"\0\0\0\0", 4, "it starts with zeros"),
    ],
)
def test_a_file_larger_than_any_photo_is_refused_without_reading_it(
    start: bytes, gib: float, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(start)
    os.truncate(path, int(gib * 1024**3))  # a hole takes no room on the disk
    before = bytes_read()
    with pytest.raises(PhotoError, match=message):
        decode(path)
    assert bytes_read() - before < 2**20


def bytes_read() -> int:
    """By this process so far."""
    return int(Path("/proc/self/io").read_text().split()[1])

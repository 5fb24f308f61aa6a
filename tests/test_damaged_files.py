"""Files that are damaged, or larger than a limit: pixels or a PhotoError.

``benchmarks/fuzz_decode.py`` does the same with as many files as one has the patience for.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photo_files import HEIGHT, RAW_NAMES, WIDTH, damaged, file_name, picture, profile, saved, seeds
from PIL import Image, PngImagePlugin
from tiff_bytes import bayer_dng, write_tiff

from photodefect.errors import PhotoError, TooLargeError, UnreadableError
from photodefect.photos.decode import decode
from photodefect.photos.exif import Capture, read_capture
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.photo import Photo

SEEDS = seeds()
CONTENTS = list(SEEDS.values())
MAX_PIXELS = 1_000_000


def outcome(
    folder: Path, name: str, content: bytes, max_pixels: int = MAX_PIXELS, limits: Limits = LIMITS
) -> Photo | PhotoError:
    path = folder / name
    path.write_bytes(content)
    try:
        return decode(path, max_pixels=max_pixels, limits=limits)
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


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# Limits, met by ordinary files: each is an argument, and low here


PIXELS = WIDTH * HEIGHT
SIZED = [kind for kind in SEEDS if not kind.startswith(("raw-", "pgm", "jxl")) and kind not in RAW_NAMES]


@pytest.mark.parametrize("kind", SIZED)
def test_a_photo_with_more_pixels_than_the_limit_is_refused_by_its_header(kind: str, tmp_path: Path) -> None:
    if isinstance(outcome(tmp_path, "photo", SEEDS[kind]), PhotoError):
        pytest.skip("no decoder reads this kind")
    assert isinstance(outcome(tmp_path, "photo", SEEDS[kind], max_pixels=PIXELS - 1), TooLargeError)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-progressive", "png", "bmp", "ppm"])
def test_the_size_is_checked_before_a_pixel_is_decoded(kind: str, tmp_path: Path) -> None:
    whole = SEEDS[kind]
    # A progressive JPEG may lack its last passes.
    cut_short = whole[: len(whole) // 2] if kind == "jpeg-progressive" else whole[:-40]
    assert isinstance(outcome(tmp_path, "photo", cut_short), UnreadableError)
    assert isinstance(outcome(tmp_path, "photo", cut_short, max_pixels=PIXELS - 1), TooLargeError)


def test_a_sensor_that_is_larger_than_the_picture_counts_against_the_limit(tmp_path: Path) -> None:
    whole = bayer_dng(np.zeros((64, 64), np.uint16), area=(0, 0, 32, 32))
    assert isinstance(outcome(tmp_path, "photo.dng", whole, max_pixels=64 * 64), Photo)
    result = outcome(tmp_path, "photo.dng", whole, max_pixels=64 * 64 - 1)
    assert isinstance(result, TooLargeError)
    assert "64 x 64" in str(result)


def test_pages_of_a_tiff_are_counted_up_to_a_limit(tmp_path: Path) -> None:
    for frames, counted in ((10, 4), (4, 4), (3, 3), (1, 1)):
        photo = outcome(tmp_path, "photo.tif", SEEDS["tiff-pages"], limits=Limits(frames=frames))
        assert isinstance(photo, Photo)
        assert photo.provenance.frames == counted


def test_a_jpeg_that_goes_over_its_pixels_more_often_than_the_limit_is_refused(tmp_path: Path) -> None:
    progressive = SEEDS["jpeg-progressive"]
    scans = progressive.count(b"\xff\xda")
    assert scans == 10
    assert isinstance(outcome(tmp_path, "photo.jpg", progressive, limits=Limits(scans=scans)), Photo)
    busy = outcome(tmp_path, "photo.jpg", progressive, limits=Limits(scans=scans - 1))
    assert isinstance(busy, UnreadableError)
    assert "9 times" in str(busy)
    # Cameras append films and pictures to photos, in which any bytes occur: they are no passes over the first one.
    few = Limits(scans=scans)
    assert isinstance(outcome(tmp_path, "photo.jpg", progressive + b"\xff\xda" * 5, limits=few), Photo)
    assert isinstance(outcome(tmp_path, "photo.jpg", SEEDS["jpeg"] + progressive * 2, limits=few), Photo)


def test_a_png_whose_texts_or_profile_unpack_to_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "prompt " * 100, zip=True)
    texts = saved(picture(), "PNG", pnginfo=text)
    assert isinstance(outcome(tmp_path, "photo.png", texts), Photo)
    assert isinstance(outcome(tmp_path, "photo.png", texts, limits=Limits(text_bytes=699)), PhotoError)
    assert isinstance(outcome(tmp_path, "photo.png", texts, limits=Limits(text_bytes=700)), Photo)
    profiled = saved(picture(), "PNG", icc_profile=profile())
    refused = outcome(tmp_path, "photo.png", profiled, limits=Limits(text_bytes=len(profile()) - 1))
    assert isinstance(refused, PhotoError) or refused.provenance.icc is None


def test_a_tiff_of_seven_bytes_is_damaged(tmp_path: Path) -> None:
    for order in (b"II*\0", b"MM\0*"):
        for end in range(4, 9):
            assert isinstance(outcome(tmp_path, "photo.nef", (order + bytes(4))[:end]), UnreadableError)


def test_what_the_raw_decoder_says_is_told_in_words(tmp_path: Path) -> None:
    result = outcome(tmp_path, "photo.orf", SEEDS["orf"])
    assert isinstance(result, PhotoError)
    assert "b'" not in str(result)
    assert "Input/output error" in str(result)


def test_a_profile_larger_than_the_limit_is_passed_over(tmp_path: Path) -> None:
    for kind in ("tiff", "jpeg", "png"):
        size = len(profile())
        described = outcome(tmp_path, "photo", SEEDS[kind], limits=Limits(profile_bytes=size))
        passed_over = outcome(tmp_path, "photo", SEEDS[kind], limits=Limits(profile_bytes=size - 1))
        assert isinstance(described, Photo)
        assert isinstance(passed_over, Photo)
        assert described.provenance.icc is not None
        assert passed_over.provenance.icc is None


def test_a_pnm_whose_header_does_not_end_is_damaged(tmp_path: Path) -> None:
    assert isinstance(outcome(tmp_path, "photo.pgm", b"P2\n# a comment without an end"), UnreadableError)
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


def test_exif_data_beyond_the_limit_is_given_up() -> None:
    assert read_capture(SEEDS["jpeg"]).camera == "NIKON Z 6"
    assert read_capture(SEEDS["jpeg"], Limits(exif_bytes=200)) == Capture()


def test_a_long_text_is_cut() -> None:
    camera = read_capture(SEEDS["jpeg"], Limits(exif_text=3)).camera
    assert camera == "NIK", "the maker is named once"


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
@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_a_file_larger_than_the_limit_is_refused_without_reading_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    content = SEEDS[kind] + bytes(2**20)
    path.write_bytes(content)
    limits = Limits(compressed_bytes=len(content) - (kind == "jpeg"), file_bytes=len(content) - (kind == "tiff"))
    before = bytes_read()
    with pytest.raises(TooLargeError, match=f"more than any {kind.upper()} photo"):
        decode(path, limits=limits)
    assert bytes_read() - before < 2**19
    assert isinstance(decode(path, limits=Limits(compressed_bytes=len(content), file_bytes=len(content))), Photo)


def test_a_file_that_starts_with_zeros_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(bytes(4096))
    with pytest.raises(UnreadableError, match="it starts with zeros"):
        decode(tmp_path / "x.jpg")


def bytes_read() -> int:
    """By this process so far."""
    return int(Path("/proc/self/io").read_text().split()[1])

"""JPEGs that lack only what a photo can do without, told from those that are cut short."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photo_files import saved
from PIL import Image

from photodefect.errors import UnreadableError, UnsupportedError
from photodefect.photos.decode import decode_bytes


@pytest.fixture(scope="module")
def photo(samples: Path) -> Image.Image:
    """A real photograph, 360 x 240."""
    with Image.open(samples / "lake-sherburne.jpg") as image:
        return image.convert("RGB").resize((360, 240))


KINDS: dict[str, dict[str, Any]] = {
    "sequential": {},
    "restarts": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "grey": {},
    "grey, progressive": {"progressive": True},
    "CMYK": {},
}


def jpeg(photo: Image.Image, kind: str) -> bytes:
    mode = "L" if kind.startswith("grey") else "CMYK" if kind == "CMYK" else "RGB"
    return saved(photo.convert(mode), "JPEG", quality=90, **KINDS[kind])


def scans(data: bytes) -> list[int]:
    """Where scans start: Pillow's JPEGs have these two bytes nowhere else."""
    return [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [b"", b"\xff"])
def test_a_jpeg_that_lacks_its_end_mark_only_is_whole(kind: str, left: bytes, photo: Image.Image) -> None:
    whole = jpeg(photo, kind)
    assert whole.endswith(b"\xff\xd9")
    found = decode_bytes(whole[:-2] + left)
    assert np.array_equal(found.pixels, decode_bytes(whole).pixels)
    assert found.provenance.missing == "end mark"
    assert decode_bytes(whole).provenance.missing is None


@pytest.mark.parametrize("kind", ["sequential", "restarts", "grey", "CMYK"])
def test_a_jpeg_in_one_pass_that_lacks_more_is_cut_short(kind: str, photo: Image.Image) -> None:
    whole = jpeg(photo, kind)
    for lacking in (20, 200, len(whole) // 2):
        with pytest.raises(UnreadableError, match="cut short"):
            decode_bytes(whole[:-lacking])


@pytest.mark.parametrize("kind", ["progressive", "grey, progressive"])
def test_a_jpeg_that_lacks_its_last_passes_is_judged_by_the_others(kind: str, photo: Image.Image) -> None:
    whole = jpeg(photo, kind)
    last = scans(whole)[-1]
    # What a viewer shows after the passes before, by Pillow.
    with Image.open(io.BytesIO(whole[:last] + b"\xff\xd9")) as image:
        before = np.array(image.convert("RGB"))
    for end in (last, last + 1, last + 9, last + 40, (last + len(whole)) // 2, len(whole) - 20):
        found = decode_bytes(whole[:end])
        assert found.provenance.missing == "last passes", end
        assert np.array_equal(found.pixels, before)
    assert 0 < np.abs(before.astype(int) - decode_bytes(whole).pixels).mean() < 4


def test_a_jpeg_that_lacks_passes_which_first_tell_something_is_cut_short(photo: Image.Image) -> None:
    whole = jpeg(photo, "progressive")
    starts = scans(whole)
    assert len(starts) == 10
    # libjpeg's script: the sixth pass is the first that refines, brightness from the fourth to the second lowest bit.
    for end in (starts[1], starts[3] + 50, starts[5], starts[5] + 100):
        for mark in (b"", b"\xff"):
            with pytest.raises(UnreadableError, match="cut short"):
                decode_bytes(whole[:end] + mark)
    assert decode_bytes(whole[: starts[6] + 3]).provenance.missing == "last passes"


@pytest.mark.parametrize("kind", ["sequential", "restarts", "grey", "CMYK"])
def test_a_height_that_only_the_end_tells_is_found(kind: str, photo: Image.Image) -> None:
    whole = jpeg(photo, kind)
    size = whole.index(b"\xff\xc0") + 5
    lines = b"\xff\xdc\x00\x04" + whole[size : size + 2]
    told_last = whole[:size] + b"\0\0" + whole[size + 2 : -2] + lines + whole[-2:]
    assert np.array_equal(decode_bytes(told_last).pixels, decode_bytes(whole).pixels)
    with pytest.raises(UnreadableError):
        decode_bytes(told_last.replace(lines, b""))


@pytest.mark.parametrize(("mark", "name"), [(0xF7, "JPEG-LS"), (0xC5, "hierarchical"), (0xCB, "arithmetic")])
def test_a_kind_that_isnt_known_is_named(mark: int, name: str, photo: Image.Image) -> None:
    whole = jpeg(photo, "sequential")
    with pytest.raises(UnsupportedError, match=name):
        decode_bytes(whole.replace(b"\xff\xc0", bytes([0xFF, mark]), 1))

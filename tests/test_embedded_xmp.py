"""XMP and stars inside photos, put there by exiftool and Pillow."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from exiftool import exiftool, needs_exiftool
from photo_files import picture, plain_photo, saved
from PIL import Image
from tiff_bytes import write_tiff

from photodefect.errors import UnreadableError
from photodefect.photos.embedded_xmp import EmbeddedXmp, embedded_xmp, stars_of_percent
from photodefect.sidecars.sources import document_of
from photodefect.sidecars.xmp import XmpDocument

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
)


@needs_exiftool
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.heic", "a.avif", "a.dng", "a.jp2"])
def test_what_exiftool_writes_into_a_photo_is_found(name: str, tmp_path: Path) -> None:
    path = plain_photo(tmp_path / name)
    assert embedded_xmp(path) == EmbeddedXmp()
    exiftool("-q", "-overwrite_original", "-XMP-xmp:Rating=4", "-XMP-xmp:Label=Green", "-XMP-dc:Title=Peak", path)
    document = document_of(path)
    assert (document.rating, document.label) == (4, "Green")
    assert b"Peak" in document.to_bytes()


@needs_exiftool
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.heic", "a.avif", "a.dng"])
def test_stars_in_exif_data_are_found(name: str, tmp_path: Path) -> None:
    path = plain_photo(tmp_path / name)
    exiftool("-q", "-overwrite_original", "-IFD0:Rating=3", path)
    assert embedded_xmp(path).exif_rating == 3
    exiftool("-q", "-overwrite_original", "-IFD0:Rating=", "-IFD0:RatingPercent=75", path)
    assert embedded_xmp(path).exif_rating == 4


def test_xmp_and_stars_are_found_in_a_large_tiff(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    path.write_bytes(saved(picture(), "TIFF", big_tiff=True, tiffinfo={700: PACKET, 0x4746: 2}))
    assert path.read_bytes()[:4] == b"II+\0"
    assert embedded_xmp(path) == EmbeddedXmp(PACKET, exif_rating=2)


def raw_with(header: bytes, order: str = "<") -> bytes:
    """A TIFF with XMP and three stars, whose first four bytes are a raw format's own."""
    tags = {256: (4, 8), 257: (4, 8), 700: (1, list(PACKET)), 0x4746: (3, 3)}
    return header + write_tiff([(tags, bytes(64))], order)[4:]


@pytest.mark.parametrize(
    "data",
    [
        raw_with(b"II*\0"),
        raw_with(b"MM\0*", ">"),
        raw_with(b"IIRO"),
        raw_with(b"IIRS"),
        raw_with(b"MMOR", ">"),
        raw_with(b"IIU\0"),
    ],
    ids=["NEF", "big-endian", "ORF", "ORF, old", "ORF, big-endian", "RW2"],
)
def test_xmp_is_found_in_raw_photos_that_are_nearly_tiffs(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.raw"
    path.write_bytes(data)
    assert embedded_xmp(path) == EmbeddedXmp(PACKET, exif_rating=3)


def test_xmp_is_found_in_the_jpeg_of_a_raf_and_in_a_box_of_a_cr3(tmp_path: Path) -> None:
    jpeg = saved(picture(), "JPEG", xmp=PACKET)
    head = b"FUJIFILMCCD-RAW 0201FF383501X-T1".ljust(84, b"\0")
    raf = (head + struct.pack(">II", 160, len(jpeg))).ljust(160, b"\0") + jpeg + bytes(100)
    identifier = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3, section 1.2.7.1
    other = struct.pack(">I4s16s4x", 28, b"uuid", bytes(16))
    box = struct.pack(">I4s16s", 24 + len(PACKET), b"uuid", identifier) + PACKET
    cr3 = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + struct.pack(">I4s8x", 16, b"moov") + other + box + bytes(8)
    large = struct.pack(">I4sQ16s", 1, b"uuid", 32 + len(PACKET), identifier) + PACKET
    for name, data in (("a.raf", raf), ("a.cr3", cr3), ("b.cr3", cr3[:24] + large)):
        (tmp_path / name).write_bytes(data)
        assert embedded_xmp(tmp_path / name).packet == PACKET, name


@needs_exiftool
def test_xmp_that_goes_on_in_further_segments_of_a_jpeg_is_whole(tmp_path: Path) -> None:
    path = plain_photo(tmp_path / "a.jpg")
    long = "mountain " * 20_000
    words = tmp_path / "words.txt"
    words.write_text(long)
    exiftool("-q", "-overwrite_original", f"-XMP-dc:Description<={words}", "-XMP-xmp:Rating=4", path)
    found = embedded_xmp(path)
    assert found.extension is not None
    data = document_of(path).to_bytes()
    assert long.strip().encode() in data
    assert b"HasExtendedXMP" not in data
    assert XmpDocument(data).rating == 4


def test_a_packet_that_is_too_large_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture().save(path, xmp=PACKET)
    assert embedded_xmp(path, most_bytes=len(PACKET)).packet == PACKET
    assert embedded_xmp(path, most_bytes=len(PACKET) - 1).packet is None


def test_a_damaged_file_has_no_xmp_and_one_that_is_gone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(raw_with(b"II*\0"))
    whole = path.read_bytes()
    for size in (0, 5, 9, len(whole) - 40):
        path.write_bytes(whole[:size])
        assert embedded_xmp(path).packet is None
    path.unlink()
    with pytest.raises(UnreadableError, match="no such file"):
        embedded_xmp(path)


def test_a_photoshop_file_has_its_xmp_among_its_resources(tmp_path: Path) -> None:
    packet = PACKET + b" " * (len(PACKET) % 2)
    resource = b"8BIM" + struct.pack(">HHI", 1060, 0, len(packet)) + packet
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(4)
    pixels = bytes(2 + 3 * 16)
    path = tmp_path / "a.psd"
    path.write_bytes(head + struct.pack(">I", len(resource)) + resource + bytes(4) + pixels)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.size == (4, 4)
    assert embedded_xmp(path).packet == PACKET


def test_windows_percentages_are_stars() -> None:
    assert [stars_of_percent(percent) for percent in (0, 1, 25, 50, 75, 99, 100)] == [0, 1, 2, 3, 4, 5, 5]

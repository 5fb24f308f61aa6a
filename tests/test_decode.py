"""Decoding: any photo's file to upright sRGB pixels, or an error that says what is wrong with it."""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_maths import ADOBE_RGB, DISPLAY_P3, SRGB, linear_from_srgb, srgb_from_linear, to_xyz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, PngImagePlugin
from tiff_bytes import bayer_dng, rgb16_tiff

from photodefect.errors import PhotoError, TooLargeError, UnreadableError, UnsupportedError
from photodefect.photos.decode import Memory, Photo, decode, decode_bytes
from photodefect.photos.formats import Format, sniff

ORIENTATION = 274

# The picture 1 2 3 / 4 5 6 as stored under each EXIF orientation, written down from the standard's description of
# where the stored first row and first column belong.
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "TIFF": {},
    "BMP": {},
    "PPM": {},
    "WEBP": {"lossless": True},
    "JPEG2000": {},
}


@pytest.fixture(scope="module")
def dog(samples: Path) -> NDArray[np.uint8]:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return np.array(image.resize((144, 96)))


def encoded(pixels: NDArray[Any] | Image.Image, form: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def decoded(folder: Path, data: bytes, name: str = "photo", **options: Any) -> Photo:
    path = folder / name
    path.write_bytes(data)
    return decode(path, **options)


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean())


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def png_bytes(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# Formats


@pytest.mark.parametrize("form", LOSSLESS)
def test_a_lossless_file_gives_its_pixels_whatever_its_name(form: str, tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    photo = decoded(tmp_path, encoded(dog, form, **LOSSLESS[form]), "really.txt")
    assert np.array_equal(photo.pixels, dog)
    assert (photo.width, photo.height) == (144, 96)
    names = {"PPM": "PNM", "JPEG2000": "JPEG 2000", "WEBP": "WebP"}
    assert photo.provenance.format == names.get(form, form)
    assert photo.provenance.source == "file"


def test_real_photographs_decode_to_what_pillow_decodes(samples: Path) -> None:
    for name in ("dog.jpg", "lake-sherburne.jpg"):  # these have no colour profile
        with Image.open(samples / name) as image:
            assert np.array_equal(decode(samples / name).pixels, np.asarray(image))


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}, {"optimize": True, "restart_marker_rows": 1}],
    ids=str,
)
def test_every_kind_of_jpeg_decodes_to_what_pillow_decodes(
    options: dict[str, Any], tmp_path: Path, dog: NDArray[np.uint8]
) -> None:
    data = encoded(dog, "JPEG", quality=90, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decoded(tmp_path, data).pixels, np.asarray(image))


def test_pixels_are_contiguous_and_writable(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    for data in (
        encoded(dog, "JPEG"),
        encoded(dog, "PNG"),
        encoded(dog, "JPEG", exif=with_orientation(6)),
        encoded(dog, "TIFF"),
    ):
        pixels = decoded(tmp_path, data).pixels
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable
        assert pixels.dtype == np.uint8


def test_of_several_frames_the_first_is_taken(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    second = Image.fromarray(255 - dog)
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        photo = decoded(tmp_path, encoded(dog, form, save_all=True, append_images=[second], **options))
        assert np.array_equal(photo.pixels, dog), form
        assert photo.provenance.frames == 2
    gif = decoded(tmp_path, encoded(dog, "GIF", save_all=True, append_images=[second]))
    assert difference(gif.pixels, dog) < 12  # 256 colours
    assert gif.provenance.frames == 2
    mpo = decoded(tmp_path, encoded(dog, "MPO", quality=95, save_all=True, append_images=[second]))
    assert difference(mpo.pixels, dog) < 4
    assert (mpo.provenance.format, mpo.provenance.frames) == ("JPEG", 2)


def test_heic_and_avif_are_decoded(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(dog)).save(buffer, quality=95)
    heic = decoded(tmp_path, buffer.getvalue(), "photo.jpg")
    assert heic.provenance.format == "HEIF"
    assert difference(heic.pixels, dog) < 4
    avif = decoded(tmp_path, encoded(dog, "AVIF", quality=95), "photo.jpg")
    assert avif.provenance.format == "AVIF"
    assert difference(avif.pixels, dog) < 4


@pytest.mark.parametrize(
    ("module", "data", "advice"),
    [
        ("pillow_heif.as_plugin", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80), 'pip install "photodefect[heif]"'),
        ("rawpy", b"FUJIFILMCCD-RAW 0201" + bytes(200), 'pip install "photodefect[raw]"'),
        ("PIL.AvifImagePlugin", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(80), "pip install --upgrade pillow"),
    ],
)
def test_a_missing_decoder_is_named_with_what_to_install(
    module: str, data: bytes, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if module == "PIL.AvifImagePlugin":
        monkeypatch.delattr("PIL.AvifImagePlugin", raising=False)
    with pytest.raises(UnsupportedError) as caught:
        decoded(tmp_path, data)
    assert advice in str(caught.value)


def test_a_known_format_without_decoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="JPEG XL"):
        decoded(tmp_path, b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(80), "photo.jpg")


# Orientation


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_is_undone(form: str, orientation: int, tmp_path: Path) -> None:
    stored = np.repeat(np.array(STORED[orientation], np.uint8)[:, :, None] * 40, 3, axis=2)
    data = encoded(stored, form, exif=with_orientation(orientation), **LOSSLESS[form])
    photo = decoded(tmp_path, data)
    assert (photo.pixels[:, :, 1] // 40).tolist() == STORED[1]
    assert photo.provenance.orientation == orientation


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", ["JPEG", "HEIF", "AVIF"])
def test_every_orientation_is_undone_in_lossy_formats(form: str, orientation: int, tmp_path: Path) -> None:
    stored = np.kron(np.array(STORED[orientation], np.uint8) * 40, np.ones((32, 32), np.uint8))
    image = Image.fromarray(stored).convert("RGB")
    image.info["exif"] = with_orientation(orientation).tobytes()
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(image, form, quality=95, exif=image.info["exif"])
    photo = decoded(tmp_path, data)
    assert np.rint(photo.pixels[16::32, 16::32, 1] / 40).astype(int).tolist() == STORED[1]


@pytest.mark.parametrize("nonsense", [0, 9, 65535])
def test_an_orientation_that_makes_no_sense_leaves_the_photo_as_it_is(
    nonsense: int, tmp_path: Path, dog: NDArray[np.uint8]
) -> None:
    photo = decoded(tmp_path, encoded(dog, "PNG", exif=with_orientation(nonsense)))
    assert np.array_equal(photo.pixels, dog)
    assert photo.provenance.orientation == 1


ON_ITS_SIDE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_what_xmp_says_of_orientation_turns_no_photo(form: str, tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    # Chromium 156, darktable 4.2 and ImageMagick 6.9 show such files as they are stored.
    image = Image.fromarray(dog)
    options: dict[str, Any] = {"xmp": ON_ITS_SIDE}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", ON_ITS_SIDE.decode())
        options = {"pnginfo": text}
    elif form == "TIFF":
        options = {"tiffinfo": {700: ON_ITS_SIDE}}
    elif form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
        options = {"xmp": ON_ITS_SIDE.replace(b'"6"', b'"1"')}  # or it would be turned by its boxes as well
    for exif in ({}, {"exif": with_orientation(1)}):
        data = encoded(image, form, **options, **exif)
        data = data.replace(options["xmp"], ON_ITS_SIDE) if form == "HEIF" else data
        assert ON_ITS_SIDE in data
        photo = decoded(tmp_path, data)
        assert (photo.width, photo.height) == (144, 96)
        assert photo.provenance.orientation == 1


def test_damaged_exif_data_doesnt_cost_the_photo(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    whole = with_orientation(6).tobytes()
    assert decoded(tmp_path, encoded(dog, "JPEG", exif=whole)).provenance.orientation == 6
    for damage in (b"Exif\0\0", whole[:14], whole[:20], whole[:14] + b"\0" * len(whole[14:])):
        photo = decoded(tmp_path, encoded(dog, "JPEG", exif=damage))
        assert photo.provenance.orientation == 1


# Colour: all expected values are computed from the colour spaces' definitions, not by the colour engine under test.


def wide_twin(pixels: NDArray[np.uint8], space: str) -> NDArray[np.uint8]:
    """The same colours in Adobe RGB (1998) or Display P3."""
    primaries = ADOBE_RGB if space == "adobe" else DISPLAY_P3
    matrix = np.linalg.solve(to_xyz(primaries), to_xyz(SRGB))
    linear = np.clip(linear_from_srgb(pixels / 255) @ matrix.T, 0, 1)
    values = linear ** (256 / 563) if space == "adobe" else srgb_from_linear(linear)
    return np.rint(values * 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("space", "owner", "description"),
    [
        ("adobe", "canyon-wren.jpg", "Adobe RGB (1998)"),
        ("p3", "dragonfly-on-lavender.jpg", "Display P3"),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_wide_gamut_file_has_the_colours_of_its_srgb_twin(
    space: str, owner: str, description: str, form: str, samples: Path, tmp_path: Path
) -> None:
    with Image.open(samples / "flowers.jpg") as image:
        twin = np.array(image.resize((256, 256)))
    with Image.open(samples / owner) as image:  # real profiles, as cameras and phones embed them
        profile = image.info["icc_profile"]
    wide = wide_twin(twin, space)
    assert difference(wide, twin) > 2, "the twins are too alike for the test to tell anything"
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else LOSSLESS[form]
    photo = decoded(tmp_path, encoded(wide, form, icc_profile=profile, **options))
    assert difference(photo.pixels, twin) < 1
    assert photo.provenance.icc == description


def test_a_camera_set_to_adobe_rgb_that_embeds_no_profile_is_understood(samples: Path, tmp_path: Path) -> None:
    with Image.open(samples / "flowers.jpg") as image:
        twin = np.array(image.resize((256, 256)))
    wide = wide_twin(twin, "adobe")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    options = {"quality": 100, "subsampling": 0}
    photo = decoded(tmp_path, encoded(wide, "JPEG", exif=exif, **options))
    assert difference(photo.pixels, twin) < 1
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    assert difference(decoded(tmp_path, encoded(wide, "JPEG", exif=exif, **options)).pixels, wide) < 1


def test_an_srgb_profile_changes_nothing(samples: Path) -> None:
    with Image.open(samples / "oakland-zoo-otters.jpg") as image:
        photo = decode(samples / "oakland-zoo-otters.jpg")
        assert np.array_equal(photo.pixels, np.asarray(image))
    assert photo.provenance.icc == "sRGB IEC61966-2.1"


def icc_profile(device_class: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 ICC profile."""
    tags = {b"desc": b"desc" + struct.pack(">II", 0, 5) + b"Test\0" + bytes(78), b"wtpt": xyz(0.9642, 1, 0.8249)} | tags
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"test", 0x02100000, device_class, space, connection)
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + xyz(0.9642, 1, 0.8249)[8:]
    return header.ljust(128, b"\0") + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def test_a_grey_profile_is_applied(tmp_path: Path) -> None:
    gamma = icc_profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": struct.pack(">4sIIH", b"curv", 0, 1, round(1.0 * 256))})
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = srgb_from_linear(ramp / 255) * 255
    for form in ("PNG", "JPEG", "TIFF"):
        photo = decoded(
            tmp_path, encoded(ramp, form, icc_profile=gamma, **({"quality": 100} if form == "JPEG" else {}))
        )
        assert np.abs(photo.pixels - expected[:, :, None]).max() <= (16 if form == "JPEG" else 1), form
        assert difference(photo.pixels, expected[:, :, None]) < 1
        assert photo.provenance.icc == "Test"
        assert photo.provenance.mode == "L"


def test_a_cmyk_profile_is_applied(tmp_path: Path) -> None:
    # A printer whose black ink takes lightness away evenly, and whose other inks do nothing.
    lut = struct.pack(">4sIBBBB", b"mft1", 0, 4, 3, 2, 0) + struct.pack(
        ">9i", *(65536 * (k % 4 == 0) for k in range(9))
    )
    identity = bytes(range(256))
    nodes = b"".join(bytes([0 if index % 2 else 255, 128, 128]) for index in range(16))
    profile = icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut + identity * 4 + nodes + identity * 3})
    black = np.arange(256, dtype=np.uint8).reshape(16, 16)
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, :, 3] = black
    lightness = 100 * (1 - black / 255)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    expected = srgb_from_linear(luminance) * 255
    naive = 255 - black
    assert difference(naive, expected) > 4
    photo = decoded(tmp_path, encoded(Image.fromarray(inks, "CMYK"), "TIFF", icc_profile=profile))
    assert difference(photo.pixels, expected[:, :, None]) < 1
    assert (photo.provenance.mode, photo.provenance.icc) == ("CMYK", "Test")


@pytest.mark.parametrize("profile", [b"nonsense", b"", b"\0" * 200])
def test_a_damaged_profile_is_passed_over(profile: bytes, tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    photo = decoded(tmp_path, encoded(dog, "TIFF", icc_profile=profile))
    assert np.array_equal(photo.pixels, dog)
    assert photo.provenance.icc is None


def test_a_profile_of_another_kind_of_image_is_passed_over(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    grey = icc_profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": struct.pack(">4sIIH", b"curv", 0, 1, 256)})
    assert np.array_equal(decoded(tmp_path, encoded(dog, "PNG", icc_profile=grey)).pixels, dog)


# Pixels of every kind


def test_sixteen_bit_grey_keeps_its_high_bits(tmp_path: Path) -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    expected = np.rint(ramp / 257)
    big_endian = png_bytes(64, 64, 16, 0, b"".join(b"\0" + row.astype(">u2").tobytes() for row in ramp))
    for data in (encoded(ramp, "PNG"), encoded(ramp, "TIFF"), big_endian):
        photo = decoded(tmp_path, data)
        assert np.array_equal(photo.pixels, np.repeat(expected[:, :, None], 3, axis=2))
        assert photo.provenance.mode.startswith("I")


def test_sixteen_bit_colour_keeps_its_high_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    png = png_bytes(30, 20, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
    for data in (png, rgb16_tiff(pixels, "<"), rgb16_tiff(pixels, ">")):
        photo = decoded(tmp_path, data)
        assert np.abs(photo.pixels - pixels / 257).max() < 1.01
        assert photo.provenance.mode == "RGB;16"


def test_samples_of_32_bits_are_scaled_without_stretching(tmp_path: Path) -> None:
    dim = np.linspace(0, 0.25, 400).reshape(20, 20)
    for samples_ in (dim.astype(np.float32), (dim * 65535).astype(np.int32), (dim * (2**32 - 1)).astype(np.int32)):
        photo = decoded(tmp_path, encoded(samples_, "TIFF"))
        assert np.abs(photo.pixels[:, :, 0] - dim * 255).max() <= 1, samples_.dtype


def test_floats_that_are_no_numbers_dont_matter(tmp_path: Path) -> None:
    samples_ = np.full((20, 20), 0.5, np.float32)
    samples_[0, :3] = np.nan, np.inf, -np.inf
    photo = decoded(tmp_path, encoded(samples_, "TIFF"))
    assert photo.pixels[0, :4, 0].tolist() == [0, 255, 0, 128]


def test_cmyk_is_not_inverted(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    inks = Image.fromarray(dog).convert("CMYK")
    for form, options in (("JPEG", {"quality": 95}), ("TIFF", {})):  # Adobe's JPEGs store CMYK inverted, TIFFs don't
        photo = decoded(tmp_path, encoded(inks, form, **options))
        assert difference(photo.pixels, dog) < 4
        assert photo.provenance.mode == "CMYK"


def test_grey_black_and_white_and_lab_become_srgb(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    grey = Image.fromarray(dog).convert("L")
    photo = decoded(tmp_path, encoded(grey, "PNG"))
    assert np.array_equal(photo.pixels, np.asarray(grey.convert("RGB")))
    bits = Image.fromarray(np.eye(9, dtype=bool))
    assert np.array_equal(decoded(tmp_path, encoded(bits, "PNG")).pixels[:, :, 0], np.eye(9) * 255)
    # CIE Lab of a mid grey: L* = 50 has 18.4 % luminance, which is 119 in sRGB.
    lab = Image.fromarray(np.tile(np.array([128, 0, 0], np.uint8), (8, 8, 1)), "LAB")
    assert np.abs(decoded(tmp_path, encoded(lab, "TIFF")).pixels.astype(int) - 119).max() <= 1


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, :, :3] = 200, 100, 50
    pixels[:, :, 3] = 0, 51, 255
    photo = decoded(tmp_path, encoded(pixels, "PNG"))
    assert photo.pixels[0].tolist() == [[255, 255, 255], [244, 224, 214], [200, 100, 50]]
    assert photo.pixels[1].tolist() == [[255] * 3, [204] * 3, [0] * 3]
    grey = decoded(tmp_path, encoded(pixels[:, :, [0, 3]], "PNG"))
    assert grey.pixels[0, :, 0].tolist() == [255, 244, 200]


def test_palettes_are_resolved_and_their_transparent_colour_is_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 0, 0, 7, 8, 9])
    assert decoded(tmp_path, encoded(image, "PNG")).pixels.tolist() == [
        [[10, 20, 30], [200, 0, 0]],
        [[7, 8, 9], [200, 0, 0]],
    ]
    for form, options in (
        ("PNG", {"transparency": 1}),
        ("GIF", {"transparency": 1}),
        ("PNG", {"transparency": b"\xff\0"}),
    ):
        assert decoded(tmp_path, encoded(image, form, **options)).pixels[:, 1].tolist() == [[255] * 3] * 2
    key = encoded(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8), "PNG", transparency=(1, 2, 3))
    assert decoded(tmp_path, key).pixels.tolist() == [[[255, 255, 255], [4, 5, 6]]]


# Raw photos


def test_a_raw_photo_is_developed_with_its_own_exposure(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    mosaic = np.full((200, 300), 10_000, np.uint16)
    mosaic[:, 150:] = 40_000
    photo = decoded(tmp_path, bayer_dng(mosaic), "nothing-in-the-name")
    assert (photo.provenance.format, photo.provenance.source) == ("RAW", "raw decode")
    assert photo.pixels.shape == (200, 300, 3)
    for column, value in ((75, 10_000), (225, 40_000)):  # auto-brightness would make the brighter half white
        expected = srgb_from_linear(np.array(value / 65535)) * 255
        assert np.abs(photo.pixels[100, column] - expected).max() <= 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("embedded", [False, True])
def test_raw_photos_are_turned_upright(embedded: bool, orientation: int, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    stored = np.kron(np.array(STORED[orientation], np.uint16) * 6000, np.ones((100, 100), np.uint16))
    height, width = stored.shape
    preview = encoded(Image.fromarray((stored // 256).astype(np.uint8)).convert("RGB"), "JPEG") if embedded else b""
    photo = decoded(
        tmp_path, bayer_dng(stored, orientation=orientation, preview=preview, size=(width, height)), "photo.dng"
    )
    assert photo.provenance.source == ("embedded preview" if embedded else "raw decode")
    assert photo.provenance.orientation == orientation
    centres = photo.pixels[50::100, 50::100, 1] / 255
    linear = centres * 65535 / 6000 if embedded else linear_from_srgb(centres) * 65535 / 6000
    assert np.rint(linear).astype(int).tolist() == STORED[1]


def test_a_small_preview_does_not_stand_for_a_raw_photo(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    preview = encoded(np.zeros((100, 150, 3), np.uint8), "JPEG")
    data = bayer_dng(np.full((200, 300), 30_000, np.uint16), preview=preview, size=(150, 100))
    photo = decoded(tmp_path, data, "photo.tif")
    assert photo.provenance.source == "raw decode"
    assert (photo.width, photo.height) == (300, 200)


def test_a_tiff_with_the_ending_of_a_raw_photo_is_a_tiff_all_the_same(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    pytest.importorskip("rawpy")
    photo = decoded(tmp_path, encoded(dog, "TIFF"), "photo.nef")
    assert photo.provenance.format == "TIFF"
    assert np.array_equal(photo.pixels, dog)


def test_a_raw_photo_of_an_unknown_camera_is_unsupported(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(UnsupportedError, match="LibRaw"):
        decoded(tmp_path, b"II*\0\x10\0\0\0CR\2\0" + bytes(500), "photo.cr2")


def test_a_damaged_raw_photo_is_reported(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    data = bayer_dng(np.full((200, 300), 30_000, np.uint16))
    for broken in (data[:3000] + data[-600:], b"FUJIFILMCCD-RAW 0201" + bytes(500)):
        with pytest.raises(PhotoError):
            decoded(tmp_path, broken, "photo.dng")
    with pytest.raises(TooLargeError):
        decoded(tmp_path, data, "photo.dng", max_pixels=59_999)


# Bad input


def test_a_text_file_named_jpg_is_no_photo(tmp_path: Path) -> None:
    for text in (b"Dear diary, ...", b"BMW and other cars: a list", b"P5 is a format", b"x"):
        with pytest.raises(UnsupportedError, match="not a photo"):
            decoded(tmp_path, text, "photo.jpg")


def test_an_empty_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="empty"):
        decoded(tmp_path, b"", "photo.jpg")


def test_a_file_of_zeros_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="zeros"):
        decoded(tmp_path, bytes(5000), "photo.jpg")


@pytest.mark.parametrize("form", [*LOSSLESS, "JPEG", "GIF", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_photo_is_reported(form: str, share: float, tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    data = encoded(dog, form, **LOSSLESS.get(form, {}))
    with pytest.raises(PhotoError):
        decoded(tmp_path, data[: int(len(data) * share)])


def test_a_truncated_jpeg_is_no_photo_with_a_grey_half(tmp_path: Path, samples: Path) -> None:
    data = (samples / "dog.jpg").read_bytes()
    half = data[: len(data) // 2]
    for broken in (half, half + b"\xff\xd9", half + bytes(len(data) // 2), data[:-40]):
        with pytest.raises(UnreadableError, match="cut short"):
            decoded(tmp_path, broken)


def test_bytes_between_a_jpegs_segments_are_forgiven(tmp_path: Path, samples: Path) -> None:
    data = (samples / "dog.jpg").read_bytes()
    place = data.index(b"\xff\xc4")
    photo = decoded(tmp_path, data[:place] + b"\0\0\0" + data[place:] + b"trailing")
    assert np.array_equal(photo.pixels, decode(samples / "dog.jpg").pixels)


def test_a_photo_with_more_pixels_than_the_limit_is_refused_by_its_header(
    tmp_path: Path, dog: NDArray[np.uint8]
) -> None:
    for form in ("JPEG", "PNG", "GIF", "BMP", "PPM"):
        data = encoded(dog, form)
        cut = data[: len(data) // 2]  # the pixels that are missing are not looked for
        with pytest.raises(TooLargeError, match="megapixels"):
            decoded(tmp_path, cut, max_pixels=1000)
        with pytest.raises(UnreadableError):
            decoded(tmp_path, cut)


def test_later_frames_are_counted_and_not_decoded(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    data = bytearray(encoded(dog, "GIF", save_all=True, append_images=[Image.fromarray(255 - dog)]))
    second = data.rindex(b"\x2c\0\0\0\0" + struct.pack("<HH", 144, 96))
    data[second + 5 : second + 9] = struct.pack("<HH", 300, 200)
    photo = decoded(tmp_path, bytes(data), max_pixels=144 * 96)
    assert (photo.width, photo.height) == (144, 96)
    assert photo.provenance.frames == 2


def test_of_three_frames_only_the_first_is_loaded(
    tmp_path: Path, dog: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [Image.fromarray(255 - dog), Image.fromarray(dog // 2)]
    data = encoded(dog, "GIF", save_all=True, append_images=others)
    loaded = []
    load = GifImagePlugin.GifImageFile.load

    def watched(image: GifImagePlugin.GifImageFile) -> Any:
        loaded.append(image.tell())
        return load(image)

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "load", watched)
    assert decoded(tmp_path, data).provenance.frames == 3
    assert set(loaded) == {0}


def test_the_pixel_limit_is_exact(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    for form in ("JPEG", "PNG"):
        data = encoded(dog, form)
        assert decoded(tmp_path, data, max_pixels=144 * 96).width == 144
        with pytest.raises(TooLargeError, match="144 x 96"):
            decoded(tmp_path, data, max_pixels=144 * 96 - 1)


def test_a_photo_beyond_pillows_own_limit_is_decoded(
    tmp_path: Path, dog: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {form: encoded(dog, form) for form in ("JPEG", "PNG", "TIFF", "BMP")}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for form, bytes_ in data.items():
        assert decoded(tmp_path, bytes_).width == 144, form


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="folder"):
        decode(tmp_path)
    with pytest.raises(UnreadableError, match="no such file"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(UnreadableError, match="can't be read"):
        decode(Path("null\0byte.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableError, match="named pipe"):
        decode(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableError, match="device"):
        decode(Path(os.devnull))
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        with pytest.raises(UnreadableError, match="socket"):
            decode(Path("socket.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_file_that_turns_into_a_pipe_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.jpg"
    os.mkfifo(path)
    (tmp_path / "regular").touch()
    regular = (tmp_path / "regular").stat()
    monkeypatch.setattr(Path, "stat", lambda _self, **_: regular)
    with pytest.raises(UnreadableError, match="named pipe"):
        decode(path)


def test_a_file_that_vanishes_while_it_is_opened_is_reported(
    tmp_path: Path, dog: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(dog, "JPEG"))
    really_open = os.open

    def open_too_late(name: Path, *arguments: Any) -> int:
        path.unlink()
        return really_open(name, *arguments)

    monkeypatch.setattr(os, "open", open_too_late)
    with pytest.raises(UnreadableError, match="no such file"):
        decode(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may read everything")
def test_a_file_without_permission_is_reported(tmp_path: Path, dog: NDArray[np.uint8]) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(dog, "JPEG"))
    path.chmod(0)
    with pytest.raises(UnreadableError, match="permission"):
        decode(path)


def test_a_file_that_may_not_be_opened_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "photo.jpg").touch()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableError, match="permission"):
        decode(tmp_path / "photo.jpg")


def _small(form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    if form == "DNG":
        return bayer_dng(np.full((64, 64), 9000, np.uint16))
    if form == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        buffer = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(buffer)
        return buffer.getvalue()
    exif = with_orientation(6)
    exif[271] = "Maker"
    return encoded(pixels, form, **({} if form in ("BMP", "PPM", "GIF", "JPEG2000") else {"exif": exif}))


SMALL = {form: _small(form) for form in ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")}


@pytest.mark.parametrize("form", [*SMALL, "HEIF", "DNG"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_gives_pixels_or_a_photo_error_and_nothing_else(
    form: str, data: st.DataObject, tmp_path: Path
) -> None:
    whole = SMALL.get(form) or SMALL.setdefault(form, _small(form))
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        photo = decoded(tmp_path, bytes(damaged), max_pixels=1_000_000)
    except PhotoError:
        return
    assert photo.pixels.ndim == 3
    assert photo.pixels.shape[2] == 3


# Threads


def test_threads_decode_alike_and_leave_pillow_as_it_was(tmp_path: Path, samples: Path) -> None:
    paths = [samples / name for name in ("canyon-wren.jpg", "dog.jpg", "dragonfly-on-lavender.jpg", "flowers.jpg")]
    with Image.open(paths[0]) as image:
        image.resize((300, 200)).save(tmp_path / "small.tif", icc_profile=image.info["icc_profile"])
    paths.append(tmp_path / "small.tif")
    alone = [decode(path).pixels for path in paths]
    before = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            for one, other in zip(alone, pool.map(decode, paths), strict=True):
                assert np.array_equal(one, other.pixels)
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS) == before


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe1", Format.JPEG),
        (b"II*\0\x10\0\0\0CR\x02\0", Format.RAW),
        (b"IIRO\x08\0\0\0", Format.RAW),
        (b"IIU\0\x18\0\0\0", Format.RAW),
        (b"FUJIFILMCCD-RAW 0201", Format.RAW),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", Format.RAW),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", Format.HEIF),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Format.AVIF),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", None),
        (b"MM\0*\0\0\0\x08", Format.TIFF),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_first_bytes_tell_the_format(head: bytes, kind: Format | None) -> None:
    assert sniff(head) is kind


def test_memory_of_the_photo_before_is_used_again_and_changes_no_pixel(
    samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("lake-sherburne.jpg", "dog.jpg", "city.jpg", "dog.jpg")  # larger and smaller ones in turn
    memory = Memory()
    kept = []
    for name in names:
        data = (samples / name).read_bytes()
        photo = decode_bytes(data, memory=memory)
        fresh = decode_bytes(data)
        np.testing.assert_array_equal(photo.pixels, fresh.pixels)
        assert photo.pixels.flags.c_contiguous
        assert photo.pixels.flags.writeable
        assert not np.shares_memory(photo.pixels, fresh.pixels)
        kept.append(photo.pixels)
    assert np.shares_memory(kept[1], kept[3])
    monkeypatch.setattr(Memory, "MOST", 1000)
    first, second = (decode_bytes((samples / "dog.jpg").read_bytes(), memory=memory).pixels for _ in range(2))
    assert not np.shares_memory(first, second)


def test_a_cut_photo_leaves_nothing_of_the_one_before(samples: Path) -> None:
    memory = Memory()
    decode_bytes((samples / "city.jpg").read_bytes(), memory=memory)
    with pytest.raises(UnreadableError, match="cut short"):
        decode_bytes((samples / "dog.jpg").read_bytes()[:20000], memory=memory)

"""Colours told by code points and numbers. Expected values come from the standards' own formulas."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_maths import (
    BT_2020,
    DISPLAY_P3,
    SRGB,
    hlg_from_nits,
    linear_from_srgb,
    pq_from_nits,
    srgb_from_linear,
    to_xyz,
)
from numpy.typing import NDArray
from photo_files import png_chunk, profile, saved
from PIL import Image

from photodefect.photos.colour_codes import by_code_points, by_numbers, coded_to_srgb
from photodefect.photos.decode import decode_bytes

WHITE = 203  # candela per square metre of what is white in print, by BT.2408


@pytest.fixture(scope="module")
def flowers(samples: Path) -> NDArray[np.uint8]:
    """A real photograph of strong colours, 192 x 128."""
    with Image.open(samples / "flowers.jpg") as image:
        return np.array(image.convert("RGB").resize((192, 128)))


def light(pixels: NDArray[np.uint8], primaries: list[tuple[float, float]]) -> NDArray[Any]:
    """Linear light by other primaries, white at 1."""
    return np.clip(linear_from_srgb(pixels / 255) @ np.linalg.solve(to_xyz(primaries), to_xyz(SRGB)).T, 0, 1)


def png16(values: NDArray[Any], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits with chunks before its pixels."""
    height, width, channels = values.shape
    rows = np.rint(values * 65535).astype(">u2").reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *(png_chunk(*chunk) for chunk in chunks)]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts += [png_chunk(b"IDAT", packed), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def cicp(primaries: int, transfer: int, *, full: bool = True) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, full])


def heic(values: NDArray[Any], primaries: int, transfer: int, **options: Any) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    samples = np.rint(values * 65535).astype(np.uint16)
    image = pillow_heif.from_bytes(mode="RGB;16", size=samples.shape[1::-1], data=samples.tobytes())
    buffer = io.BytesIO()
    image.save(
        buffer, quality=100, chroma=444, color_primaries=primaries, transfer_characteristics=transfer,
        matrix_coefficients=1, full_range_flag=1, save_nclx_profile=True, **options,
    )  # fmt: skip
    return buffer.getvalue()


def avif(values: NDArray[Any], primaries: int, transfer: int, **options: Any) -> bytes:
    image = Image.fromarray(np.rint(values * 255).astype(np.uint8))
    data = saved(image, "AVIF", quality=100, subsampling="4:4:4", **options)
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def mean_difference(data: bytes, expected: NDArray[np.uint8]) -> float:
    return float(np.abs(decode_bytes(data).pixels.astype(float) - expected).mean())


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_an_hdr_photo_without_light_beyond_white_looks_as_its_srgb_twin(
    transfer: int, name: str, flowers: NDArray[np.uint8]
) -> None:
    nits = light(flowers, BT_2020) * WHITE
    values = pq_from_nits(nits) if name == "PQ" else hlg_from_nits(nits)
    for data, source, most in (
        (png16(values, cicp(9, transfer)), "cICP", 0.1),
        (heic(values, 9, transfer), "nclx", 2),
        (avif(values, 9, transfer), "nclx", 4),  # Pillow gives eight bits
    ):
        photo = decode_bytes(data)
        assert photo.provenance.colour == f"BT.2020 {name} ({source})"
        assert photo.provenance.icc is None
        assert mean_difference(data, flowers) < most
    assert np.abs(values * 255 - flowers).mean() > 8


def icc_profile(transfer: int, curve: NDArray[Any], *, coded: bool = True) -> bytes:
    """An ICC profile of BT.2020 with a curve of its own, and what code points it stands for (ICC.1:2022, 9.2.17)."""

    def xyz(*values: float) -> bytes:
        return struct.pack(">8s3i", b"XYZ ", *(round(value * 65536) for value in values))

    samples = struct.pack(">4sII", b"curv", 0, len(curve)) + np.rint(curve * 65535).astype(">u2").tobytes()
    columns = ((0.67348, 0.27904, -0.00194), (0.16567, 0.67535, 0.02998), (0.12505, 0.04561, 0.79686))  # under D50
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249)}
    for colour, column in zip(b"rgb", columns, strict=True):
        tags[bytes([colour]) + b"XYZ"] = xyz(*column)
        tags[bytes([colour]) + b"TRC"] = samples
    if coded:
        tags[b"cicp"] = struct.pack(">4sI4B", b"cicp", 0, 9, transfer, 0, 1)
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return header.ljust(68, b"\0") + xyz(0.9642, 1, 0.8249)[8:] + bytes(48) + table + body


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("transfer", [16, 18])
def test_an_hdr_photo_whose_profile_alone_says_so_looks_as_its_srgb_twin(
    transfer: int, form: str, flowers: NDArray[np.uint8]
) -> None:
    nits = light(flowers, BT_2020) * WHITE
    ramp = np.linspace(0, 1, 1024)
    if transfer == 16:
        values, curve = pq_from_nits(nits), np.interp(ramp, pq_from_nits(ramp**4 * 10_000), ramp**4)
    else:
        values, curve = hlg_from_nits(nits), ramp**2
    options = {"icc_profile": icc_profile(transfer, curve)}
    options |= {"JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(
        form, {"lossless": True}
    )
    data = saved(Image.fromarray(np.rint(values * 255).astype(np.uint8)), form, **options)
    assert mean_difference(data, flowers) < 4  # of eight bits; without the code points of the profile it is 100
    assert decode_bytes(data).provenance.icc == "unnamed profile"


def test_a_profile_of_other_curves_is_used_whatever_code_points_it_has(flowers: NDArray[np.uint8]) -> None:
    curve = np.linspace(0, 1, 1024) ** 2.2
    data = [
        saved(Image.fromarray(flowers), "PNG", icc_profile=icc_profile(1, curve, coded=coded))
        for coded in (False, True)
    ]
    assert np.array_equal(decode_bytes(data[0]).pixels, decode_bytes(data[1]).pixels)
    assert mean_difference(data[0], flowers) > 2


def test_light_beyond_white_is_rolled_off_and_the_rest_stays() -> None:
    nits = np.geomspace(0.1, 1000, 4000).reshape(40, 100, 1).repeat(3, axis=2)
    colour = by_code_points(9, 16, "test")
    assert colour is not None
    samples = np.rint(pq_from_nits(nits) * 65535).astype(np.uint16)
    levels = np.asarray(coded_to_srgb(samples, colour))[:, :, 0].ravel().astype(int)
    assert (np.diff(levels) >= 0).all()
    assert levels[-1] == 255
    # With a source of 1,000 and a target of 203, the knee of BT.2390 is at 0.4955 of PQ: 88.8 candela per square metre.
    below = nits[:, :, 0].ravel() < 88
    assert np.abs(levels[below] - srgb_from_linear(nits[:, :, 0].ravel()[below] / WHITE) * 255).max() <= 1
    highlights = nits[:, :, 0].ravel() > WHITE
    assert len(set(levels[highlights])) > 15, "they are told apart"


def test_a_few_glints_dont_darken_the_rest(flowers: NDArray[np.uint8]) -> None:
    nits = light(flowers, BT_2020) * WHITE
    nits[0, :20] = 10_000
    data = png16(pq_from_nits(nits), cicp(9, 16))
    pixels = decode_bytes(data).pixels
    assert np.abs(pixels[1:].astype(int) - flowers[1:]).max() <= 1
    assert (pixels[0, :20] == 255).all()


def test_p3_by_code_points_has_the_colours_of_its_srgb_twin(flowers: NDArray[np.uint8]) -> None:
    values = srgb_from_linear(light(flowers, DISPLAY_P3))
    assert np.abs(values * 255 - flowers).mean() > 2
    for data, most in ((png16(values, cicp(12, 13)), 0.5), (heic(values, 12, 13), 2), (avif(values, 12, 13), 2)):
        assert mean_difference(data, flowers) < most
        assert (decode_bytes(data).provenance.colour or "").startswith("Display P3 (")


def test_linear_and_gamma_of_a_png_are_understood(flowers: NDArray[np.uint8]) -> None:
    linear = linear_from_srgb(flowers / 255)
    for gamma, name in ((1.0, "linear"), (1 / 1.8, "gamma 1.8")):
        data = png16(linear**gamma, (b"gAMA", struct.pack(">I", round(gamma * 100_000))))
        photo = decode_bytes(data)
        assert mean_difference(data, flowers) < 0.1
        assert photo.provenance.colour == f"BT.709 {name} (gAMA)"
        assert photo.provenance.mode == "RGB;16"


def test_own_primaries_of_a_png_are_understood(flowers: NDArray[np.uint8]) -> None:
    corners = [0.3127, 0.3290, *(coordinate for corner in DISPLAY_P3 for coordinate in corner)]
    chunk = b"cHRM", struct.pack(">8I", *(round(coordinate * 100_000) for coordinate in corners))
    data = png16(srgb_from_linear(light(flowers, DISPLAY_P3)), (b"gAMA", struct.pack(">I", 45_455)), chunk)
    assert mean_difference(data, flowers) < 0.5
    assert decode_bytes(data).provenance.colour == "Display P3 (gAMA and cHRM)"


def test_numbers_of_srgb_change_nothing(flowers: NDArray[np.uint8]) -> None:
    corners = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    plain = saved(Image.fromarray(flowers), "PNG")
    for chunks in (
        [(b"gAMA", struct.pack(">I", 45_455))],
        [(b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", corners)],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))],
        [cicp(1, 13)],
        [(b"gAMA", struct.pack(">I", 0))],
        [(b"cHRM", bytes(32))],
    ):
        data = plain[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + plain[33:]
        photo = decode_bytes(data)
        assert np.array_equal(photo.pixels, flowers), chunks
        assert photo.provenance.colour is None
    assert decode_bytes(avif(flowers / 255, 1, 13)).provenance.colour is None


def test_a_profile_goes_before_numbers_and_code_points_of_a_png_before_it(flowers: NDArray[np.uint8]) -> None:
    plain = saved(Image.fromarray(flowers), "PNG", icc_profile=profile())
    linear = plain[:33] + png_chunk(b"gAMA", struct.pack(">I", 100_000)) + plain[33:]
    assert np.array_equal(decode_bytes(linear).pixels, flowers)
    p3 = plain[:33] + png_chunk(*cicp(12, 13)) + plain[33:]
    assert decode_bytes(p3).provenance.colour == "Display P3 (cICP)"
    assert decode_bytes(p3).provenance.icc is None
    both = decode_bytes(avif(flowers / 255, 12, 13, icc_profile=profile()))
    assert both.provenance.colour is None
    assert both.provenance.icc == "sRGB built-in"


def test_transparent_parts_of_an_hdr_photo_are_white(flowers: NDArray[np.uint8]) -> None:
    alpha = np.zeros((*flowers.shape[:2], 1))
    alpha[:, 96:] = 1
    values = np.concatenate([pq_from_nits(light(flowers, BT_2020) * WHITE), alpha], axis=2)
    pixels = decode_bytes(png16(values, cicp(9, 16))).pixels
    assert (pixels[:, :96] == 255).all()
    assert np.abs(pixels[:, 96:].astype(int) - flowers[:, 96:]).max() <= 1


def test_a_narrow_range_is_widened(flowers: NDArray[np.uint8]) -> None:
    narrow = (16 + 219 * (flowers / 255)) / 255
    data = png16(narrow, cicp(1, 13, full=False))
    assert mean_difference(data, flowers) < 0.1


def test_grey_samples_are_converted_as_colours_are() -> None:
    colour = by_code_points(1, 8, "test")
    assert colour is not None
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    expected = np.rint(srgb_from_linear(ramp / 255) * 255)
    assert np.abs(np.asarray(coded_to_srgb(ramp, colour)).astype(int) - expected).max() <= 1


def test_the_command_judges_an_hdr_photo_as_its_srgb_twin(samples: Path, tmp_path: Path) -> None:
    with Image.open(samples / "roman-colosseum.jpg") as image:
        pixels = np.array(image.convert("RGB").resize((600, 400)))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png16(pq_from_nits(light(pixels, BT_2020) * WHITE), cicp(9, 16)))
    heic_of = heic(srgb_from_linear(light(pixels, BT_2020)), 9, 13)
    (tmp_path / "c.heic").write_bytes(heic_of)
    command = [sys.executable, "-m", "photodefect", "diagnose", tmp_path, "--format", "json", "--no-cache", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    plain, hdr, wide = json.loads(done.stdout)
    assert [record["provenance"]["colour"] for record in (plain, hdr, wide)] == [
        None,
        "BT.2020 PQ (cICP)",
        "BT.2020 (nclx)",
    ]
    for key, severity in plain["severity"].items():
        assert abs(hdr["severity"][key] - severity) < 0.02, key
        assert abs(wide["severity"][key] - severity) < 0.1, key


@pytest.mark.parametrize(
    "corners", [(0.3127, 0.0, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06), (0.3, 0.3) * 4, (0.3127, 0.329), (float("nan"),) * 8]
)
def test_primaries_that_make_no_sense_are_passed_over(corners: tuple[float, ...]) -> None:
    assert by_numbers(None, corners) is None

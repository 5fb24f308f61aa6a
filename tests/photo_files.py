"""Photos of every kind to damage, and ways to damage them: for tests, and for ``benchmarks/fuzz_decode.py``.

Everything here is made by a library that isn't the decoder under test, or by hand; everything drawn is drawn from the
generator that is handed in, so that a number tells a file.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms
from tiff_bytes import bayer_dng, big_tiff, rgb16_planes, rgb16_tiff, write_tiff

WIDTH, HEIGHT = 48, 32
EXIF_FOLDER = 0x8769


def picture() -> Image.Image:
    """A gradient with some noise: neither flat nor incompressible."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(0).integers(0, 24, (HEIGHT, WIDTH, 3))
    pixels = np.stack([columns * 4, rows * 6, (rows + columns) * 2], axis=2) + noise
    return Image.fromarray(pixels.astype(np.uint8))


def plain_photo(path: Path) -> Path:
    """A photo of the format that the name says, without metadata."""
    if path.suffix == ".dng":
        path.write_bytes(bayer_dng(np.zeros((64, 64), np.uint16)))
    elif path.suffix == ".heic":
        from pillow_heif import from_pillow  # noqa: PLC0415

        from_pillow(picture()).save(path)
    else:
        picture().save(path)
    return path


def exif_bytes() -> bytes:
    """EXIF data with a sub-folder, a maker note and numbers of several types."""
    exif = Image.Exif()
    exif.update({271: "NIKON CORPORATION", 272: "NIKON Z 6", 274: 6, 305: "Ver.1.0"})
    exif.get_ifd(EXIF_FOLDER).update(
        {0x8827: 800, 0x829A: (1, 250), 0x9003: "2024:05:01 12:30:45", 0x927C: b"Nikon\0\2\x10\0\0MM\0*\0\0\0\x08"}
    )
    return exif.tobytes()


def profile() -> bytes:
    """An ICC profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with the right checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG of raw rows, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def interlaced_png() -> bytes:
    """A PNG in seven passes, which Pillow can't write."""
    generator = random.Random(0)
    rows = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        columns, lines = -(-(WIDTH - x) // dx), -(-(HEIGHT - y) // dy)
        rows += b"".join(b"\0" + generator.randbytes(3 * columns) for _ in range(lines))
    return png(WIDTH, HEIGHT, rows, interlaced=True)


def psd(bits: int = 8, *, large: bool = False) -> bytes:
    """A flat Photoshop document of three planes."""
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 2 if large else 1, 3, HEIGHT, WIDTH, bits, 3)
    planes = random.Random(0).randbytes(3 * WIDTH * HEIGHT * bits // 8)
    return header + bytes(16 if large else 12) + b"\0\0" + planes


def pq_png() -> bytes:
    """A PNG of 16 bits whose code points say that it is HDR."""
    rows = b"".join(b"\0" + random.Random(row).randbytes(6 * WIDTH) for row in range(HEIGHT))
    whole = png(WIDTH, HEIGHT, rows, depth=16)
    return whole[:33] + png_chunk(b"cICP", bytes([9, 16, 0, 1])) + whole[33:]


def thumbnail_tiff() -> bytes:
    """A TIFF whose photo is a sub-folder of its thumbnail."""
    folders: list[tuple[dict[int, tuple[int, Any]], bytes]] = []
    for kind, width, height in ((1, 12, 8), (0, WIDTH, HEIGHT)):
        tags = {254: (4, kind), 256: (4, width), 257: (4, height), 258: (3, 8), 259: (3, 1), 262: (3, 1), 277: (3, 1),
                278: (4, height)}  # fmt: skip
        folders.append((tags, random.Random(0).randbytes(width * height)))
    return write_tiff([(tags, data) for tags, data in folders])


def tiled_tiff(**tags: tuple[int, Any]) -> bytes:
    """A grey TIFF in tiles of 16 x 16, with tags changed."""
    tiles = random.Random(0).randbytes(WIDTH * HEIGHT)
    count = (WIDTH // 16) * (HEIGHT // 16)
    body = struct.pack("<2sHI", b"II", 42, 8 + len(tiles) + 8 * count) + tiles
    offsets = len(body)
    body += struct.pack(f"<{count}I", *(8 + 256 * number for number in range(count)))
    sizes = len(body)
    body += struct.pack(f"<{count}I", *[256] * count)
    entries = {256: (4, 1, WIDTH), 257: (4, 1, HEIGHT), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1),
               322: (4, 1, 16), 323: (4, 1, 16), 324: (4, count, offsets), 325: (4, count, sizes)}  # fmt: skip
    entries |= {int(name.removeprefix("tag")): (kind, 1, value) for name, (kind, value) in tags.items()}
    folder = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    return body + struct.pack("<H", len(entries)) + folder + bytes(4)


def sensor_tiff(maker: bytes, compression: int = 1, data: bytes | None = None) -> bytes:
    """A TIFF that looks like a maker's raw photo."""
    strip = random.Random(0).randbytes(2 * 64 * 64) if data is None else data
    tags = {
        254: (4, 0), 256: (4, 64), 257: (4, 64), 258: (3, 14), 259: (3, compression), 262: (3, 32803), 271: (2, maker),
        272: (2, maker), 277: (3, 1), 278: (4, 64), 33421: (3, [2, 2]), 33422: (1, [0, 1, 1, 2]),
    }  # fmt: skip
    return write_tiff([(tags, strip)])


def raf(preview: bytes) -> bytes:
    """A Fujifilm header with a JPEG, and little else."""
    head = b"FUJIFILMCCD-RAW 0201FF383501X-T1".ljust(84, b"\0")
    places = struct.pack(">6I", 160, len(preview), 160 + len(preview), 64, 160 + len(preview) + 64, 4096)
    return (head + places).ljust(160, b"\0") + preview + random.Random(0).randbytes(64 + 4096)


def _jpegs(image: Image.Image) -> dict[str, bytes]:
    extras = {"exif": exif_bytes(), "icc_profile": profile()}
    return {
        "jpeg": saved(image, "JPEG", **extras),
        "jpeg-progressive": saved(image, "JPEG", progressive=True),
        "jpeg-444-restart": saved(image, "JPEG", subsampling=0, restart_marker_rows=1),
        "jpeg-grey": saved(image.convert("L"), "JPEG", exif=exif_bytes()),
        "jpeg-cmyk": saved(image.convert("CMYK"), "JPEG"),
        "mpo": saved(image, "MPO", save_all=True, append_images=[image.rotate(180)], exif=exif_bytes()),
    }


def _pngs(image: Image.Image) -> dict[str, bytes]:
    grey16 = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return {
        "png": saved(image, "PNG", exif=exif_bytes(), icc_profile=profile()),
        "png-palette": saved(image.quantize(16), "PNG", transparency=3),
        "png-grey16": saved(grey16, "PNG"),
        "png-rgba": saved(image.convert("RGBA"), "PNG"),
        "png-interlaced": interlaced_png(),
        "png-pq": pq_png(),
        "apng": saved(image, "PNG", save_all=True, append_images=[image.rotate(180)]),
    }


def _tiffs(image: Image.Image) -> dict[str, bytes]:
    packed = {name: saved(image, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")}
    return packed | {
        "tiff": saved(image, "TIFF", exif=exif_bytes(), icc_profile=profile()),
        "tiff-jpeg": saved(image, "TIFF", compression="jpeg"),
        "tiff-fax": saved(image.convert("1"), "TIFF", compression="group4"),
        "tiff-cmyk": saved(image.convert("CMYK"), "TIFF"),
        "tiff-lab": saved(image.convert("LAB"), "TIFF"),
        "tiff-float": saved(image.convert("F"), "TIFF"),
        "tiff-pages": saved(image, "TIFF", save_all=True, append_images=[image.rotate(180)] * 3),
        "tiff-big": saved(image, "TIFF", big_tiff=True),
        "tiff-16": rgb16_tiff(np.asarray(image).astype(np.uint16) * 257, ">"),
        "tiff-tiles": tiled_tiff(),
        "tiff-16-planes": rgb16_planes(np.asarray(image).astype(np.uint16) * 257, rows=5),
        "tiff-big-endian": big_tiff(np.asarray(image)),
        "tiff-thumbnail": thumbnail_tiff(),
    }


def _modern(image: Image.Image) -> dict[str, bytes]:
    from pillow_heif import from_pillow  # noqa: PLC0415

    extras = {"exif": exif_bytes(), "icc_profile": profile()}
    turned = [image.rotate(180)]
    heif = io.BytesIO()
    container = from_pillow(image)
    container.add_from_pillow(turned[0])
    container.save(heif, exif=exif_bytes())
    heif_pq = io.BytesIO()
    from_pillow(image).save(heif_pq, color_primaries=9, transfer_characteristics=16, matrix_coefficients=9)
    return {
        "webp": saved(image, "WEBP", **extras),
        "webp-lossless": saved(image.convert("RGBA"), "WEBP", lossless=True),
        "webp-animated": saved(image, "WEBP", save_all=True, append_images=turned),
        "avif": saved(image, "AVIF", speed=10, **extras),
        "avif-pq": saved(image, "AVIF", speed=10).replace(b"colrnclx\0\x01\0\x0d", b"colrnclx\0\x09\0\x10"),
        "avif-animated": saved(image, "AVIF", speed=10, save_all=True, append_images=turned),
        "heif": heif.getvalue(),
        "heif-pq": heif_pq.getvalue(),
        "jp2": saved(image, "JPEG2000"),
        "j2k-tiles": saved(image, "JPEG2000", no_jp2=True, tile_size=(16, 16), irreversible=True),
    }


def _plain(image: Image.Image) -> dict[str, bytes]:
    return {
        "gif": saved(image, "GIF"),
        "gif-animated": saved(image.quantize(32), "GIF", save_all=True, append_images=[image.rotate(180)] * 3),
        "bmp": saved(image, "BMP"),
        "bmp-palette": saved(image.quantize(16), "BMP"),
        "ppm": saved(image, "PPM"),
        "pgm-plain": b"P2\n# words\n8 4\n255\n" + b" ".join(b"%d" % (7 * number) for number in range(32)),
        "psd": psd(),
        "psd-16": psd(16),
        "psb": psd(large=True),
        "jxl": b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\x10Exif\0\0\0\0II*\0",
    }


def _raws(image: Image.Image) -> dict[str, bytes]:
    mosaic = np.random.default_rng(0).integers(0, 65535, (64, 64), np.uint16)
    preview = saved(image.resize((64, 64)), "JPEG", exif=exif_bytes())
    makers = {
        b"NIKON CORPORATION\0": 34713, b"SONY\0": 32767, b"PENTAX\0": 65535, b"OLYMPUS CORPORATION\0": 1,
        b"Panasonic\0": 34316, b"SAMSUNG\0": 32769, b"Hasselblad\0": 7, b"Kodak\0": 65000, b"LEICA\0": 99,
    }  # fmt: skip
    canon = sensor_tiff(b"Canon\0", 6, b"CR\2\0" + bytes(4) + preview)
    return {
        "dng": bayer_dng(mosaic),
        "dng-preview": bayer_dng(mosaic, preview=preview, size=(64, 64), orientation=6),
        "cr2": canon,
        "orf": b"IIRO" + sensor_tiff(b"OLYMPUS CORPORATION\0")[4:],
        "rw2": b"IIU\0" + sensor_tiff(b"Panasonic\0")[4:],
        "raf": raf(preview),
        "cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom\0\0\0\x40moov\0\0\0\x38trak" + random.Random(0).randbytes(2048),
        "x3f": b"FOVb\0\0\2\0" + random.Random(0).randbytes(512) + b"SECd\0\0\2\0\1\0\0\0" + struct.pack("<I", 520),
        "mrw": b"\0MRM\0\0\1\0\0PRD\0\0\0\x1821860002" + struct.pack(">4H", 64, 64, 64, 64) + bytes(2048),
        "crw": b"II\x1a\0\0\0HEAPCCDR" + random.Random(0).randbytes(2048),
    } | {
        f"raw-{maker.split()[0].strip(chr(0).encode()).decode()}": sensor_tiff(maker, kind)
        for maker, kind in makers.items()
    }


def seeds() -> dict[str, bytes]:
    """Whole files of every kind that photodefect takes, by a name that tells the kind."""
    image = picture()
    return _jpegs(image) | _pngs(image) | _tiffs(image) | _modern(image) | _plain(image) | _raws(image)


RAW_NAMES: Final = {
    "cr2": ".cr2",
    "orf": ".orf",
    "rw2": ".rw2",
    "raf": ".raf",
    "cr3": ".cr3",
    "x3f": ".x3f",
    "mrw": ".mrw",
}
"""Seeds of raw photos that are named as their makers do."""


def file_name(seed: str, generator: random.Random) -> str:
    """What to call a seed's file: mostly as it should be called, sometimes anything."""
    if generator.random() < 0.15:
        return "photo" + generator.choice((".jpg", ".nef", ".png", ".tif", ".heic", ".dng", "", ".gif", ".txt"))
    return "photo" + RAW_NAMES.get(seed, ".nef" if seed.startswith("raw-") else f".{seed.split('-', maxsplit=1)[0]}")


# Ways to damage a file

Damage = Callable[[bytearray, random.Random, list[bytes]], bytearray]


def _place(data: bytearray, generator: random.Random) -> int:
    """Somewhere in a file, in its first hundreds of bytes as often as anywhere: there are the headers."""
    return generator.randrange(min(len(data), 600) if generator.random() < 0.5 else len(data))


def flip_bits(data: bytearray, generator: random.Random, _others: list[bytes]) -> bytearray:
    """One to eight bits."""
    for _ in range(generator.randint(1, 8)):
        data[_place(data, generator)] ^= 1 << generator.randrange(8)
    return data


def change_bytes(data: bytearray, generator: random.Random, _others: list[bytes]) -> bytearray:
    """One to six bytes to anything."""
    for _ in range(generator.randint(1, 6)):
        data[_place(data, generator)] = generator.randrange(256)
    return data


def cut_off(data: bytearray, generator: random.Random, _others: list[bytes]) -> bytearray:
    """The end."""
    return data[: _place(data, generator) + 1]


def cut_out(data: bytearray, generator: random.Random, _others: list[bytes]) -> bytearray:
    """A piece from the middle."""
    at = _place(data, generator)
    del data[at : at + generator.choice((1, 2, 4, 16, 256))]
    return data or bytearray(1)


def blank(data: bytearray, generator: random.Random, _others: list[bytes]) -> bytearray:
    """A stretch to zeros or ones, as a bad card leaves it."""
    at, size = _place(data, generator), generator.choice((4, 16, 128, 512, 4096))
    data[at : at + size] = bytes([generator.choice((0, 0xFF))]) * len(data[at : at + size])
    return data


def splice(data: bytearray, generator: random.Random, others: list[bytes]) -> bytearray:
    """The beginning of one file and the end of another."""
    other = generator.choice(others)
    return data[: _place(data, generator)] + other[generator.randrange(len(other)) :] or bytearray(1)


DAMAGES: Final[tuple[Damage, ...]] = (flip_bits, change_bytes, cut_off, cut_out, blank, splice)


def damaged(whole: bytes, generator: random.Random, others: list[bytes]) -> bytes:
    """A file with one to three damages, as a bad card or a broken copy leaves it."""
    data = bytearray(whole)
    for _ in range(generator.choice((1, 1, 2, 3))):
        data = generator.choice(DAMAGES)(data, generator, others) or bytearray(1)
    return bytes(data)

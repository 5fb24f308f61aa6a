"""Photos of every kind with EXIF data, built from scratch by what the formats' specifications say.

Values are :data:`~tiff_bytes.Tags`. Cameras' own formats have their beginning, their folders and maker's notes here,
and no sensor data.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

from photo_files import png_chunk, psd, saved
from PIL import Image
from tiff_bytes import Tags, packed_values, write_tiff

MAKE, MODEL, ORIENTATION, SOFTWARE, EXIF_FOLDER, MAKER_NOTE = 271, 272, 274, 305, 0x8769, 0x927C

MAIN: Tags = {MAKE: (2, b"Own\0"), MODEL: (2, b"Cam 1\0"), ORIENTATION: (3, 1), SOFTWARE: (2, b"Ver. 2.0\0")}

EXPOSURE: Tags = {
    0x829A: (5, [1, 250]), 0x829D: (5, [28, 10]), 0x8827: (3, 800), 0x9003: (2, b"2024:05:01 12:30:45\0"),
    0x9011: (2, b"+02:00\0"), 0x9204: (10, [-2, 3]), 0x920A: (5, [50, 1]), 0x9291: (2, b"25\0"), 0xA402: (3, 1),
    0xA405: (3, 75), 0xA434: (2, b"Own 50mm F2.8\0"),
}  # fmt: skip


def exif(main: Tags = MAIN, exposure: Tags = EXPOSURE, note: bytes = b"", order: str = "<", lead: bytes = b"") -> bytes:
    """EXIF data as a TIFF: from byte 8 on ``lead``, the maker's note, the folder of the exposure, the first one."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    body = bytearray(start + bytes(4) + lead + note + bytes(len(note) % 2))
    places = []
    for tags in (exposure, main):
        complete: dict[int, Any] = {tag: packed_values(kind, values, order) for tag, (kind, values) in tags.items()}
        kinds = {tag: kind for tag, (kind, _) in tags.items()}
        if tags is exposure and note:
            kinds[MAKER_NOTE], complete[MAKER_NOTE] = 7, (len(note), None)
        if tags is main:
            kinds[EXIF_FOLDER], complete[EXIF_FOLDER] = 4, (1, struct.pack(f"{order}I", places[0]))
        entries = b""
        for tag, (count, packed) in sorted(complete.items()):
            where = struct.pack(f"{order}I", 8 + len(lead)) if packed is None else packed
            if packed is not None and len(packed) > 4:
                where = struct.pack(f"{order}I", len(body))
                body += packed + bytes(len(packed) % 2)
            entries += struct.pack(f"{order}HHI", tag, kinds[tag], count) + where.ljust(4, b"\0")
        places.append(len(body))
        body += struct.pack(f"{order}H", len(complete)) + entries + bytes(4)
    struct.pack_into(f"{order}I", body, 4, places[1])
    return bytes(body)


def folder(tags: Tags, at: int, order: str = "<", base: int = 0) -> bytes:
    """A folder at a place, and its values behind it; offsets count from ``base``."""
    entries, values = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        count, packed = packed_values(kind, value, order)
        where = packed
        if len(packed) > 4:
            where = struct.pack(f"{order}I", behind + len(values) - base)
            values += packed + bytes(len(packed) % 2)
        entries += struct.pack(f"{order}HHI", tag, kind, count) + where.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def big_exif(order: str = "<", main: Tags = MAIN, exposure: Tags = EXPOSURE) -> bytes:
    """A BigTIFF of two folders, with numbers of eight bytes for places and lengths."""
    body = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQ", 43, 8, 0, 0))
    places: list[int] = []
    for tags in (exposure, main):
        rows, pointer = b"", {} if tags is exposure else {EXIF_FOLDER: (4, places[0])}
        for tag, (kind, value) in sorted({**tags, **pointer}.items()):
            count, packed = packed_values(kind, value, order)
            where = packed.ljust(8, b"\0")
            if len(packed) > 8:
                where = struct.pack(f"{order}Q", len(body))
                body += packed + bytes(len(packed) % 2)
            rows += struct.pack(f"{order}HHQ", tag, kind, count) + where
        places.append(len(body))
        body += struct.pack(f"{order}Q", len(rows) // 20) + rows + bytes(8)
    struct.pack_into(f"{order}Q", body, 8, places[1])
    return bytes(body)


def segment(mark: int, data: bytes) -> bytes:
    """A JPEG's segment."""
    return struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data


def jpeg(block: bytes, before: bytes = b"", size: int = 32) -> bytes:
    """A small JPEG with EXIF data after other segments, without a JFIF header."""
    plain = saved(Image.new("RGB", (size, size), (90, 120, 60)), "JPEG")
    after_jfif = 4 + int.from_bytes(plain[4:6], "big")
    return b"\xff\xd8" + before + segment(0xE1, b"Exif\0\0" + block) + plain[after_jfif:]


def png(block: bytes) -> bytes:
    """A PNG with EXIF data after its pixels."""
    plain = saved(Image.new("RGB", (8, 8)), "PNG")
    return plain[:-12] + png_chunk(b"eXIf", block) + plain[-12:]


def png_profile(block: bytes, name: bytes = b"zTXt", kind: bytes = b"exif") -> bytes:
    """A PNG with EXIF data as ImageMagick writes it."""
    data = b"Exif\0\0" + block
    digits = data.hex().encode()
    text = (
        b"\n%b\n%8d\n" % (kind, len(data)) + b"\n".join(digits[n : n + 72] for n in range(0, len(digits), 72)) + b"\n"
    )
    between = {b"zTXt": b"\0", b"tEXt": b"", b"iTXt": b"\1\0\0\0"}[name]
    packed = text if name == b"tEXt" else zlib.compress(text)
    plain = saved(Image.new("RGB", (8, 8)), "PNG")
    return plain[:33] + png_chunk(name, b"Raw profile type " + kind + b"\0" + between + packed) + plain[33:]


def webp(block: bytes, name: bytes = b"") -> bytes:
    """A WebP with EXIF data, by specification a bare TIFF."""
    picture = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    data = name + block
    chunk = b"EXIF" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0, 7, 0, 0, 7, 0, 0])
    body = b"WEBP" + extended + picture + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def psd_with(block: bytes) -> bytes:
    """A PSD with a path and then EXIF data among its resources."""
    resources = b"8BIM" + struct.pack(">HB", 2000, 3) + b"one" + struct.pack(">I", 5) + bytes(6)
    resources += b"8BIM" + struct.pack(">HH", 1058, 0) + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    plain = psd()
    return plain[:30] + struct.pack(">I", len(resources)) + resources + plain[34:]


def box(name: bytes, *content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    data = b"".join(content)
    return struct.pack(">I4s", len(data) + 8, name) + data


def jp2(block: bytes) -> bytes:
    """A JPEG 2000 with EXIF data in a box at its end."""
    return saved(Image.new("RGB", (32, 32)), "JPEG2000") + box(b"uuid", b"JpgTiffExif->JP2", block)


def heif(block: bytes, brand: bytes = b"heic", *, inside: bool = False) -> bytes:
    """A HEIF of two items without pixels: one of a picture, one of EXIF data, in the file or ``inside`` the boxes."""
    data = struct.pack(">I", 6) + b"Exif\0\0" + block

    def meta(at: int) -> bytes:
        items = [(1, b"hvc1" if brand == b"heic" else b"av01"), (2, b"Exif")]
        infe = [
            box(b"infe", bytes([2, 0, 0, 0]), struct.pack(">HH4s", number, 0, kind), b"\0") for number, kind in items
        ]
        row = struct.pack(">HHHHHII", 2, int(inside), 0, 0, 1, at, len(data))[:-12] + struct.pack(
            ">HII", 1, at, len(data)
        )
        iloc = box(b"iloc", bytes([1, 0, 0, 0, 0x44, 0x00]), struct.pack(">H", 1), row)
        handler = box(b"hdlr", bytes(8), b"pict", bytes(13))
        parts = [handler, box(b"pitm", bytes(4), struct.pack(">H", 1))]
        parts += [box(b"iinf", bytes(4), struct.pack(">H", 2), *infe), iloc]
        return box(b"meta", bytes(4), *parts, *([box(b"idat", data)] if inside else []))

    start = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    if inside:
        return start + meta(0)
    at = len(start) + len(meta(0)) + 8
    return start + meta(at) + box(b"mdat", data)


# Cameras' own formats


def canon_note(at: int, order: str = "<", base: int = 0) -> bytes:
    """Canon's note: continuous drive, ISO 1600 and a lens."""
    settings = [34, *[0] * 4, 1, *[0] * 10, 0x4000 | 1600]
    return folder({1: (3, settings), 0x95: (2, b"EF50mm f/1.8 STM\0")}, at, order, base)


def nikon_note(order: str = ">") -> bytes:
    """Nikon's note, a TIFF of its own: ISO 400, a zoom lens, continuous drive."""
    tags: Tags = {2: (3, [0, 400]), 0x84: (5, [18, 1, 70, 1, 35, 10, 45, 10]), 0x89: (3, 1)}
    start = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8)
    return b"Nikon\0\2\x10\0\0" + start + folder(tags, 8, order)


def olympus_note(order: str = "<") -> bytes:
    """Olympus's note: a lens and single drive, in folders of their own."""
    start = b"OLYMPUS\0" + (b"II" if order == "<" else b"MM") + b"\3\0"
    lens_at = 12 + 2 + 2 * 12 + 4
    lens = folder({0x0203: (2, b"OLYMPUS M.12-40mm F2.8\0")}, lens_at, order)
    drive_at = lens_at + len(lens)
    main = folder({0x2010: (4, lens_at), 0x2020: (4, drive_at)}, 12, order)
    return start + main + lens + folder({0x0600: (3, [0, 0])}, drive_at, order)


def panasonic_note(at: int, order: str = "<") -> bytes:
    """Panasonic's note: a lens, and a burst."""
    return b"Panasonic\0\0\0" + folder({0x2A: (3, 1), 0x51: (2, b"LUMIX G VARIO 12-35\0")}, at + 12, order)


def sony_note(at: int, order: str = "<") -> bytes:
    """Sony's note: continuous drive."""
    return b"SONY DSC \0\0\0" + folder({0xB049: (3, 2)}, at + 12, order)


def fujifilm_note() -> bytes:
    """Fujifilm's note: continuous drive, whatever the order of the rest."""
    return b"FUJIFILM" + struct.pack("<I", 12) + folder({0x1103: (4, 0x01)}, 12)


def apple_note() -> bytes:
    """An iPhone's note of a photo that is one of a burst."""
    return b"Apple iOS\0\0\1MM" + folder({0x0B: (2, b"7C0A3F2E-0001\0")}, 14, ">")


def without(tags: Tags, *left_out: int) -> Tags:
    """All but some of the tags."""
    return {tag: value for tag, value in tags.items() if tag not in left_out}


def made_by(maker: bytes, tags: Tags = MAIN) -> Tags:
    """Tags of the first folder with another maker."""
    return {**tags, MAKE: (2, maker + b"\0")}


def cr3(main: bytes, exposure: bytes, note: bytes) -> bytes:
    """A CR3 of three folders."""
    canon = box(
        b"uuid",
        bytes.fromhex("85c0b687820f11e08111f4ce462b6a48"),
        box(b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"),
        *(box(name, tiff) for name, tiff in ((b"CMT1", main), (b"CMT2", exposure), (b"CMT3", note))),
    )
    return box(b"ftyp", b"crx ", struct.pack(">I", 1), b"crx ", b"isom") + box(b"moov", canon) + box(b"mdat", bytes(64))


def one_folder(tags: Tags, order: str = "<") -> bytes:
    """A TIFF of one folder."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + folder(tags, 8, order)


def rw2(inside: bytes, outer: Tags) -> bytes:
    """A Panasonic raw photo with a JPEG inside."""
    return b"IIU\0" + write_tiff([({0x17: (3, 800), 0x2E: (7, list(inside)), **outer}, b"")])[4:]


def raf(inside: bytes) -> bytes:
    """A Fujifilm raw photo with a JPEG inside."""
    head = b"FUJIFILMCCD-RAW 0201FF383501X-T1".ljust(84, b"\0")
    end = 160 + len(inside)
    return (head + struct.pack(">6I", 160, len(inside), end, 0, end, 64)).ljust(160, b"\0") + inside + bytes(64)


def mrw(block: bytes) -> bytes:
    """A Minolta raw photo."""
    inside = b"\0PRD" + struct.pack(">I", 24) + b"21860002" + struct.pack(">4H", 64, 64, 64, 64) + bytes(8)
    inside += b"\0TTW" + struct.pack(">I", len(block)) + block
    return b"\0MRM" + struct.pack(">I", len(inside)) + inside + bytes(64)


def x3f(inside: bytes) -> bytes:
    """A Sigma raw photo with a JPEG inside."""
    head = b"FOVb" + struct.pack("<I", 0x00030000) + bytes(256)
    section = b"SECi" + struct.pack("<6I", 0x20000, 2, 18, 32, 32, 0) + inside
    listing = b"SECd" + struct.pack("<II", 0x20000, 1) + struct.pack("<II4s", len(head), len(section), b"IMA2")
    return head + section + listing + struct.pack("<I", len(head) + len(section))


def every_kind() -> Mapping[str, tuple[str, bytes]]:
    """Name for people -> name of the file, and the file."""
    block = exif()
    lens, iso = 0xA434, 0x8827
    canon = exif(made_by(b"Canon"), without(EXPOSURE, lens, iso), canon_note(16), lead=b"CR\2\0\0\0\0\0")
    canon_inside = one_folder({1: (3, [34, *[0] * 4, 1, *[0] * 10, 0]), 0x95: (2, b"RF35mm F1.8 MACRO IS STM\0")})
    rw2_inside = jpeg(exif(made_by(b"Panasonic"), without(EXPOSURE, lens), panasonic_note(8)))
    return {
        "JPEG": ("a.jpg", jpeg(block)),
        "JPEG, EXIF after large segments": ("late.jpg", jpeg(block, segment(0xEB, bytes(60_000)) * 3)),
        "JPEG, EXIF after a fill byte": ("fill.jpg", jpeg(block, b"\xff")),
        "PNG": ("a.png", png(block)),
        "PNG, raw profile": ("profile.png", png_profile(block)),
        "WebP": ("a.webp", webp(block)),
        "TIFF": ("a.tif", block),
        "BigTIFF": ("big.tif", big_exif()),
        "HEIC": ("a.heic", heif(block)),
        "AVIF": ("a.avif", heif(block, b"avif")),
        "JPEG 2000": ("a.jp2", jp2(block)),
        "PSD": ("a.psd", psd_with(block)),
        "DNG": ("a.dng", exif({**MAIN, 50706: (1, [1, 4, 0, 0])})),
        "CR2": ("a.cr2", canon),
        "CR3": ("a.cr3", cr3(one_folder(made_by(b"Canon")), one_folder(without(EXPOSURE, lens)), canon_inside)),
        "NEF": ("a.nef", exif(made_by(b"NIKON CORPORATION"), without(EXPOSURE, lens, iso), nikon_note())),
        "ARW": ("a.arw", exif(made_by(b"SONY"), EXPOSURE, sony_note(8))),
        "ORF": ("a.orf", b"IIRO" + exif(made_by(b"OLYMPUS CORPORATION"), without(EXPOSURE, lens), olympus_note())[4:]),
        "RW2": ("a.rw2", rw2(rw2_inside, made_by(b"Panasonic", without(MAIN, SOFTWARE)))),
        "RAF": ("a.raf", raf(jpeg(exif(made_by(b"FUJIFILM"), EXPOSURE, fujifilm_note())))),
        "PEF": ("a.pef", exif(made_by(b"PENTAX"), EXPOSURE, order=">")),
        "MRW": ("a.mrw", mrw(exif(made_by(b"Minolta"), order=">"))),
        "X3F": ("a.x3f", x3f(jpeg(exif(made_by(b"SIGMA"))))),
    }

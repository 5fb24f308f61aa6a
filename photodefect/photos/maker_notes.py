"""The few things that are wanted of makers' own notes: lens, ISO speed and drive, where standard EXIF lacks them.

What is where is documented by https://exiftool.org/TagNames/. Notes are folders of a TIFF with a beginning of the
maker's; programs that write EXIF data in the other byte order leave them as they are.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from photodefect.photos.rationed import rationed
from photodefect.photos.tiff_folders import Entry, Folders, Order

Drive = Literal["single", "continuous"]

_EXIF_FOLDER, _MAKE, _MAKER_NOTE = 0x8769, 0x010F, 0x927C
_LONGEST: Final = 200
"""Bytes of a text that are looked at."""


@dataclass
class MakerNotes:
    """What a maker's notes say; None where they don't.

    Attributes:
        lens: its name.
        iso: ISO speed.
        drive: what the camera does while the shutter is held down.
        burst: the photo is one of a burst.
    """

    lens: str | None = None
    iso: int | None = None
    drive: Drive | None = None
    burst: bool = False


def read_maker_notes(file: BinaryIO, ration: int) -> MakerNotes:
    """The maker's notes in EXIF data.

    Never raises: of what is damaged nothing is said.

    Args:
        file: EXIF data, as a TIFF.
        ration: bytes that may be read of it.
    """
    notes = MakerNotes()
    with contextlib.suppress(*_DAMAGED):
        folders = Folders(rationed(file, ration))
        first = folders.first()
        exposure = folders.sub_folder(first[_EXIF_FOLDER]) if _EXIF_FOLDER in first else first
        maker = folders.data(first[_MAKE], _LONGEST).lower() if _MAKE in first else b""
        note = exposure[_MAKER_NOTE]
        start = folders.data(note, 16)
        for beginning, make, read in _MAKERS:
            if start.startswith(beginning) and make in maker:
                read(notes, folders, note.at, start)
                break
    return notes


def read_canon_note(file: BinaryIO, ration: int) -> MakerNotes:
    """Canon's notes where they are a TIFF of their own. Never raises."""
    notes = MakerNotes()
    with contextlib.suppress(*_DAMAGED):
        folders = Folders(rationed(file, ration))
        _canon_folder(notes, folders, folders.first())
    return notes


_DAMAGED: Final = (EOFError, OSError, LookupError, ValueError, ArithmeticError, TypeError, struct.error)

_Reader = Callable[[MakerNotes, Folders, int, bytes], None]


def _ordered(folders: Folders, at: int) -> Folders:
    """The same with the order of bytes that a folder has: a count of tags is small."""
    other: Order = ">" if folders.order == "<" else "<"
    (count,) = struct.unpack(f"{folders.order}H", folders.bytes_at(at, 2))
    return folders.rebased(folders.base, folders.order if count < 256 else other)


def _canon(notes: MakerNotes, folders: Folders, at: int, _start: bytes) -> None:
    folders = _ordered(folders, at)
    _canon_folder(notes, folders, folders.folder(at))


_CANON_CONTINUOUS: Final = frozenset((1, 3, 4, 5, 8, 10))
_CANON_SPEEDS: Final = {16: 50, 17: 100, 18: 200, 19: 400}


def _canon_folder(notes: MakerNotes, folders: Folders, folder: Mapping[int, Entry]) -> None:
    notes.lens = _text(folders, folder, 0x95)
    settings, shot = _numbers(folders, folder, 1), _numbers(folders, folder, 4)
    if len(settings) > 5:
        notes.drive = "continuous" if settings[5] in _CANON_CONTINUOUS else "single"
    speed = settings[16] if len(settings) > 16 else 0
    if speed & 0x4000:
        notes.iso = speed & 0x3FFF
    elif speed in _CANON_SPEEDS:
        notes.iso = _CANON_SPEEDS[speed]
    elif len(shot) > 2 and 0 < shot[2] < 1000:  # in 32nds of a doubling: the base, and what automatic ISO makes of it
        notes.iso = round(100 / 32 * 2 ** (shot[2] / 32) * 2 ** (shot[1] / 32))


def _nikon(notes: MakerNotes, folders: Folders, at: int, _start: bytes) -> None:
    own = folders.rebased(at + 10, None)  # a whole TIFF
    folder = own.first()
    speeds = _numbers(own, folder, 2)
    notes.iso = speeds[1] if len(speeds) > 1 and speeds[1] else None
    modes = _numbers(own, folder, 0x89)
    notes.drive = None if not modes else "continuous" if modes[0] & 1 else "single"
    if 0x84 in folder and folder[0x84].kind == 5:
        values = struct.unpack(f"{own.order}8I", own.data(folder[0x84], 32))
        notes.lens = lens_by_numbers([values[n] / values[n + 1] if values[n + 1] else 0.0 for n in range(0, 8, 2)])


def _olympus(notes: MakerNotes, folders: Folders, at: int, start: bytes) -> None:
    if start.startswith(b"OLYMP\0"):
        return  # the old form has no lens
    own = folders.rebased(at, "<" if start[8:10] == b"II" else ">")
    folder = own.folder(at + 12)
    if 0x2010 in folder:
        notes.lens = _text(own, own.sub_folder(folder[0x2010]), 0x0203)
    if 0x2020 in folder:
        modes = _numbers(own, own.sub_folder(folder[0x2020]), 0x0600)
        notes.drive = None if not modes else "continuous" if modes[0] == 1 else "single"


def _panasonic(notes: MakerNotes, folders: Folders, at: int, _start: bytes) -> None:
    folders = _ordered(folders, at + 12)
    folder = folders.folder(at + 12)
    notes.lens = _text(folders, folder, 0x51)
    bursts = _numbers(folders, folder, 0x2A)
    notes.drive = None if not bursts else "continuous" if bursts[0] in (1, 4) else "single"


def _sony(notes: MakerNotes, folders: Folders, at: int, start: bytes) -> None:
    at += 12 if start.startswith(b"SONY") else 0
    folders = _ordered(folders, at)
    modes = _numbers(folders, folders.folder(at), 0xB049)
    notes.drive = {0: "single", 2: "continuous"}.get(modes[0] if modes else -1)  # type: ignore[assignment]


def _fujifilm(notes: MakerNotes, folders: Folders, at: int, start: bytes) -> None:
    own = folders.rebased(at, "<")  # whatever the order of the rest
    folder = own.folder(at + int.from_bytes(start[8:12], "little"))
    settings = _numbers(own, folder, 0x1103)
    notes.drive = {0: "single", 1: "continuous", 2: "continuous"}.get(  # type: ignore[assignment]
        settings[0] & 0xFF if settings else -1
    )


def _apple(notes: MakerNotes, folders: Folders, at: int, _start: bytes) -> None:
    own = folders.rebased(at, ">")
    notes.burst = _text(own, own.folder(at + 14), 0x0B) is not None


_MAKERS: Final[tuple[tuple[bytes, bytes, _Reader], ...]] = (
    (b"Nikon\0\2", b"", _nikon),
    (b"OLYMP", b"", _olympus),
    (b"Panasonic\0\0\0", b"", _panasonic),
    (b"FUJIFILM", b"", _fujifilm),
    (b"Apple iOS\0", b"", _apple),
    (b"SONY", b"", _sony),
    (b"", b"sony", _sony),
    (b"", b"canon", _canon),
)
"""How notes begin, of which maker they are, and who reads them."""


def lens_by_numbers(values: list[float]) -> str | None:
    """A lens by its shortest and longest focal length and its largest apertures at both, as in ``18-55mm f/3.5-5.6``.

    What isn't known is 0 there; without a focal length there is no name.
    """
    if len(values) != 4 or not 0 < values[0] <= values[1] < 10_000:
        return None
    focal, aperture = (
        f"{low:.4g}" if low == high or not high else f"{low:.4g}-{high:.4g}" for low, high in (values[:2], values[2:])
    )
    return f"{focal}mm f/{aperture}" if values[2] > 0 else f"{focal}mm"


def _text(folders: Folders, folder: Mapping[int, Entry], tag: int) -> str | None:
    """A text; None if it is none, as where a program has moved the notes but not what they point to."""
    if tag not in folder or folder[tag].kind not in (1, 2, 7):
        return None
    text = folders.data(folder[tag], _LONGEST).split(b"\0", 1)[0].decode("latin-1").strip()
    return text if text.isprintable() and any(map(str.isalnum, text)) else None


def _numbers(folders: Folders, folder: Mapping[int, Entry], tag: int) -> tuple[int, ...]:
    return folders.numbers(folder[tag]) if tag in folder and folder[tag].kind in (3, 4) else ()

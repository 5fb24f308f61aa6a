"""The files that heat maps become: their names, and writing them without harm to what is there."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.errors import DataError
from photodefect.heatmap.maps import HeatMap, HeatMaps
from photodefect.heatmap.overlay import overlay
from photodefect.printable import UNPRINTABLE

ImageFormat: TypeAlias = Literal["jpeg", "png"]

SUFFIXES: Final[Mapping[ImageFormat, str]] = {"jpeg": ".jpg", "png": ".png"}

JPEG_QUALITY: Final = 90
JPEG_SIDE: Final = 65_535
"""The longest side that a JPEG can have."""

SCHEMA_VERSION: Final = 1

LARGE: Final = 50_000_000
"""Pixels of a photo whose pictures are drawn one after the other."""

_RESERVED: Final = re.compile(r'[<>:"/\\|?*]')
"""What some systems don't allow in a name."""

_LONGEST: Final = 180
"""Bytes of a photo's name that are kept: with what comes behind, a name must stay under 255."""


@dataclass(frozen=True)
class Wanted:
    """Which files a photo shall get.

    Attributes:
        defects: keys of the maps.
        overlays: a picture of each map over the photo.
        panel: one picture of everything.
        raw: each map's bare values.
        image_format: of the pictures.
    """

    defects: Sequence[str]
    overlays: bool = True
    panel: bool = True
    raw: bool = False
    image_format: ImageFormat = "jpeg"

    def files(self, base: Path) -> dict[str, Path]:
        """Where each goes.

        Args:
            base: folder and beginning of the names, from :func:`base_names`.

        Returns:
            Path by what it is: ``panel``, ``<key>``, ``<key>.npy`` and ``<key>.json``.
        """
        suffix = SUFFIXES[self.image_format]
        names = {"panel": f"panel{suffix}"} if self.panel else {}
        if self.overlays:
            names |= {key: f"{key}{suffix}" for key in self.defects}
        if self.raw:
            names |= {f"{key}{end}": f"{key}{end}" for key in self.defects for end in (".npy", ".json")}
        return {what: base.with_name(f"{base.name}-{name}") for what, name in names.items()}


def base_names(photos: Sequence[str]) -> list[Path]:
    """A relative path for each photo that the names of its files begin with; no two are the same.

    It mirrors the folders below the one that all photos have in common, so that photos of the same name don't meet.
    Two in one folder that differ in their ending only (or in a way that some file systems don't see) keep the ending
    or get a number. Characters that could do harm in a terminal or aren't allowed on some systems become ``_``.
    """
    # Not resolved: a link stays where the person put it.
    absolute = [Path(os.path.abspath(photo)) for photo in photos]  # noqa: PTH100
    shared = _shared_folder(absolute)
    taken: set[str] = set()
    names = []
    for path in absolute:
        parts = path.parent.relative_to(shared).parts if shared is not None else path.parent.parts
        folder = Path(*(_safe(part) for part in parts)) if parts else Path()
        stem, whole = _safe(path.stem), _safe(path.name)
        number = 1
        name = stem
        while str(folder / name).casefold() in taken:
            name = whole if number == 1 else f"{whole}-{number}"
            number += 1
        taken.add(str(folder / name).casefold())
        names.append(folder / name)
    return names


def check_files(files: Iterable[Path], originals: Iterable[str], *, force: bool) -> None:
    """Refuse to write before any work is done for it.

    Args:
        files: what would be written.
        originals: photos; none of them may be written to, ``force`` or not.
        force: other files may be replaced.

    Raises:
        DataError: a file is there already, or is one of the photos.
    """
    there = [path for path in files if os.path.lexists(path)]
    if not there:
        return
    kept = {os.path.realpath(photo) for photo in originals}
    for path in there:
        if os.path.realpath(path) in kept:
            raise DataError(f"{path} is one of the photos; originals are never written to")
    if not force:
        more = f", and {len(there) - 1} more" if len(there) > 1 else ""
        raise DataError(f"{there[0]} is there already{more}; --force replaces them" if more else _is_there(there[0]))


def write_files(
    wanted: Wanted,
    files: Mapping[str, Path],
    pixels: NDArray[np.uint8],
    made: HeatMaps,
    panel: Image.Image | None,
    *,
    photo: str,
    force: bool = False,
    threads: int = 1,
) -> None:
    """Write what is wanted of one photo.

    Args:
        wanted: which files.
        files: where they go, from :meth:`Wanted.files`.
        pixels: (H, W, 3) uint8 sRGB, the photo.
        made: its maps.
        panel: its panel, if one is wanted.
        photo: its path, as it was given.
        force: replace files that are there.
        threads: pictures drawn at the same time; one for a large photo, to spare memory.

    Raises:
        DataError: as :func:`write_picture`.
        OSError: a file can't be written.
    """
    if panel is not None:
        write_picture(files["panel"], panel, wanted.image_format, force=force)

    def write(heatmap: HeatMap) -> None:
        if wanted.raw:
            write_raw(files, heatmap, made, photo, force=force)
        if wanted.overlays:
            picture = Image.fromarray(overlay(pixels, heatmap))
            write_picture(files[heatmap.key], picture, wanted.image_format, force=force)

    with ThreadPoolExecutor(1 if made.width * made.height > LARGE else threads, "picture") as pool:
        list(pool.map(write, made.maps.values()))


def write_picture(path: Path, picture: Image.Image, image_format: ImageFormat, *, force: bool = False) -> None:
    """Write a picture.

    Args:
        path: of the file; its folder is made.
        picture: RGB.
        image_format: of the file.
        force: replace a file that is there.

    Raises:
        DataError: the file is there already, or the picture is too large for the format.
        OSError: it can't be written.
    """
    if image_format == "jpeg" and max(picture.size) > JPEG_SIDE:
        raise DataError(f"{path}: a side of more than {JPEG_SIDE:,} pixels doesn't fit into a JPEG; take --format png")
    encoded = io.BytesIO()
    if image_format == "jpeg":
        picture.save(encoded, "JPEG", quality=JPEG_QUALITY)
    else:
        # Beyond level 1 it takes twice the time to save a tenth.
        picture.save(encoded, "PNG", compress_level=1)
    write_bytes(path, encoded.getbuffer(), force=force)


def write_raw(files: Mapping[str, Path], heatmap: HeatMap, made: HeatMaps, photo: str, *, force: bool = False) -> None:
    """Write a map's values as ``.npy``, and what they mean as ``.json``.

    Args:
        files: from :meth:`Wanted.files`.
        heatmap: the map.
        made: the maps that it is one of.
        photo: path of the photo, as it was given.
        force: replace files that are there.

    Raises:
        DataError: a file is there already.
        OSError: it can't be written.
    """
    values = io.BytesIO()
    np.save(values, np.ascontiguousarray(heatmap.severity, dtype=np.float32))
    write_bytes(files[f"{heatmap.key}.npy"], values.getbuffer(), force=force)
    model = {"name": made.model.name, "sha256": made.model.sha256}
    facts = {"schema_version": SCHEMA_VERSION, "photo": photo} | heatmap.facts() | {"model": model}
    text = json.dumps(facts, indent=1) + "\n"
    write_bytes(files[f"{heatmap.key}.json"], text.encode("ascii"), force=force)


def write_bytes(path: Path, data: bytes | memoryview, *, force: bool = False) -> None:
    """Write a file that is whole or not there; its folder is made.

    Raises:
        DataError: it is there already and ``force`` is not set.
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with part.open("xb") as stream:
            stream.write(data)
        if force:
            part.replace(path)
        else:
            _rename_to_new(part, path)
    finally:
        part.unlink(missing_ok=True)


def _rename_to_new(part: Path, path: Path) -> None:
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(part, path)
    except FileExistsError as error:
        raise DataError(_is_there(path)) from error
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise DataError(_is_there(path)) from None
        part.replace(path)


def _is_there(path: Path) -> str:
    return f"{path} is there already; --force replaces it"


def _shared_folder(paths: Sequence[Path]) -> Path | None:
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # on several drives
        return None


def _safe(name: str) -> str:
    """A part of a path without what could do harm."""
    clean = _RESERVED.sub("_", UNPRINTABLE.sub("_", name))
    clean = clean.encode("utf-8")[:_LONGEST].decode("utf-8", errors="ignore")
    return clean if clean.strip(". ") else "_" * max(1, len(clean))

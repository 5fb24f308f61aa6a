"""The files of heat maps: what they are called, and writing them without overwriting what is there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photodefect.core.reduced import Reduced
from photodefect.errors import DataError
from photodefect.heatmap.heat_map import HeatMap, HeatMaps
from photodefect.heatmap.overlay import lay_over
from photodefect.heatmap.panel import panel
from photodefect.photos.places import HEAT_MAP_MARK
from photodefect.printable import UNPRINTABLE

ImageFormat: TypeAlias = Literal["jpeg", "png"]

SUFFIXES: Final[Mapping[ImageFormat, str]] = {"jpeg": ".jpg", "png": ".png"}

JPEG_QUALITY: Final = 90
JPEG_SIDE: Final = 65_535
"""The longest side that a JPEG can have."""

OVERLAY_SIDE: Final = 2048
"""Long side in pixels that an overlay has at most, unless it is wanted in the photo's size."""

SCHEMA_VERSION: Final = 1

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
        full_size: overlays have the photo's size, not at most :data:`OVERLAY_SIDE` pixels.
        image_format: of the pictures.
    """

    defects: Sequence[str]
    overlays: bool = False
    panel: bool = True
    raw: bool = False
    full_size: bool = False
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
    reduced: Reduced,
    made: HeatMaps,
    severity: Mapping[str, float] | None,
    *,
    photo: str,
) -> list[str]:
    """Write what is wanted of one photo.

    Args:
        wanted: which files.
        files: where they go; of the keys of :meth:`Wanted.files`. None of them is there.
        reduced: makes smaller pictures of the photo.
        made: its maps.
        severity: of the photo, by defect key, for the panel.
        photo: its path, as it was given.

    Returns:
        Keys of the files that were written: those of a defect that has no map are not.

    Raises:
        DataError: as :func:`write_picture`.
        OSError: a file can't be written.
    """
    written = []
    if wanted.panel:
        size = f"{made.width} x {made.height} pixels, model {made.model.name}"
        picture = panel(reduced, made, severity, title=Path(photo).name, note=size)
        write_picture(files["panel"], picture, wanted.image_format)
        written.append("panel")
    if wanted.overlays and made.maps:
        side = reduced.size if wanted.full_size else reduced.within(OVERLAY_SIDE)
        grey = reduced.image(side, mode="L")
        for key, heatmap in made.maps.items():
            write_picture(files[key], lay_over(grey, heatmap), wanted.image_format)
            written.append(key)
    if wanted.raw:
        for key, heatmap in made.maps.items():
            write_raw(files, heatmap, made, photo)
            written += [f"{key}.npy", f"{key}.json"]
    return written


def write_picture(path: Path, picture: Image.Image, image_format: ImageFormat) -> None:
    """Write a picture, which says that it is a heat map: no walk takes it for a photo.

    Args:
        path: of the file, which is not there.
        picture: RGB or YCbCr.
        image_format: of the file.

    Raises:
        DataError: the picture is too large for the format.
        OSError: it can't be written.
    """
    if image_format == "jpeg" and max(picture.size) > JPEG_SIDE:
        raise DataError(f"a side of more than {JPEG_SIDE:,} pixels doesn't fit into a JPEG; take --format png")
    with path.open("xb") as stream:
        if image_format == "jpeg":
            picture.save(stream, "JPEG", quality=JPEG_QUALITY, comment=HEAT_MAP_MARK)
        else:
            # Beyond level 1 it takes twice the time to save a tenth.
            mark = PngInfo()
            mark.add_text("Comment", HEAT_MAP_MARK)
            picture.convert("RGB").save(stream, "PNG", compress_level=1, pnginfo=mark)


def write_raw(files: Mapping[str, Path], heatmap: HeatMap, made: HeatMaps, photo: str) -> None:
    """Write a map's values as ``.npy``, and what they mean as ``.json``.

    Args:
        files: as of :func:`write_files`.
        heatmap: the map.
        made: the maps that it is one of.
        photo: path of the photo, as it was given.

    Raises:
        OSError: a file can't be written.
    """
    with files[f"{heatmap.key}.npy"].open("xb") as stream:
        np.save(stream, np.ascontiguousarray(heatmap.severity, dtype=np.float32))
    model = {"name": made.model.name, "sha256": made.model.sha256}
    facts = {"schema_version": SCHEMA_VERSION, "photo": photo} | heatmap.facts() | {"model": model}
    with files[f"{heatmap.key}.json"].open("x", encoding="ascii", newline="\n") as text:
        text.write(json.dumps(facts, indent=1) + "\n")


def publish(part: Path, target: Path, *, force: bool = False) -> None:
    """Give a file that is written its name.

    Args:
        part: the file, beside its target.
        target: its name.
        force: replace a file that is there.

    Raises:
        DataError: it is there already and ``force`` is not set.
        OSError: it can't be renamed.
    """
    if force:
        part.replace(target)
        return
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(part, target)
    except FileExistsError as error:
        raise DataError(_is_there(target)) from error
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise DataError(_is_there(target)) from None
        part.replace(target)
    else:
        part.unlink()


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

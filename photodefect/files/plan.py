"""The plan of a transfer: which file goes where. Nothing is changed, and what can be refused is refused beforehand."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from photodefect.errors import DataError, TransferError
from photodefect.files.companions import TAKEOUT_MARK, CompanionIndex, described_photos, stem_keys
from photodefect.files.fingerprint import Fingerprint, fingerprint, sha256_of
from photodefect.photos.shots import name_key, shot_key, shot_stem
from photodefect.printable import printable

Mode: TypeAlias = Literal["copy", "link", "move"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(frozen=True)
class Action:
    """One file's way.

    Attributes:
        mode: ``copy``, ``link`` or ``move``.
        source: the file, absolute.
        target: what it becomes, absolute.
        fingerprint: what the source looked like when the plan was made.
        text: what a link points to, absolute; None unless ``mode`` is ``link``.
    """

    mode: Mode
    source: Path
    target: Path
    fingerprint: Fingerprint
    text: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A photo that stays where it is.

    Attributes:
        path: the photo.
        reason: why.
        needless: nothing need be done, rather than can't.
    """

    path: Path
    reason: str
    needless: bool = False


@dataclass(frozen=True)
class TransferPlan:
    """What would be done.

    Attributes:
        mode: ``copy``, ``link`` or ``move``.
        target: the folder that files go to, absolute.
        groups: files that belong together and go together or not at all; photos first.
        skipped: photos for which nothing can or need be done.
    """

    mode: Mode
    target: Path
    groups: tuple[tuple[Action, ...], ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def actions(self) -> tuple[Action, ...]:
        """All files' ways."""
        return tuple(action for group in self.groups for action in group)

    def lines(self) -> Iterator[str]:
        """The plan for people: a line a file, safe for a terminal."""
        for action in self.actions:
            yield printable(f"{action.mode} {action.source} -> {action.target}")
        for skipped in self.skipped:
            yield printable(f"skip {skipped.path}: {skipped.reason}")


def plan_transfer(
    photos: Iterable[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    mode: Mode = "copy",
    *,
    roots: Iterable[str | os.PathLike[str]] = (),
    base: str | os.PathLike[str] | None = None,
) -> TransferPlan:
    """Plan to copy, link or move photos with their companions into a folder.

    Files that share a stem in one folder share a fate: they go together, and where the target has something of that
    stem already (so that a stranger's sidecar or twin would seem to belong to the photo) all are numbered alike,
    ``IMG_1 (2).jpg`` and ``IMG_1 (2).xmp``. What a copy or link was made of before is not made again.

    Args:
        photos: files; given twice, once is enough.
        target: the folder; it need not be there.
        mode: ``copy``; ``link`` for symbolic links; ``move``.
        roots: the folders that were searched for the photos. The target must not lie in them nor in the photos' own
            folders, nor they in it: the next search would find its own results.
        base: keep the folders below this one, instead of putting all files into ``target`` itself.

    Raises:
        DataError: the target is no folder, or it and the photos' folder lie in each other.
        TransferError: the target is read-only or too small, or photos are to be moved out of a read-only folder.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, not one of {', '.join(MODES)}")
    folder = _absolute(target)
    given = list(dict.fromkeys(_absolute(photo) for photo in photos))
    searched = dict.fromkeys(_absolute(root) for root in roots)
    # Photos may lie elsewhere than where was searched: a list was given too, or a folder is a link.
    _refuse_target(folder, list(searched | dict.fromkeys(photo.parent for photo in given)))
    _refuse_unwritable(folder)
    planner = _Planner(folder, mode, None if base is None else _absolute(base))
    plan = planner.plan(given)
    if plan.groups:
        _refuse_full(plan)
        if mode == "move":
            for parent in sorted({action.source.parent for action in plan.actions}):
                _refuse_taking_from(parent)
    return plan


class _Planner:
    def __init__(self, folder: Path, mode: Mode, base: Path | None) -> None:
        self._folder = folder
        self._mode = mode
        self._base = base
        self._index = CompanionIndex()
        self._photos: set[Path] = set()
        self._skipped: list[Skipped] = []
        self._taken: dict[Path, set[str]] = {}

    def plan(self, photos: Sequence[Path]) -> TransferPlan:
        self._photos.update(photos)
        groups = []
        for sources in self._units(photos):
            group = self._group(sources)
            if group:
                groups.append(group)
        return TransferPlan(self._mode, self._folder, tuple(groups), tuple(self._skipped))

    def _units(self, photos: Sequence[Path]) -> list[list[tuple[Path, Fingerprint]]]:
        """The files that share a stem, with their fingerprints; photos that can't go are noted as skipped."""
        units: dict[tuple[Path, str, int], dict[Path, Fingerprint]] = defaultdict(dict)
        assigned: set[Path] = set()
        namesakes: dict[Path, Path] = {}
        for photo in photos:
            if photo in assigned:
                continue
            key = (photo.parent, shot_key(photo.stem), 0)
            for number in count(1):
                if name_key(photo.name) not in {name_key(path.name) for path in units[key]}:
                    break
                key = (photo.parent, photo.stem, number)  # differs in nothing but case: a shot of its own
            files = {name_key(path.name): path for path in (*units[key], photo)}
            try:
                for path in self._index.companions(photo):
                    if path not in assigned and files.setdefault(name_key(path.name), path) != path:
                        namesakes[path] = files[name_key(path.name)]  # it goes with a shot of its own, if with any
                units[key] |= {path: self._look(path) for path in files.values() if path not in assigned}
            except OSError as error:
                self._skipped.append(Skipped(photo, f"it is out of reach: {error.strerror or error}"))
            except _UnfitError as error:
                self._skipped.append(Skipped(photo, str(error)))
            else:
                assigned.update(files.values())
        for path, other in namesakes.items():
            if path not in assigned and path not in self._photos:
                self._skipped.append(Skipped(path, f"its name differs from {other.name} in nothing but case"))
        return [list(unit.items()) for unit in units.values() if unit]

    def _look(self, path: Path) -> Fingerprint:
        if self._mode == "move" and path.is_symlink():
            raise _UnfitError(f"{path.name} is a symbolic link, which may point nowhere from there; copy or link it")
        current = fingerprint(path)
        if current is None:
            raise _UnfitError("it is gone" if not path.exists() else "it is not a file")
        return current

    def _group(self, sources: list[tuple[Path, Fingerprint]]) -> tuple[Action, ...]:
        first = sources[0][0]
        folder = self._target_folder(first)
        stem = shot_stem(first.stem)
        for number in count(1):
            names = _numbered([path.name for path, _ in sources], stem, number)
            group = tuple(
                self._action(path, folder / name, current) for (path, current), name in zip(sources, names, strict=True)
            )
            keys = {shot_key(f"{stem} ({number})" if number > 1 else stem)} | {name_key(name) for name in names}
            if not keys & self._taken_in(folder):
                self._taken[folder] |= keys | {key for name in names for key in stem_keys(name)}
                return group
            if all(_is_there(action) for action in group):
                already = {path: action.target for (path, _), action in zip(sources, group, strict=True)}
                self._skipped += [
                    Skipped(path, f"{target} is it already", needless=True)
                    for path, target in already.items()
                    if path in self._photos or path == first
                ]
                return ()
        raise AssertionError("numbers never end")

    def _action(self, source: Path, target: Path, current: Fingerprint) -> Action:
        return Action(self._mode, source, target, current, str(source) if self._mode == "link" else None)

    def _target_folder(self, photo: Path) -> Path:
        if self._base is None or not photo.is_relative_to(self._base):
            return self._folder
        return self._folder / photo.parent.relative_to(self._base)

    def _taken_in(self, folder: Path) -> set[str]:
        """Names and stems in a target folder that are spoken for."""
        if folder not in self._taken:
            try:
                names = os.listdir(folder)  # noqa: PTH208  names suffice
            except (FileNotFoundError, NotADirectoryError):
                names = []
            except OSError as error:
                raise TransferError(f"{folder}: the target can't be read: {error.strerror or error}") from error
            self._taken[folder] = {key for name in names for key in (name_key(name), *stem_keys(name))}
        return self._taken[folder]


class _UnfitError(Exception):
    """A photo can't go; says why."""


def _numbered(names: Sequence[str], stem: str, number: int) -> list[str]:
    """The names of a group with a number after their stem, so that they still belong together.

    Args:
        names: the photo's first.
        stem: what they begin with, in whatever spelling, but for some of Takeout's, whose number or end is elsewhere:
            these get the form that says in full whose they are.
        number: 1 for none.
    """
    if number == 1:
        return list(names)
    made: dict[str, str] = {}
    wanted = shot_key(stem)
    for name in names:
        # Letters may have several others for their other case: the end of the stem is not at its length.
        end = next((end for end in range(1, len(name)) if shot_key(name[:end]) == wanted), None)
        if end is not None:
            made[name] = f"{name[:end]} ({number}){name[end:]}"
    for name in names:
        if name not in made:
            owner = next((owner for owner in described_photos(name) if owner in made), names[0])
            ways = (f"{made[owner]}.{TAKEOUT_MARK[:end]}.json" for end in range(len(TAKEOUT_MARK), 0, -1))
            made[name] = next(way for way in ways if way not in made.values())
    return [made[name] for name in names]


def _is_there(action: Action) -> bool:
    """Whether a copy or a link was made before and is as it would become."""
    try:
        if action.mode == "link":
            return action.target.is_symlink() and str(action.target.readlink()) == action.text
        if action.mode == "move":
            return False
        there = fingerprint(action.target)
        if there is None or there.size != action.fingerprint.size:
            return False
        return sha256_of(action.target) == sha256_of(action.source.resolve())
    except OSError:
        return False  # then it isn't known to be there, and a number does no harm


def _absolute(path: str | os.PathLike[str]) -> Path:
    # Not resolved: links in a path are the person's own way of naming things.
    return Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow links


def _refuse_target(folder: Path, roots: Sequence[Path]) -> None:
    if not folder.is_dir() and os.path.lexists(folder):
        raise DataError(f"{folder} is not a folder, so no photos can be put there")
    target_line = _lineage(folder)
    for root in roots:
        if not root.is_dir():
            continue  # the photos that were named in there are told of elsewhere
        root_line = _lineage(root)
        if root_line and root_line[0] in target_line:
            where = "is" if root_line[0] == target_line[0] and folder.is_dir() else "lies in"
            raise DataError(
                f"the target {folder} {where} the photos' folder {root}; the next run would take its own results for "
                "photos. Give a folder outside"
            )
        if folder.is_dir() and target_line[0] in root_line:
            raise DataError(f"the photos' folder {root} lies in the target {folder}; give a folder of its own")


def _lineage(folder: Path) -> list[tuple[int, int]]:
    """Device and inode of a folder and those above it that are there; names may lie, by links and by case."""
    real = folder.resolve()
    line = []
    for ancestor in (real, *real.parents):
        try:
            status = ancestor.stat()
        except OSError:
            continue
        line.append((status.st_dev, status.st_ino))
    return line


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(ancestor for ancestor in (folder, *folder.parents) if os.path.lexists(ancestor))


def _refuse_unwritable(folder: Path) -> None:
    nearest = _nearest(folder)
    if not nearest.is_dir():
        raise DataError(f"{nearest} is not a folder, so {folder} can't be made")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise TransferError(f"{nearest}: no permission to write there; give another target")


def _refuse_taking_from(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TransferError(f"{folder}: photos can't be moved away from there, it is read-only; copy or link instead")


def _refuse_full(plan: TransferPlan) -> None:
    nearest = _nearest(plan.target)
    device = nearest.stat().st_dev
    moving = plan.mode == "move"
    needed = sum(
        action.fingerprint.size
        for action in plan.actions
        if plan.mode == "copy" or (moving and action.source.stat().st_dev != device)
    )
    free = shutil.disk_usage(nearest).free
    if needed > free:
        raise TransferError(
            f"{plan.target}: {_size(needed)} are needed and {_size(free)} free; make room or give another target"
        )


def some_files(number: int) -> str:
    """``1 file``, ``2 files``."""
    return "1 file" if number == 1 else f"{number} files"


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"

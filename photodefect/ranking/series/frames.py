"""Frames in the order in which they were taken, and what lies between one and the next."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Final

from photodefect.photos.names import natural_key
from photodefect.photos.shots import shots
from photodefect.ranking.series.intervals import timed
from photodefect.ranking.series.likeness import FAR, Likeness, compare
from photodefect.ranking.series.miniature import Miniatures, read_miniatures
from photodefect.records import Capture, Diagnosis

SEQUENCE_GAP_S: Final = 10.0
"""Seconds between two photos of a bracket, a stack or a panorama, at most: a person turns a dial or the camera."""

_LONGEST_S: Final = 3600.0


@dataclass(frozen=True)
class Frame:
    """One shot: a photo, or a raw file and what was developed from it.

    Attributes:
        members: indexes of its photos.
        folder: where they lie.
        place: of the shot among those of its folder, in the natural order of their names.
        capture: how it was taken.
        time: when it began by the camera's clock; its offset from UTC doesn't change within a series.
        crowd: shots of that camera and folder within the same second of the clock, if the clock has no fractions.
        round_about: the photo shows all directions, as of a camera with two lenses back to back.
    """

    members: tuple[int, ...]
    folder: str
    place: int
    capture: Capture
    time: datetime | None
    crowd: int = 1
    round_about: bool = False

    @property
    def shutter_s(self) -> float:
        """Exposure time in seconds; 0 if it isn't known, and never longer than an hour."""
        return min(self.capture.shutter_s or 0.0, _LONGEST_S)

    @property
    def exposure(self) -> float | None:
        """How much light the sensor was given, in exposure values; None if it isn't known."""
        capture = self.capture
        if not capture.shutter_s:
            return None
        return math.log2(capture.shutter_s * (capture.iso or 100) / (capture.aperture or 1.0) ** 2)

    @property
    def settings(self) -> tuple[float | None, float | None, int | None]:
        """Shutter time, aperture and ISO speed."""
        return self.capture.shutter_s, self.capture.aperture, self.capture.iso


@dataclass(frozen=True)
class Step:
    """From one frame to the next of the same camera and folder.

    Attributes:
        before: the one.
        after: the other.
        interval: seconds from start to start; None if a clock is missing, and then they are neighbours by name.
        pause: seconds from the end of the first exposure to the start of the second.
        at_most: seconds from start to start, if the clock leaves out fractions.
        timed: a timer made the interval.
        structure: and the others: :class:`~photodefect.ranking.series.likeness.Likeness` of the two.
        shift: rows and columns.
        brightness: exposure values.
        tones: levels.
        colours: levels.
        contrast: levels.
    """

    before: Frame
    after: Frame
    interval: float | None
    pause: float | None
    at_most: float
    timed: bool = False
    structure: float = 0.0
    shift: tuple[int, int] = (0, 0)
    brightness: float = 0.0
    tones: float = 0.0
    colours: float = 0.0
    contrast: float = 0.0

    @property
    def moved(self) -> int:
        """Pixels of a miniature by which the scene moved, along the axis where it moved further."""
        return max(abs(self.shift[0]), abs(self.shift[1]))

    def within(self, gap_s: float) -> bool:
        """Whether the second followed soon enough; of photos without time nobody knows better."""
        return self.pause is None or self.pause <= gap_s


@dataclass(frozen=True)
class Roll:
    """All frames of a folder that can be compared.

    Attributes:
        frames: sorted by folder, camera and time.
        steps: by index of a frame, the step to the one after it, where the two may belong together.
        miniatures: of the frames.
    """

    frames: Sequence[Frame]
    steps: Mapping[int, Step]
    miniatures: Miniatures

    def runs(self, free: Sequence[bool], linked: Callable[[Step], bool]) -> list[range]:
        """The longest runs of two and more free frames of which each is linked to the next."""
        found = []
        start = 0
        for index in range(len(self.frames)):
            step = self.steps.get(index)
            if step is not None and free[index] and free[index + 1] and linked(step):
                continue
            if index > start:
                found.append(range(start, index + 1))
            start = index + 1
        return found

    def compared(self, first: Sequence[int], second: Sequence[int]) -> Likeness:
        """How frames compare with others."""
        return compare(self.miniatures[first], self.miniatures[second])


def read_roll(photos: Sequence[Diagnosis], miniatures: Mapping[str, str], gap_s: float) -> Roll:
    """The frames of a folder.

    Args:
        photos: of the folder.
        miniatures: of :func:`~photodefect.ranking.series.miniature.measure_miniature`, by path; a photo that isn't
            there belongs to no series.
        gap_s: seconds between photos that are compared, at least; more where intervals are equal.
    """
    frames = _frames(photos, miniatures)
    seen = read_miniatures([_miniature(frame, photos, miniatures) for frame in frames])
    steps = {index: step for index in range(len(frames) - 1) if (step := _step(*frames[index : index + 2]))}
    timed_steps = _timed(steps, len(frames) - 1)
    steps |= {index: replace(steps[index], timed=True) for index in timed_steps}
    reach = max(gap_s, SEQUENCE_GAP_S)
    near = [index for index, step in steps.items() if step.timed or _is_near(step, reach)]
    found = compare(seen[near], seen[[index + 1 for index in near]])
    whole = {index: _with(steps[index], found, row) for row, index in enumerate(near)}
    # What has hardly anything in common at small shifts may be the next part of a panorama.
    apart = [index for index in near if _may_turn(whole[index])]
    turned = compare(seen[apart], seen[[index + 1 for index in apart]], FAR)
    whole |= {index: _with(steps[index], turned, row) for row, index in enumerate(apart)}
    return Roll(frames, whole, seen)


def _frames(photos: Sequence[Diagnosis], miniatures: Mapping[str, str]) -> list[Frame]:
    names = shots(photo.path for photo in photos)
    twins: dict[str, list[int]] = defaultdict(list)
    for index, photo in enumerate(photos):
        twins[names[photo.path]].append(index)
    folders: dict[str, list[str]] = defaultdict(list)
    for name in twins:
        folders[str(PurePath(name).parent)].append(name)
    frames = []
    for folder, shots_there in folders.items():
        for place, name in enumerate(sorted(shots_there, key=natural_key)):
            members = tuple(twins[name])
            seen = [photos[index] for index in members if photos[index].path in miniatures]
            if seen:
                frames.append(_frame(members, folder, place, seen))
    frames.sort(key=lambda it: (it.folder, it.capture.camera or "", it.time or datetime.max, it.place))
    seconds = Counter((it.folder, it.capture.camera, it.time) for it in frames)
    return [replace(it, crowd=seconds[it.folder, it.capture.camera, it.time]) for it in frames]


def _frame(members: tuple[int, ...], folder: str, place: int, seen: Sequence[Diagnosis]) -> Frame:
    timed = [photo for photo in seen if photo.capture is not None and photo.capture.time is not None]
    photo = (timed or list(seen))[0]
    capture = photo.capture or Capture()
    round_about = photo.width is not None and photo.height is not None and photo.width == 2 * photo.height
    return Frame(members, folder, place, capture, _clock(capture.time), round_about=round_about)


def _miniature(frame: Frame, photos: Sequence[Diagnosis], miniatures: Mapping[str, str]) -> str:
    return next(found for index in frame.members if (found := miniatures.get(photos[index].path)) is not None)


def _clock(time: str | None) -> datetime | None:
    try:
        return None if time is None else datetime.fromisoformat(time).replace(tzinfo=None)
    except ValueError:
        return None


def _step(before: Frame, after: Frame) -> Step | None:
    """From one frame to the next, not compared yet; None if they can't be of one series."""
    if (before.folder, before.capture.camera) != (after.folder, after.capture.camera):
        return None
    if before.time is None or after.time is None:
        neighbours = before.time is after.time is None and after.place == before.place + 1
        return Step(before, after, None, None, math.inf) if neighbours else None
    interval = (after.time - before.time).total_seconds()
    # A clock of whole seconds hides up to one more, but not within one and the same second.
    hidden = 1.0 if interval and not (before.time.microsecond or after.time.microsecond) else 0.0
    return Step(before, after, interval, interval - before.shutter_s, interval + hidden)


def _timed(steps: Mapping[int, Step], count: int) -> set[int]:
    every = [steps.get(index) for index in range(count)]
    intervals = [None if step is None else step.interval for step in every]
    return timed(intervals, [step is not None and step.interval != step.at_most for step in every])


def _is_near(step: Step, reach: float) -> bool:
    # The camera may take a second exposure as long as the first, with the shutter closed, to subtract its noise.
    return step.pause is None or step.pause <= reach + step.before.shutter_s


def _with(step: Step, found: Likeness, row: int) -> Step:
    return replace(
        step,
        structure=float(found.structure[row]),
        shift=(int(found.shift[row, 0]), int(found.shift[row, 1])),
        brightness=float(found.brightness[row]),
        tones=float(found.tones[row]),
        colours=float(found.colours[row]),
        contrast=float(found.contrast[row]),
    )


_ALIKE: Final = 0.6


def _may_turn(step: Step) -> bool:
    return step.structure < _ALIKE and step.within(SEQUENCE_GAP_S)

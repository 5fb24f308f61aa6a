"""Equal intervals between photos, by which a timer is told from a finger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

_LONGEST_S: Final = 3600.0
_SLOW_S: Final = 2.0
_FEW: Final = 4
_MANY: Final = 9
_JITTER_S: Final = 0.2
_JITTER_SHARE: Final = 0.02
_WHOLE_S: Final = 1.0


def timed(intervals: Sequence[float | None], whole: Sequence[bool]) -> set[int]:
    """Which intervals a timer made.

    Those of an hour and less that are equal to 0.2 s and 2 %: four and more in a row, or nine where they are shorter
    than two seconds, as a finger may press so often by chance. A clock of whole seconds makes equal intervals differ by
    one second: then nine are needed as well, unless they look equal even so.

    Args:
        intervals: in seconds from each photo to the next; None where they have nothing to do with each other.
        whole: by interval, whether the clock leaves out fractions of a second.

    Returns:
        Indexes of intervals.
    """
    found: set[int] = set()
    for run in _equal(intervals, whole):
        lengths = [length for index in run if (length := intervals[index]) is not None]
        unsure = max(lengths) - min(lengths) > _jitter(min(lengths)) or min(lengths) < _SLOW_S
        if len(run) >= (_MANY if unsure else _FEW):
            found.update(run)
    return found


def _equal(intervals: Sequence[float | None], whole: Sequence[bool]) -> Iterator[range]:
    """Runs of intervals that are equal as far as the clock tells."""
    start, low, high = 0, 0.0, 0.0
    for index, length in enumerate([*intervals, None]):
        if length is not None and index > start:
            lower, upper = min(low, length), max(high, length)
            if upper - lower <= max(_jitter(lower), _WHOLE_S if whole[index] else 0.0) and upper <= _LONGEST_S:
                low, high = lower, upper
                continue
        if index > start:
            yield range(start, index)
        usable = length is not None and 1.0 <= length <= _LONGEST_S
        start, low, high = (index, length or 0.0, length or 0.0) if usable else (index + 1, 0.0, 0.0)


def _jitter(length: float) -> float:
    return _JITTER_S + _JITTER_SHARE * length

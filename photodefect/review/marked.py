"""Choosing photos by their marks: what ``rank-folder --marked`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from photodefect.records import Diagnosis
from photodefect.review.marks import UNMARKED, Flag, Mark, MarkStore, Subject, taken_of


@dataclass(frozen=True)
class MarkedAs:
    """A mark that is asked for.

    Attributes:
        text: as a person writes it: ``pick``, ``reject``, ``unmarked`` or e.g. ``3+``.
        flag: that the photo must have.
        stars: that it must have at least.
    """

    text: str
    flag: Flag | None = None
    stars: int = 0

    @classmethod
    def read(cls, text: str) -> MarkedAs:
        """Read ``pick``, ``reject``, ``unmarked``, or stars such as ``3+``.

        Raises:
            ValueError: it is none of these.
        """
        if text in ("pick", "reject"):
            return cls(text, "pick" if text == "pick" else "reject")
        if text == "unmarked":
            return cls(text)
        if len(text) == 2 and text[0] in "12345" and text[1] == "+":
            return cls(text, stars=int(text[0]))
        raise ValueError(f"{text!r} is not a mark; there are pick, reject, unmarked, and 1+ to 5+")

    def fits(self, mark: Mark) -> bool:
        """Whether a mark is so. A reject with stars is no pick, and has no stars that count."""
        if self.flag is not None:
            return mark.flag == self.flag
        if self.stars:
            return mark.stars >= self.stars and mark.flag != "reject"
        return not mark

    @property
    def wants_marks(self) -> bool:
        """Whether all that fits was marked by the person."""
        return self.flag is not None or self.stars > 0

    def choose(self, paths: Iterable[str], marks: dict[str, Mark]) -> frozenset[str]:
        """The paths whose mark is so.

        Args:
            paths: of photos.
            marks: by path; a photo that isn't there has none.
        """
        return frozenset(path for path in paths if self.fits(marks.get(path, UNMARKED)))


def find_marks(diagnoses: Iterable[Diagnosis], content_of: Callable[[str], bytes | None]) -> dict[str, Mark]:
    """The marks of photos by path, without those that have none.

    Args:
        diagnoses: of the photos.
        content_of: the key of a file's content if it is known without reading the file.

    Raises:
        DataError: the file of marks can't be used.
    """
    with MarkStore() as store:
        return store.find_all(subject_of(it, content_of) for it in diagnoses)


def subject_of(diagnosis: Diagnosis, content_of: Callable[[str], bytes | None]) -> Subject:
    """A photo as marks know it; arguments as of :func:`find_marks`."""
    capture = diagnosis.capture
    taken = "" if capture is None else taken_of(capture.time, capture.camera)
    return Subject(diagnosis.path, taken, lambda: content_of(diagnosis.path))

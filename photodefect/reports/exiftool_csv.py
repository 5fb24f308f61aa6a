"""CSV for ``exiftool -csv=FILE``: the marks of :mod:`photodefect.sidecars` in standard XMP tags."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from photodefect.errors import SidecarError
from photodefect.printable import printable
from photodefect.records import Diagnosis
from photodefect.reports.csv import Lines
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.xmp import XmpDocument

SOURCE: Final = "SourceFile"
RATING: Final = "XMP-xmp:Rating"
LABEL: Final = "XMP-xmp:Label"
KEYWORDS: Final = "XMP-dc:Subject"
HIERARCHICAL_KEYWORDS: Final = "XMP-lr:HierarchicalSubject"

MOST_KEYWORDS: Final = 1000
"""A column each; nobody's photo has more."""


class ExiftoolCsvWriter:
    """Writes a row a photo about which there is something to say.

    A cell is empty, which exiftool takes for "leave it", unless the tag is to change. As exiftool replaces lists,
    keywords that are there already are given again. A list has a column an item: exiftool adds up columns of one tag,
    and needs no ``-sep``; it doesn't heed case in names of tags, but takes only one column of each spelling, so they
    are spelled differently.

    Args:
        stream: where to; opened with ``newline=""``.
        marks: what is to be said about a photo.
        target: the file that exiftool is to write for a photo, the XMP that is in it (None if the file isn't there),
            and where else the person may have said something; None if nothing is to be written for it.
        on_refused: called with the file and the reason if the XMP in it can't be read.
        overwrite: replace a person's rating and label.
    """

    def __init__(
        self,
        stream: TextIO,
        marks: Callable[[Diagnosis], Marks],
        target: Callable[[str], tuple[str, XmpDocument | None, Sources] | None],
        on_refused: Callable[[str, str], None],
        *,
        overwrite: bool = False,
    ) -> None:
        self._stream = stream
        self._marks = marks
        self._target = target
        self._on_refused = on_refused
        self._overwrite = overwrite
        self._rows: list[tuple[str, Mapping[str, list[str]]]] = []

    def write(self, photo: Diagnosis) -> None:
        """Keep one photo; how many columns there are is known when all are there."""
        if photo.error is not None:
            return
        try:
            found = self._target(photo.path)
            if found is not None:
                values = self._changes(self._marks(photo), found[1], found[2])
                if values:
                    self._rows.append((found[0], values))
        except SidecarError as error:
            self._on_refused(photo.path, str(error))

    def close(self) -> None:
        """Write all rows."""
        lists = {
            tag: spellings(tag, max((len(values.get(tag, ())) for _, values in self._rows), default=0))
            for tag in (KEYWORDS, HIERARCHICAL_KEYWORDS)
        }
        rows = csv.writer(Lines(self._stream))
        rows.writerow([SOURCE, RATING, LABEL, *(name for names in lists.values() for name in names)])
        for source, values in self._rows:
            cells = [source]
            for tag, width in ((RATING, 1), (LABEL, 1), *((tag, len(names)) for tag, names in lists.items())):
                items = values.get(tag, [])
                cells += items + [""] * (width - len(items))
            rows.writerow([printable(cell) for cell in cells] if self._stream.isatty() else cells)
        self._stream.flush()

    def _changes(self, marks: Marks, there: XmpDocument | None, sources: Sources) -> dict[str, list[str]]:
        """What is to be in each tag that changes."""
        if not (marks.worth_a_file or (there is not None and there.has_ours)):
            return {}
        document = sources.new_document() if there is None else there
        before = _tags(XmpDocument() if there is None else there)
        document.merge(marks, overwrite=self._overwrite, said=sources.said(beside_own=there is None))
        # That a tag is to go, an empty cell can't say.
        changed = {tag: values for tag, values in _tags(document).items() if values and values != before[tag]}
        if any(len(values) > MOST_KEYWORDS for values in changed.values()):
            raise SidecarError(f"it has more than {MOST_KEYWORDS} keywords")
        return changed


def spellings(tag: str, number: int) -> list[str]:
    """Different spellings of a tag, its own first, as many as asked for.

    Raises:
        ValueError: it has fewer letters than that takes.
    """
    # The letters of the name come before those of the group.
    start = tag.rpartition(":")[0]
    places = [place for place, letter in enumerate(tag) if letter.isalpha()]
    places.sort(key=lambda place: (place < len(start), place))
    if number > 2 ** len(places):
        raise ValueError(f"{tag} can't be spelled in {number} ways")
    return [_respelled(tag, places, mask) for mask in range(number)]


def _respelled(tag: str, places: list[int], mask: int) -> str:
    swapped = {place for bit, place in enumerate(places) if mask >> bit & 1}
    return "".join(letter.swapcase() if place in swapped else letter for place, letter in enumerate(tag))


def _tags(document: XmpDocument) -> dict[str, list[str]]:
    rating, label = document.rating_text, document.label
    return {
        RATING: [] if rating is None else [rating],
        LABEL: [] if label is None else [label],
        KEYWORDS: document.keywords,
        HIERARCHICAL_KEYWORDS: document.hierarchical_keywords,
    }

"""CSV of a ranking: the columns of a record, and after the path those of its place in the folder."""

from __future__ import annotations

from typing import Any, Final, TextIO

from photodefect.ranking.overall import RankedPhoto
from photodefect.records import columns, flatten
from photodefect.reports.csv import RowWriter

RANK_COLUMNS: Final = (
    "rank",
    "ranked_by",
    "value",
    "overall",
    "burst",
    "burst_kind",
    "burst_place",
    "left_out",
    "hints",
)


class RankCsvWriter:
    """Writes a header and one row a ranked photo.

    Args:
        stream: where to; opened with ``newline=""``.
        detail: with both networks' own scores and the thresholds.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        first, *rest = columns(detail)
        self._rows = RowWriter(stream, [first, *RANK_COLUMNS, *rest])

    def write(self, photo: RankedPhoto) -> None:
        """Write one row, and flush it."""
        self._rows.write(flatten(photo) | _place(photo))

    def close(self) -> None:
        """Nothing is left to write."""


def _place(photo: RankedPhoto) -> dict[str, Any]:
    ranking = photo.ranking
    if ranking is None:
        return {}
    row: dict[str, Any] = {
        "rank": ranking.rank,
        "ranked_by": ranking.by,
        "value": ranking.value,
        "overall": ranking.overall,
        "left_out": ranking.left_out,
        "hints": "; ".join(finding.hint for finding in ranking.findings if finding.hint),
    }
    if ranking.burst is not None:
        row |= {
            "burst": ranking.burst.number,
            "burst_kind": ranking.burst.kind,
            "burst_place": ranking.burst.place,
        }
    return row

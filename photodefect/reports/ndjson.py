"""Newline-delimited JSON: one record a line, flushed as soon as it is there."""

from __future__ import annotations

from typing import TextIO

from photodefect.records import Diagnosis
from photodefect.reports.json import encode


class NdjsonWriter:
    """Writes one line a record.

    Args:
        stream: where to.
        detail: with both networks' own scores.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        self._stream = stream
        self._detail = detail

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one line, and flush it."""
        self._stream.write(encode(diagnosis.to_dict(detail=self._detail)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""

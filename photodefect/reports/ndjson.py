"""Newline-delimited JSON: one record a line, flushed at once."""

from __future__ import annotations

from photodefect.records import Diagnosis
from photodefect.reports.json import RecordStream


class NdjsonWriter(RecordStream):
    """Writes one line a record."""

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one line, and flush it."""
        self.put("", diagnosis, "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""

"""JSON: one array of records, written one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from photodefect.printable import UNPRINTABLE
from photodefect.records import Diagnosis


def encode(record: Mapping[str, Any]) -> str:
    r"""One line of JSON. Letters of any script stay readable; what a terminal might act upon is escaped.

    Bytes of a file name that aren't UTF-8 are lone surrogates in Python and become escapes such as ``\udcff``, from
    which ``json.loads`` gives the same name again.
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    if text.isprintable():  # so are nearly all, and this is quicker
        return text
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class RecordStream:
    """Puts records as JSON onto a stream.

    Args:
        stream: where to.
        detail: with both networks' own scores.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        self._stream = stream
        self._detail = detail

    def put(self, before: str, diagnosis: Diagnosis, after: str = "") -> None:
        """Write one record between two texts."""
        self._stream.write(before + encode(diagnosis.to_dict(detail=self._detail)) + after)


class JsonWriter(RecordStream):
    """Writes an array with one record a line."""

    _separator = "[\n"

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one element of the array, and flush it."""
        self.put(self._separator, diagnosis)
        self._separator = ",\n"
        self._stream.flush()

    def close(self) -> None:
        """Close the array: what was written is valid JSON now, whenever that happens."""
        self._stream.write("[]\n" if self._separator == "[\n" else "\n]\n")
        self._stream.flush()

"""Text from other programs as UTF-8: byte order marks and UTF-16, in which some of them save."""

from __future__ import annotations

import codecs

_SAMPLE = 1000
"""Bytes that are looked at where no mark tells."""


def as_utf8(data: bytes) -> bytes:
    """Text as UTF-8 without a byte order mark. What is neither marked nor UTF-16 stays as it is.

    Without a mark, text is UTF-16 if most of its letters have a zero byte on one side, as those of Latin scripts do.

    Raises:
        UnicodeDecodeError: it is UTF-16 that isn't whole.
    """
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16").encode("utf-8")
    sample = data[:_SAMPLE]
    for first_byte, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = sample[first_byte::2].count(0)
        if zeros > 0.25 * len(sample) and not sample[1 - first_byte :: 2].count(0):
            return data.decode(encoding).encode("utf-8")
    return data

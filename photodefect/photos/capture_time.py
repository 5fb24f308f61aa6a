"""The time that a photo was taken, as cameras, phones, scanners and programs write it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_TIME: Final = re.compile(
    r"(?:(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})|(\d{4})(\d{2})(\d{2}))[ T]+"
    r"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,](\d+))?)?"
    r"\s*(Z|(?:GMT|UTC)?[+-]\d{1,2}(?::?\d{2})?)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)


def iso_8601(text: str, fraction: str = "", offset: str = "") -> str | None:
    """A time as ISO 8601, e.g. ``2024-05-01T12:30:00.250+02:00``; None if it isn't known or there is none such.

    EXIF wants ``2024:05:01 12:30:00``. Taken as well are dashes, slashes, points or nothing in the date, a ``T``, a
    fraction and an offset from UTC behind, no seconds (then they are 0), and the hour 24, with which some phones call
    the first of a day. A date alone is no time.

    Args:
        text: as written.
        fraction: of a second: its digits, from a tag of their own.
        offset: from UTC, likewise; what stands in the text goes before.
    """
    parts = _TIME.fullmatch(text.strip())
    if parts is None:
        return None
    year, month, day = (int(part) for part in parts.groups()[:6] if part is not None)
    hour, minute, second = (int(part or 0) for part in parts.groups()[6:9])
    try:
        moment = datetime(year, month, day, 0 if hour == 24 else hour, minute, second)
    except ValueError:  # cameras whose clock was never set write zeros
        return None
    time = moment.isoformat()
    fraction = fraction.strip()
    if not (fraction.isdecimal() and fraction.isascii()):
        fraction = parts[10] or ""
    if fraction:
        time += f".{fraction:0<3}" if len(fraction) <= 3 else f".{fraction:0<6.6}"
    return time + (_offset(parts[11] or "") or _offset(offset))


def _offset(text: str) -> str:
    text = text.strip()
    if text == "Z":
        return "+00:00"  # which all parsers of ISO 8601 take
    parts = _OFFSET.fullmatch(text)
    if parts is None or int(parts[2]) > 15 or int(parts[3] or 0) > 59:
        return ""
    return f"{parts[1]}{parts[2]:0>2}:{parts[3] or '00'}"

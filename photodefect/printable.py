"""Text from outside, file names above all, made safe for a terminal."""

from __future__ import annotations

import re
from typing import Final

UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph separators, marks that turn the direction of writing, lone surrogates."""


def printable(text: str) -> str:
    r"""``text`` with every unprintable character as an escape such as ``\x1b`` or ``\u202e``.

    A byte of a name that isn't UTF-8 (Python holds it as a lone surrogate) becomes ``\xff``.
    """
    return UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

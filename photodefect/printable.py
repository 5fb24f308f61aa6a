"""Text from outside, file names above all, made safe for a terminal, and consoles that write it as it is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console

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


def styles_wanted() -> bool:
    """Whether text may be coloured or bold on a terminal: not with ``NO_COLOR``, as https://no-color.org has it."""
    return not os.environ.get("NO_COLOR")


def console_on(stream: TextIO | None = None, **settings: Any) -> Console:  # noqa: ANN401  of rich's Console
    """A console that writes names as they are: neither as markup, nor as emoji, nor highlighted.

    Args:
        stream: where to; None for stderr.
        settings: further ones of rich's Console.
    """
    from rich.console import Console  # noqa: PLC0415  worker processes have no console

    if not styles_wanted():  # rich alone leaves out colours, and would still write bold
        settings["color_system"] = None
    return Console(file=stream, stderr=stream is None, highlight=False, markup=False, emoji=False, **settings)

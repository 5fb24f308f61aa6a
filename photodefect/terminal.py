"""Consoles for what people read: no markup in names, and no styles where ``NO_COLOR`` asks for none."""

from __future__ import annotations

import os
from typing import Any, TextIO

from rich.console import Console


def styles_wanted() -> bool:
    """Whether text may be coloured or bold on a terminal: not with ``NO_COLOR``, as https://no-color.org has it."""
    return not os.environ.get("NO_COLOR")


def console_on(stream: TextIO | None = None, **settings: Any) -> Console:  # noqa: ANN401  of rich's Console
    """A console that writes names as they are: neither as markup, nor as emoji, nor highlighted.

    Args:
        stream: where to; None for stderr.
        settings: further ones of rich's Console.
    """
    if not styles_wanted():  # rich alone leaves out colours, and would still write bold
        settings["color_system"] = None
    return Console(file=stream, stderr=stream is None, highlight=False, markup=False, emoji=False, **settings)

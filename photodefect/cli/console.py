"""What a command tells the person beside its data: everything here goes to stderr."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from photodefect.printable import printable


def stderr_console() -> Console:
    """A console on stderr: plain unless a person is looking, and never with markup read into file names."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def complain(message: str) -> None:
    """Tell the person what went wrong."""
    stderr_console().print(Text("photodefect: ", "bold red") + Text(printable(message)))


def note(message: str, style: str = "") -> None:
    """Tell the person something worth knowing."""
    stderr_console().print(Text(printable(message), style))

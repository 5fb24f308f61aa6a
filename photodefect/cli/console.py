"""What a command tells the person besides its data, all of it on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

from photodefect.printable import console_on, printable

_FORMAT: Final = "%(name)s: %(message)s"


class _PrintableFormatter(logging.Formatter):
    """Formats log lines and tracebacks, which may name files, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


def log_to_stderr() -> None:
    """Have our own log on stderr, for ``--verbose``; of what libraries have to say only warnings.

    What libraries say is not about the person's photos.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PrintableFormatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("photodefect").setLevel(logging.DEBUG)


def stderr_console() -> Console:
    """A console on stderr: plain unless a person is looking, and never with markup read into file names."""
    return console_on(soft_wrap=True)


def complain(message: str) -> None:
    """Tell the person what went wrong."""
    stderr_console().print(Text("photodefect: ", "bold red") + Text(printable(message)))


def note(message: str, style: str = "") -> None:
    """Tell the person something worth knowing."""
    stderr_console().print(Text(printable(message), style))

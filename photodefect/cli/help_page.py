"""Makes ``docs/cli.md`` from the commands' own help.

``python -m photodefect.cli.help_page`` writes the page to stdout; ``--check FILE`` says whether FILE is current.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from photodefect.cli import available_commands

_INTRODUCTION = """\
# The command line

This page is made from `--help` by `python -m photodefect.cli.help_page > docs/cli.md`.
"""


def help_page() -> str:
    """The page, in Markdown."""
    sections = [_INTRODUCTION, _section([])]
    sections += [_section([command]) for command in available_commands()]
    return "\n".join(sections)


def _section(command: list[str]) -> str:
    # A process of its own: typer takes width and colours from the environment once, when it is imported.
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "PY_COLORS")}
    environment |= {"TERMINAL_WIDTH": "100", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    environment |= {"_TYPER_FORCE_DISABLE_TERMINAL": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "photodefect", *command, "--help"],
        env=environment,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    text = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
    return f"## {' '.join(['photodefect', *command])}\n\n```text\n{text.strip()}\n```\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; returns the exit code."""
    match arguments:
        case []:
            sys.stdout.write(help_page())
            return 0
        case ["--check", file]:
            if Path(file).read_text(encoding="utf-8") == help_page():
                return 0
            sys.stderr.write(f"{file} is out of date: python -m photodefect.cli.help_page > {file}\n")
            return 1
        case _:
            sys.stderr.write("usage: python -m photodefect.cli.help_page [--check FILE]\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

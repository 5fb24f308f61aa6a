"""The natural order of names: photo 2 comes before photo 10."""

from __future__ import annotations

import os
import re
from typing import Final

_DIGITS: Final = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """What to sort names or paths by so that numbers in them count as numbers, whatever number of digits they have.

    Everything else is compared as it is written, so that two different names never have one key.
    """
    parts = _DIGITS.split(name)
    # A number is compared by its length without leading zeros, then digit by digit: as large as it may be.
    numbers = [part.lstrip("0") for part in parts[1::2]]
    key = [(0, parts[0])]
    for number, text in zip(numbers, parts[2::2], strict=True):
        key += [(len(number), number), (0, text)]
    return key, name


def file_name(path: str) -> str:
    """The name of a file, by its path as text."""
    return re.split(r"[/\\]" if os.name == "nt" else "/", path.rstrip("/"))[-1]

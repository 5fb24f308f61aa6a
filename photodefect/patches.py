"""How many patches of a photo are looked at unless told otherwise, and where they may lie."""

from __future__ import annotations

from typing import Final, Literal

DEFAULT_PATCHES: Final = 3
"""More no longer help: docs/speed.md has the table."""

Placement = Literal["random", "grid"]

"""How many patches of a photo are looked at unless told otherwise, and where they may lie."""

from __future__ import annotations

from typing import Final, Literal

DEFAULT_PATCHES: Final = 2
"""More no longer help, fewer tell noise and blur less surely: docs/speed.md has the table."""

Placement = Literal["sharp", "random", "grid"]
"""``random`` places, as in the paper; ``sharp``: one of them is the sharpest of many others; a fixed 3x3 ``grid``,
as in the authors' test script."""

DEFAULT_PLACEMENT: Final[Placement] = "sharp"
"""A subject in focus before a soft background may take up a tenth of the frame: somebody has to look for it."""

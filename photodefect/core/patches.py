"""Where the patches of a photo may lie."""

from __future__ import annotations

from typing import Final, Literal

Placement = Literal["sharp", "random", "grid"]
"""``random`` places, as in the paper; ``sharp``: one of them, or the only one, is the sharpest of many; a fixed 3x3
``grid``, as in the authors' test script."""

DEFAULT_PLACEMENT: Final[Placement] = "sharp"
"""A subject in focus before a soft background may take up a tenth of the frame: somebody has to look for it."""

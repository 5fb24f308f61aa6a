"""Sizes that every network has in common, in pixels and in cells of its maps; readable without torch."""

from __future__ import annotations

from typing import Final

INPUT_SIDE: Final = 224
"""Side of a network input, in pixels."""

STRIDE: Final = 32
"""Pixels between two neighbouring cells of a map."""

WINDOW: Final = INPUT_SIDE // STRIDE
"""Cells that the classifier pools, along each side: 7."""

"""How far the positions of a layer's output see, computed from kernels, strides and paddings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReceptiveField:
    """Which pixels a position of a layer's output sees: from ``stride * position - before`` to ``... + after``.

    Attributes:
        stride: pixels between two positions.
        before: pixels before the position's first own one, towards the left and top.
        after: pixels after the position's first own one, towards the right and bottom.
    """

    stride: int = 1
    before: int = 0
    after: int = 0

    def through(self, kernel: int, stride: int = 1, padding: int | None = None) -> ReceptiveField:
        """The receptive_field behind one more layer.

        Args:
            kernel: side of the layer's window.
            stride: its step.
            padding: positions added before the first one; None for ``kernel // 2``. What is added after the last one
                doesn't matter here.
        """
        padding = kernel // 2 if padding is None else padding
        return ReceptiveField(
            self.stride * stride,
            self.before + padding * self.stride,
            self.after + (kernel - 1 - padding) * self.stride,
        )

    def from_here(self) -> ReceptiveField:
        """The receptive_field of these positions as a new beginning: each sees the pixels that are its own."""
        return ReceptiveField(self.stride, 0, self.stride - 1)

    @property
    def lead(self) -> int:
        """Pixels beyond its own that a tile needs on its left and top."""
        return self.before

    @property
    def trail(self) -> int:
        """Pixels beyond its own that a tile needs on its right and bottom."""
        return max(0, self.after - self.stride + 1)

"""Contact sheets: one defect at rising severities, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from photodefect.defects import BY_KEY
from photodefect.photos.colour_spaces import Pixels
from photodefect.synthesis.degrade import degrade

CELL: Final = (216, 150)
"""Width and height of a picture on the sheet, in pixels."""

_CAPTION: Final = 16
_MARGIN: Final = 4
_PIXEL_LEVEL: Final = frozenset({"noise", "undesired_blur"})
"""Defects that vanish in a reduced picture: their cells show pixels as they are."""


def severity_steps(key: str) -> tuple[float, ...]:
    """The five severities of a defect's sheet."""
    return (-1.0, -0.5, 0.0, 0.5, 1.0) if BY_KEY[key].signed else (0.0, 0.25, 0.5, 0.75, 1.0)


def contact_sheet(key: str, photos: Sequence[Pixels], *, seed: int = 0, camera: bool = False) -> Pixels:
    """One row for each photo, one column for each severity; every row has a variant of the defect of its own.

    Args:
        key: the defect.
        photos: (H, W, 3) uint8 each.
        seed: of the variants.
        camera: with a camera's processing on top.

    Returns:
        (H', W', 3) uint8.
    """
    steps = severity_steps(key)
    width, height = CELL
    size = (
        len(steps) * (width + _MARGIN) + _MARGIN,
        len(photos) * (height + _MARGIN) + _CAPTION + _MARGIN,
    )
    sheet = Image.new("RGB", size, (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for column, severity in enumerate(steps):
        left = _MARGIN + column * (width + _MARGIN)
        draw.text((left + 2, 2), f"{key} {severity:g}", fill=(230, 230, 230))
        for row, photo in enumerate(photos):
            degraded = degrade(photo, {key: severity}, np.random.default_rng([seed, row]), camera=camera)
            cell = Image.fromarray(degraded.pixels)
            if key in _PIXEL_LEVEL:
                x, y = max(0, (cell.width - width) // 2), max(0, (cell.height - height) // 2)
                cell = cell.crop((x, y, min(x + width, cell.width), min(y + height, cell.height)))
            else:
                cell.thumbnail(CELL, Image.Resampling.LANCZOS)
            top = _CAPTION + row * (height + _MARGIN)
            sheet.paste(cell, (left + (width - cell.width) // 2, top + (height - cell.height) // 2))
    return np.asarray(sheet)

"""What pictures of heat maps say of themselves: one wording for panels, reports and the review."""

from __future__ import annotations

from typing import Final

from photodefect.defects import Defect
from photodefect.heatmap.heat_map import HeatMap

SCALE: Final = "the strongest place is as severe as the photo"
"""What sets the scale of colours: a part of a photo tells less than the whole."""

OVER: Final = "the redder, the severer"
TOO_MUCH: Final = "red: too much"
TOO_LITTLE: Final = "blue: too little"
UNCLEAR: Final = "grey veil: can't tell, for want of detail"


def meanings(defect: Defect) -> str:
    """What the colours of a defect's map mean."""
    return f"{TOO_MUCH}, {TOO_LITTLE}" if defect.signed else OVER


def legend(heatmap: HeatMap) -> str:
    """What the colours of a map mean, and how it was made."""
    parts = [meanings(heatmap.defect)]
    if heatmap.photo is not None:
        parts.append(SCALE)
    if heatmap.unclear is not None:
        parts.append(UNCLEAR)
    return "; ".join([*parts, heatmap.describe()])

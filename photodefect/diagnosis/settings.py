"""The settings of a run: how photos are decoded and scored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photodefect.diagnosis.findings import SCORING_VERSION
from photodefect.photos.facts import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from photodefect.core.patches import Placement
    from photodefect.engines import EngineChoice


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How photos are decoded: enough for workers that only do a task's job, and need no model.

    Attributes:
        max_pixels: larger photos are refused.
        threads: that compute at once for one photo.
        cache: the file of known results, or None.
    """

    max_pixels: int = DEFAULT_MAX_PIXELS
    threads: int = 1
    cache: Path | None = None


@dataclass(frozen=True)
class Settings(Decoding):
    """How photos are decoded and scored.

    Attributes:
        choice: the model and what computes it.
        patches: crops a photo.
        placement: where they are.
        seed: mixed into the photo's own.
        score: compute scores where the photo is decoded; else the networks' inputs come back.
    """

    choice: EngineChoice
    patches: int
    placement: Placement
    seed: int | None = None
    score: bool = True

    @property
    def kind(self) -> str:
        """All that a finding depends on beside the photo, for the cache. It names the model first, for people."""
        model = self.choice.manifest.identity
        grid = self.placement == "grid"
        drawn = not grid and not (self.placement == "sharp" and self.patches == 1)
        parts = {
            "model": model.name,
            "sha256": model.sha256,
            "engine": self.choice.key,
            # A grid has as many patches as it has. Nothing of it is drawn, nor is where a photo is sharpest.
            "patches": "grid" if grid else f"{self.placement} {self.patches}",
            "seed": self.seed if drawn else None,
            "scoring": SCORING_VERSION,
        }
        return json.dumps(parts)

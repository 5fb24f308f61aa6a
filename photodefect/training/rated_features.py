"""Features of rated photos: what the frozen trunks see of a photo and of views that people would rate alike."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.cells import INPUT_SIDE
from photodefect.core.network.registry import NETWORKS
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.diagnosis.scoring import make_inputs
from photodefect.synthesis.degrade import degrade
from photodefect.training.feature_cache import CachingJob, shard_file
from photodefect.training.torchvision_transforms import transforms
from photodefect.training.trunk_features import Trunks, WholeFeatures, patch_features, whole_features

CROPPED: Final = 0.88
"""What is left of each side of a view at least: framing and what is seen at its edges are rated, too."""

REDUCED: Final = 0.75
"""How small a view is at least: a stronger reduction would hide noise and blur."""

QUALITY: Final = (60, 95)
"""JPEG qualities of views."""

LEAST_EXPOSED: Final = 0.15
"""How severely a view under another light is exposed wrongly at least."""


@dataclass(frozen=True)
class ViewSettings:
    """Which views of a rated photo are learnt from.

    Attributes:
        views: the photo itself, its mirror image, then random ones: cropped a little, reduced, recompressed, every
            second of them mirrored.
        patches: of each view.
        exposed: views of the whole photo under another light: far too little or too much is rare among rated photos.
        seed: of all of them.
    """

    views: int = 6
    patches: int = 1
    exposed: int = 2
    seed: int = 0


@dataclass(frozen=True)
class RatedJob(CachingJob):
    """Stores the features of a rated photo and its views.

    A shard has ``holistic`` (V, 9, D), ``late`` (V, L) and ``patches`` (V, P, 9, D), as of degraded photos,
    ``carried`` (V, C, 14, 14), what tuned blocks take, ``diagnosed`` (Q, D), means over the patches that a diagnosis
    looks at, and of the views under another light ``exposed_holistic`` (E, 9, D), ``exposed_late`` (E, L),
    ``exposed_carried`` (E, C, 14, 14) and ``exposed_by`` (E,), how severely that is wrong.

    Attributes:
        settings: what it holds.
    """

    settings: ViewSettings

    def features(self, pixels: NDArray[np.uint8], trunks: Trunks) -> dict[str, NDArray[np.generic]]:
        """What the shard holds, by name."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, zlib.crc32(self.source.name.encode())])
        wholes, patches = [], []
        compact = NETWORKS["lite0"]
        inputs = make_inputs(pixels, patches=compact.patches, placement=DEFAULT_PLACEMENT, side=compact.patch_side)
        for view in range(settings.views):
            seen = view_of_rated(pixels, view, rng)
            wholes.append(holistic_input(seen))
            crops = patch_inputs(seen, count=settings.patches, seed=int(rng.integers(2**31)))
            patches.append(patch_features(trunks, crops))
        with torch.inference_mode():
            cells = trunks["patches"].features(torch.from_numpy(inputs.patches).permute(0, 3, 1, 2))
        return {
            **_stored("", whole_features(trunks, np.stack(wholes))),
            "patches": np.array(patches, np.float32),
            "diagnosed": cells.mean((2, 3)).numpy(),
            **self._exposed(pixels, trunks),
        }

    def _exposed(self, pixels: NDArray[np.uint8], trunks: Trunks) -> dict[str, NDArray[np.generic]]:
        rng = np.random.default_rng([self.settings.seed, 1, zlib.crc32(self.source.name.encode())])
        wholes, by = [], []
        for _ in range(self.settings.exposed):
            degraded = degrade(pixels, {"bad_exposure": float(rng.uniform(LEAST_EXPOSED, 1))}, rng)
            wholes.append(holistic_input(degraded.pixels))
            by.append(degraded.severities["bad_exposure"])
        seen = whole_features(trunks, np.array(wholes, np.uint8).reshape(-1, INPUT_SIDE, INPUT_SIDE, 3))
        return {**_stored("exposed_", seen), "exposed_by": np.array(by, np.float32)}


def _stored(prefix: str, seen: WholeFeatures) -> dict[str, NDArray[np.generic]]:
    return {f"{prefix}holistic": seen.early, f"{prefix}late": seen.late, f"{prefix}carried": seen.carried}


def view_of_rated(pixels: NDArray[np.uint8], view: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The photo (H, W, 3) as view 0, its mirror image as view 1, and others at random."""
    if view < 2:
        return np.ascontiguousarray(pixels[:, ::-1]) if view else pixels
    v2 = transforms()
    height, width = pixels.shape[:2]
    rows, columns = (max(1, round(side * rng.uniform(CROPPED, 1))) for side in (height, width))
    reduced = rng.uniform(REDUCED, 1)
    image = v2.functional.resized_crop(
        torch.from_numpy(pixels).permute(2, 0, 1),
        int(rng.integers(height - rows + 1)),
        int(rng.integers(width - columns + 1)),
        rows,
        columns,
        [max(1, round(rows * reduced)), max(1, round(columns * reduced))],
        antialias=True,
    )
    if view % 2:
        image = v2.functional.horizontal_flip(image)
    # Torchvision's own JPEG needs operators that not every installation has.
    stored = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(stored, "JPEG", quality=int(rng.integers(*QUALITY)))
    return np.asarray(Image.open(stored))


def rated_jobs(photos: Sequence[Path], folder: Path, settings: ViewSettings) -> list[RatedJob]:
    """What caches the features of rated photos, one job a photo."""
    told: dict[str, object] = {"rated": asdict(settings)}
    return [RatedJob(photo, shard_file(photo, folder, told), settings) for photo in photos]

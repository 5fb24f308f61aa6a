"""Features of rated photos: what the frozen trunks see of a photo and of views that people would rate alike."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.cells import INPUT_SIDE
from photodefect.core.network.registry import NETWORKS
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.diagnosis.scoring import make_inputs
from photodefect.synthesis.composition import draw_framing, is_lined, reframe, severity_of_tilt, turned
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

LEVEL: Final = 2.0
"""Degrees that a view may be turned by without harm."""

TURNED: Final = (5.0, 25.0)
"""Degrees that a view is turned by that does harm."""

LEAST_FRAMED: Final = 0.15
"""How severely a view is cropped wrongly at least."""


Worsened: TypeAlias = tuple[NDArray[np.uint8], float]
"""A view (H, W, 3), and how severe is what was done to it; NaN where that can't be told."""


@dataclass(frozen=True)
class ViewSettings:
    """Which views of a rated photo are learnt from.

    Attributes:
        views: the photo itself, its mirror image, then random ones: cropped a little, reduced, recompressed, every
            second of them mirrored.
        patches: of each view.
        exposed: views of the whole photo under another light: far too little or too much is rare among rated photos.
        turned: views that are aslant; the first of them is level, but cropped like the others.
        framed: views that cut the subject or miss it; the first of them holds it as well as so small a frame can.
        seed: of all of them.
    """

    views: int = 6
    patches: int = 1
    exposed: int = 2
    turned: int = 3
    framed: int = 4
    seed: int = 0

    @property
    def pictures(self) -> int:
        """Views of the whole photo, all together."""
        return self.views + self.exposed + self.turned + self.framed


@dataclass(frozen=True)
class RatedJob(CachingJob):
    """Stores the features of a rated photo and its views.

    A shard has ``holistic`` (V, 9, D), ``late`` (V, L) and ``patches`` (V, P, 9, D), as of degraded photos,
    ``carried`` (V, C, 14, 14), what tuned blocks take, ``diagnosed`` (Q, D), means over the patches that a diagnosis
    looks at, and of the views under another light ``exposed_holistic`` (E, 9, D), ``exposed_late`` (E, L),
    ``exposed_carried`` (E, C, 14, 14) and ``exposed_by`` (E,), how severely that is wrong. ``framed_holistic`` and so
    on are those of views that are turned, then of those that are cropped; ``framed_by`` is NaN where nobody can tell.

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
            **_worsened("exposed", self._exposed(pixels), trunks),
            **_worsened("framed", [*self._turned(pixels), *self._framed(pixels)], trunks),
        }

    def _exposed(self, pixels: NDArray[np.uint8]) -> list[Worsened]:
        rng = self._rng(1)
        views = []
        for _ in range(self.settings.exposed):
            degraded = degrade(pixels, {"bad_exposure": float(rng.uniform(LEAST_EXPOSED, 1))}, rng)
            views.append((degraded.pixels, degraded.severities["bad_exposure"]))
        return views

    def _turned(self, pixels: NDArray[np.uint8]) -> list[Worsened]:
        rng = self._rng(2)
        lined = is_lined(pixels)
        views = []
        for view in range(self.settings.turned):
            degrees = float(rng.uniform(*TURNED) if view else rng.uniform(0, LEVEL))
            # Cropped as if it were turned by more, or how much is left would tell.
            cropped = max(degrees, float(rng.uniform(0, TURNED[1])))
            seen = turned(pixels, degrees if rng.random() < 0.5 else -degrees, cropped)
            views.append((seen, 0.0 if not view else severity_of_tilt(degrees) if lined else float("nan")))
        return views

    def _framed(self, pixels: NDArray[np.uint8]) -> list[Worsened]:
        rng = self._rng(3)
        views = []
        for view in range(self.settings.framed):
            severity = float(rng.uniform(LEAST_FRAMED, 1)) if view else 0.0
            views.append((reframe(pixels, severity, draw_framing(pixels, rng, tilts=False)), severity))
        return views

    def _rng(self, kind: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, kind, zlib.crc32(self.source.name.encode())])


def _worsened(name: str, views: Sequence[Worsened], trunks: Trunks) -> dict[str, NDArray[np.generic]]:
    inputs = np.array([holistic_input(pixels) for pixels, _ in views], np.uint8)
    seen = whole_features(trunks, inputs.reshape(-1, INPUT_SIDE, INPUT_SIDE, 3))
    return {**_stored(f"{name}_", seen), f"{name}_by": np.array([by for _, by in views], np.float32)}


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

"""Where in the frame each defect sits: severity maps of a photo (section 5.3 of the paper).

The patch network is run fully convolutionally: its scores at every cell of 32 pixels instead of one for a patch.
Most defects are as visible in a reduced photo; noise and blur are not, so that their maps are made at the photo's
original resolution: everywhere if it is small or when asked to, else at places spread evenly over the frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.network.model import Model
from photodefect.core.network.multicolumn import INPUT_SIDE, STRIDE, MultiColumnNetwork, expected_severity
from photodefect.defects import BY_KEY, PATCH_DEFECTS, Defect
from photodefect.heatmap.tiling import severity_cells, trunk_features
from photodefect.heatmap.workers import Workers
from photodefect.records import ModelIdentity

WORKING_SIDE: Final = 1344
"""Long side, in pixels, to which a photo is reduced for the maps of the other defects."""

DENSE_PIXELS: Final = 3_000_000
"""Up to this many pixels, noise and blur are mapped everywhere."""

SAMPLES: Final = 48
"""Places at which noise and blur of a large photo are measured."""

BATCH: Final = 4
"""Places that go through the network together."""

Corner: TypeAlias = tuple[int, int]
"""Top and left of a window, in pixels."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The severity of one defect over a photo.

    The value in row r and column c holds for the neighbourhood of the photo's pixel
    (``origin[0] + c * stride[0]``, ``origin[1] + r * stride[1]``); x counts to the right and y downwards from the
    photo's top left corner, where the first pixel's middle is (0.5, 0.5).

    Attributes:
        key: of the defect.
        severity: (rows, columns) float32, within the defect's range.
        width: of the photo, in pixels.
        height: likewise.
        stride: photo's pixels between two values, along x and y.
        origin: of the first value, x and y.
        window: side of the square that a value averages, in photo's pixels; the network sees beyond it.
        scale: at which size the photo was mapped: 1.0 is its original resolution.
        sampled: True if only windows at some distance from each other were scored.
    """

    key: str
    severity: NDArray[np.float32]
    width: int
    height: int
    stride: tuple[float, float]
    origin: tuple[float, float]
    window: float
    scale: float
    sampled: bool

    @property
    def defect(self) -> Defect:
        """The defect."""
        return BY_KEY[self.key]

    def enlarged(
        self, width: int | None = None, height: int | None = None, rows: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """The map at the photo's size, bilinear between the values, the same beyond the outermost ones.

        Args:
            width: other than the photo's.
            height: likewise.
            rows: first row wanted and the one after the last; None for all.

        Returns:
            (height, width) float32, or (rows, width).
        """
        resized = Image.fromarray(self.severity).resize(
            *self.resize_arguments(width or self.width, height or self.height, rows)
        )
        return np.asarray(resized)

    def resize_arguments(
        self, width: int, height: int, rows: tuple[int, int] | None = None
    ) -> tuple[tuple[int, int], Image.Resampling, tuple[float, float, float, float]]:
        """What Pillow's ``resize`` of an image of the map takes so that it lies over the photo at that size."""
        top, bottom = rows or (0, height)
        across, down = self.width / width, self.height / height
        left, upper = self.origin[0] - self.stride[0] / 2, self.origin[1] - self.stride[1] / 2
        lines, places = self.severity.shape
        # A last bit of rounding must not put the box outside the image.
        box = (
            max(0.0, -left / self.stride[0]),
            max(0.0, (top * down - upper) / self.stride[1]),
            min(float(places), (width * across - left) / self.stride[0]),
            min(float(lines), (bottom * down - upper) / self.stride[1]),
        )
        return (width, bottom - top), Image.Resampling.BILINEAR, box

    def describe(self) -> str:
        """How the map was made, for people."""
        if self.sampled:
            count = self.severity.size
            return f"original resolution, {count} sampled {'place' if count == 1 else 'places'}"
        if self.scale == 1:
            return "original resolution"
        return f"at {self.scale:.0%} of the original size"

    def facts(self) -> dict[str, object]:
        """What somebody needs to use the bare values, ready for JSON."""
        return {
            "defect": self.key,
            "shape": list(self.severity.shape),
            "range": [self.defect.lowest, 1.0],
            "photo_size": [self.width, self.height],
            "stride": list(self.stride),
            "origin": list(self.origin),
            "window": self.window,
            "scale": self.scale,
            "sampled": self.sampled,
        }


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """The heat maps of one photo.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        maps: by defect key, in the order of the defects.
        model: whose patch network made them.
    """

    width: int
    height: int
    maps: Mapping[str, HeatMap]
    model: ModelIdentity


@torch.inference_mode()
def heatmaps(
    model: Model,
    pixels: NDArray[np.uint8],
    defects: Sequence[str] | None = None,
    *,
    scale: float | None = None,
    full: bool = False,
    window: int | None = None,
    calibrated: bool = True,
    threads: int | None = None,
) -> HeatMaps:
    """Map the severity of defects over a photo.

    Left alone, exposure, white balance, saturation and haze are mapped on the photo reduced to a long side of
    :data:`WORKING_SIDE` pixels, every 32 of its pixels. Noise and blur are mapped at original resolution: a photo
    of up to :data:`DENSE_PIXELS` everywhere, a larger one at :data:`SAMPLES` patches, each scored as in a diagnosis.

    Args:
        model: its patch network is used.
        pixels: (H, W, 3) uint8 sRGB, upright.
        defects: keys; None for all that the patch network predicts.
        scale: map the whole photo at this size for every defect, in (0, 1]; 1 is the original resolution.
        full: map noise and blur at original resolution everywhere, however large the photo.
        window: cells of 32 pixels averaged for a value, odd; None for what suits the network.
        calibrated: on the scale of diagnosed severities: what the model does to its combined scores at last is done
            to the maps' values too. False gives the bare expectation over the class centres.
        threads: parts of the photo computed at the same time; None for as many as torch would use.

    Raises:
        ValueError: a defect has no heat map, or an argument is out of range.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise ValueError(f"pixels are {pixels.dtype} of shape {pixels.shape}, not uint8 of (height, width, 3)")
    if scale is not None and not 0 < scale <= 1:
        raise ValueError(f"scale is {scale:g}, not above 0 and up to 1")
    if scale is not None and full:
        raise ValueError("full and scale exclude each other: scale 1 is the original resolution for every defect")
    if window is not None and (window < 1 or window % 2 == 0):
        raise ValueError(f"a window is an odd number of cells, not {window}")
    keys = mapped_defects(defects)
    fine = [key for key in keys if BY_KEY[key].fine and scale is None]
    coarse = [key for key in keys if key not in fine]
    height, width, _ = pixels.shape
    cells: dict[str, HeatMap] = {}
    with Workers(_threads(model.patches, threads)) as workers:
        if coarse:
            reduced = _reduced(pixels, min(1.0, WORKING_SIDE / max(height, width)) if scale is None else scale)
            cells |= _dense(model.patches, pixels, reduced, coarse, window=window, workers=workers)
        if fine:
            small = height * width <= DENSE_PIXELS
            if full or small or min(height, width) < INPUT_SIDE:
                cells |= _dense(model.patches, pixels, pixels, fine, window=window, workers=workers)
            else:
                cells |= _sampled(model.patches, pixels, fine, workers)
    maps = {key: _calibrated(model, cells[key]) if calibrated else cells[key] for key in keys}
    return HeatMaps(width, height, maps, model.identity)


def mapped_defects(defects: Sequence[str] | None = None) -> list[str]:
    """Keys of the defects to map, in the usual order and each once; all that have a map if None.

    Raises:
        ValueError: one of them has no heat map or doesn't exist.
    """
    available = [defect.key for defect in PATCH_DEFECTS]
    if defects is None:
        return available
    for key in defects:
        if key not in BY_KEY:
            raise ValueError(f"{key!r} is not a defect; there are {', '.join(available)}")
        if key not in available:
            raise ValueError(f"{key} has no heat map: it is judged on the whole frame, not on its parts")
    return [key for key in available if key in defects]


def sample_grid(height: int, width: int, samples: int) -> tuple[list[int], list[int]]:
    """Where windows of 224 pixels are taken from a photo: about ``samples`` of them, evenly spread, none overlapping.

    Args:
        height: of the photo, 224 at least.
        width: likewise.
        samples: about how many.

    Returns:
        Tops and lefts of the windows' rows and columns, border to border; in the middle where there is only one.
    """
    spacing = math.sqrt(height * width / samples)
    return _positions(height, spacing), _positions(width, spacing)


def _positions(length: int, spacing: float) -> list[int]:
    count = max(1, min(round(length / spacing), length // INPUT_SIDE))
    room = length - INPUT_SIDE
    return [room // 2] if count == 1 else [round(room * index / (count - 1)) for index in range(count)]


def _reduced(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The photo at another size, antialiased."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    if (height, width) == pixels.shape[:2]:
        return pixels
    source = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).permute(2, 0, 1).unsqueeze(0)
    small = torch.nn.functional.interpolate(source, size=(height, width), mode="bilinear", antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


def _dense(
    network: MultiColumnNetwork,
    pixels: NDArray[np.uint8],
    reduced: NDArray[np.uint8],
    keys: Sequence[str],
    *,
    window: int | None,
    workers: Workers,
) -> dict[str, HeatMap]:
    """Maps of every cell of a photo that may have been reduced."""
    height, width, _ = pixels.shape
    across, down = width / reduced.shape[1], height / reduced.shape[0]
    stride = (STRIDE * across, STRIDE * down)
    features = trunk_features(network, reduced, workers=workers)
    cells = severity_cells(network, features, keys, window, workers=workers)
    return {
        key: HeatMap(
            key,
            severity,
            width,
            height,
            stride,
            (stride[0] / 2, stride[1] / 2),
            (network.column(key).map_window if window is None else window) * math.sqrt(stride[0] * stride[1]),
            1 / max(across, down),
            sampled=False,
        )
        for key, severity in cells.items()
    }


def _sampled(
    network: MultiColumnNetwork, pixels: NDArray[np.uint8], keys: Sequence[str], workers: Workers
) -> dict[str, HeatMap]:
    """Maps of what the classifier says of windows spread over the photo."""
    height, width, _ = pixels.shape
    tops, lefts = sample_grid(height, width, SAMPLES)
    corners = [(top, left) for top in tops for left in lefts]
    scores: dict[str, dict[Corner, float]] = {key: {} for key in keys}
    workers.each(
        partial(_score, network, pixels, scores),
        [corners[start : start + BATCH] for start in range(0, len(corners), BATCH)],
    )
    stride = (_spacing(lefts, width), _spacing(tops, height))
    origin = (lefts[0] + INPUT_SIDE / 2, tops[0] + INPUT_SIDE / 2)
    shape = (len(tops), len(lefts))
    return {
        key: HeatMap(
            key,
            np.array([values[corner] for corner in corners], dtype=np.float32).reshape(shape),
            width,
            height,
            stride,
            origin,
            float(INPUT_SIDE),
            1.0,
            sampled=True,
        )
        for key, values in scores.items()
    }


def _score(
    network: MultiColumnNetwork,
    pixels: NDArray[np.uint8],
    scores: Mapping[str, dict[Corner, float]],
    corners: Sequence[Corner],
) -> None:
    """Put the scores of some windows by their top left corners."""
    patches = np.stack([pixels[top : top + INPUT_SIDE, left : left + INPUT_SIDE] for top, left in corners])
    batch = torch.from_numpy(patches).to(network.normalization.mean.device)
    features = network.features(batch.permute(0, 3, 1, 2))
    for key, found in scores.items():
        severity = expected_severity(BY_KEY[key], network.column_logits(features, key))
        found.update(zip(corners, severity.tolist(), strict=True))


def _calibrated(model: Model, heatmap: HeatMap) -> HeatMap:
    calibration = model.manifest.calibration.get(heatmap.key)
    if calibration is None:
        return heatmap
    severity = np.interp(heatmap.severity, calibration.raw, calibration.severity).astype(np.float32)
    return replace(heatmap, severity=severity)


def _threads(network: MultiColumnNetwork, threads: int | None) -> int:
    if network.normalization.mean.device.type != "cpu":
        return 1  # one tile fills a GPU
    return torch.get_num_threads() if threads is None else max(1, threads)


def _spacing(positions: Sequence[int], length: int) -> float:
    """Distance between neighbouring windows; that of a single one is the whole side."""
    return (positions[-1] - positions[0]) / (len(positions) - 1) if len(positions) > 1 else float(length)

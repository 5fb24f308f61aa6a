"""Where in the frame each defect sits: severity maps of a photo (section 5.3 of the paper).

The patch network is run fully convolutionally: its scores at every cell of 32 pixels instead of one for a patch.
Most defects are as visible in a reduced photo; noise and blur are not, so that their maps are made at the photo's
original resolution: everywhere if it is small or when asked to, else at places spread evenly over the frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.cells import STRIDE
from photodefect.core.network.manifest import Manifest
from photodefect.core.network.registry import NETWORKS
from photodefect.core.reduced import Reduced
from photodefect.defects import BY_KEY, PATCH_DEFECTS
from photodefect.heatmap.detail import patches_tell, tells
from photodefect.heatmap.heat_map import HeatMap, HeatMaps
from photodefect.heatmap.mapper import Mapper
from photodefect.heatmap.workers import Workers

WORKING_SIDE: Final = 768
"""Long side, in pixels, to which a photo is reduced for the maps of the other defects."""

DENSE_PIXELS: Final = 3_000_000
"""Up to this many pixels, noise and blur are mapped everywhere."""

SAMPLES: Final = 40
"""Places at which noise and blur of a large photo are measured."""

SAMPLE_SIDES: Final = {"lite0": 128}
"""Side in pixels, by network, of what is measured at each place; of other networks as large as their patches. More
small places agree better with a map of everywhere than fewer large ones of the same area."""


def heatmaps(
    mapper: Mapper,
    pixels: NDArray[np.uint8],
    defects: Sequence[str] | None = None,
    *,
    scale: float | None = None,
    full: bool = False,
    window: int | None = None,
    calibrated: bool = True,
    threads: int | None = None,
    reduced: Reduced | None = None,
) -> HeatMaps:
    """Map the severity of defects over a photo.

    Left alone, exposure, white balance, saturation and haze are mapped on the photo reduced to a long side of
    :data:`WORKING_SIDE` pixels, every 32 of its pixels. Noise and blur are mapped at original resolution: a photo
    of up to :data:`DENSE_PIXELS` everywhere, a larger one in about :data:`SAMPLES` patches.

    Args:
        mapper: computes them.
        pixels: (H, W, 3) uint8 sRGB, upright.
        defects: keys; None for all that the patch network predicts.
        scale: map the whole photo at this size for every defect, in (0, 1]; 1 is the original resolution.
        full: map noise and blur at original resolution everywhere, however large the photo.
        window: cells of 32 pixels averaged for a value, odd; None for what suits the network.
        calibrated: on the scale of diagnosed severities: what the model does to its combined scores at last is done
            to the maps' values too. False gives the bare expectation over the class centres.
        threads: parts of the photo computed at the same time; None for what suits.
        reduced: of the photo, if smaller sizes of it are wanted elsewhere, too.

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
    small = height * width <= DENSE_PIXELS or min(height, width) < sample_side(mapper)
    with mapper.workers(threads) as workers:
        if coarse:
            reduced = reduced or Reduced(pixels)
            size = reduced.within(WORKING_SIDE) if scale is None else reduced.scaled(scale)
            # What is mapped at the same size goes through the network together.
            together = fine if small and size == reduced.size else []
            keys_there, fine = [*coarse, *together], [key for key in fine if key not in together]
            cells |= _dense(mapper, pixels, reduced.pixels(size), keys_there, window=window, workers=workers)
        if fine:
            if full or small:
                cells |= _dense(mapper, pixels, pixels, fine, window=window, workers=workers)
            else:
                cells |= _sampled(mapper, pixels, fine, workers)
    maps = {key: _calibrated(mapper.manifest, cells[key]) if calibrated else cells[key] for key in keys}
    return HeatMaps(width, height, maps, mapper.manifest.identity)


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


def sample_side(mapper: Mapper) -> int:
    """Side in pixels of the patches at which a large photo is sampled."""
    network = mapper.manifest.network
    return SAMPLE_SIDES.get(network, NETWORKS[network].patch_side)


def sample_grid(height: int, width: int, samples: int, side: int) -> tuple[list[int], list[int]]:
    """Where patches are taken from a photo: about ``samples`` of them, evenly spread, none overlapping.

    Args:
        height: of the photo, ``side`` at least.
        width: likewise.
        samples: about how many.
        side: of a patch.

    Returns:
        Tops and lefts of the patches' rows and columns, border to border; in the middle where there is only one.
    """
    spacing = math.sqrt(height * width / samples)
    return _positions(height, spacing, side), _positions(width, spacing, side)


def _positions(length: int, spacing: float, side: int) -> list[int]:
    count = max(1, min(round(length / spacing), length // side))
    room = length - side
    return [room // 2] if count == 1 else [round(room * index / (count - 1)) for index in range(count)]


def _dense(
    mapper: Mapper,
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
    cells = mapper.cells(reduced, keys, window, workers)
    return {
        key: HeatMap(
            key,
            severity,
            width,
            height,
            stride,
            (stride[0] / 2, stride[1] / 2),
            (window or mapper.window(key)) * math.sqrt(stride[0] * stride[1]),
            1 / max(across, down),
            sampled=False,
            clear=tells(key, reduced, window or mapper.window(key)),
        )
        for key, severity in cells.items()
    }


def _sampled(mapper: Mapper, pixels: NDArray[np.uint8], keys: Sequence[str], workers: Workers) -> dict[str, HeatMap]:
    """Maps of what the classifier says of patches spread over the photo."""
    height, width, _ = pixels.shape
    side = sample_side(mapper)
    tops, lefts = sample_grid(height, width, SAMPLES, side)
    corners = [(top, left) for top in tops for left in lefts]
    shape = (len(tops), len(lefts))
    patches = np.stack([pixels[top : top + side, left : left + side] for top, left in corners])
    scores = mapper.scores(patches, keys, workers)
    clear = patches_tell(keys, patches)
    return {
        key: HeatMap(
            key,
            scores[key].reshape(shape),
            width,
            height,
            (_spacing(lefts, width), _spacing(tops, height)),
            (lefts[0] + side / 2, tops[0] + side / 2),
            float(side),
            1.0,
            sampled=True,
            clear=clear[key].reshape(shape) if key in clear else None,
        )
        for key in keys
    }


def _calibrated(manifest: Manifest, heatmap: HeatMap) -> HeatMap:
    calibration = manifest.calibration.get(heatmap.key)
    if calibration is None:
        return heatmap
    severity = np.interp(heatmap.severity, calibration.raw, calibration.severity).astype(np.float32)
    return replace(heatmap, severity=severity)


def _spacing(positions: Sequence[int], length: int) -> float:
    """Distance between neighbouring patches; that of a single one is the whole side."""
    return (positions[-1] - positions[0]) / (len(positions) - 1) if len(positions) > 1 else float(length)

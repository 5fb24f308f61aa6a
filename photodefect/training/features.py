"""Cached features of a frozen trunk: columns are then trained in seconds instead of hours.

A shard holds one source photo: several degraded variants of it, each as one holistic input and a few patches, the
trunk's cells averaged over a 3x3 partition of the window. Any window made of whole regions, the full one included,
follows from these averages.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.multicolumn import WINDOW, MultiColumnNetwork
from photodefect.core.network.registry import KINDS, Kind, build_network
from photodefect.core.network.stages import network_stages
from photodefect.defects import BY_KEY, IN_PLANE, KEYS
from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.limits import memory_limit, time_limit
from photodefect.diagnosis.workers.pool import ProcessWorkers
from photodefect.diagnosis.workers.tasks import Task
from photodefect.records import PhotoFailure
from photodefect.synthesis.blur import smear, visible_share
from photodefect.synthesis.degrade import Degraded, degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import is_clean, source_quality, why_not_clean
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.split import photo_digest

EDGES: Final = (0, 2, 5, WINDOW)
"""Cells at which the window is cut, along each side."""

AREAS: Final = tuple(
    (EDGES[row + 1] - EDGES[row]) * (EDGES[column + 1] - EDGES[column]) for row in range(3) for column in range(3)
)
"""Cells in each of the nine regions, row by row; they sum to 49."""

FRAGMENTS: Final = "native"
"""Sources in a folder of this name are fragments of photos: their framing says nothing."""

FRAMED: Final = (
    *("bad_saturation", "bad_white_balance", "bad_exposure", "bad_saturation", "bad_composition", "bad_saturation"),
    *("bad_white_balance", "bad_saturation", "haze", "bad_saturation", "bad_exposure", "bad_white_balance"),
    *("bad_saturation", "bad_composition", "bad_saturation", "bad_white_balance", "haze", "bad_exposure"),
)
"""Defects that the frame as a whole tells best, in the proportion in which more of them is learnt from. What a photo's
own colours were is hardest to tell, and what its light's was comes next."""

MISLED: Final = ("bad_white_balance", "bad_exposure", "bad_white_balance", "bad_saturation")
"""Defects that a frame full of one colour, of light or of shade is taken for."""

SMEARED: Final = (6.0, 30.0)
"""Deviations in pixels of a point spread function that leaves nothing sharp at original resolution."""

GROUPS: Final = ("", "framed_", "zoomed_", "smeared_")
"""Kinds of variants that a shard holds, by what their arrays' names begin with."""

VERSION: Final = 3
"""To be raised when features of the same photo under the same settings become others: trunk, statistics, synthesis."""

VARIANT_S: Final = 2.0
"""Seconds that a variant may take for each megapixel of its photo: ten times what one takes on a slow machine."""

ORDINARY: Final = 45.0
"""Mean CIE L* of ordinary good photographs."""


@dataclass(frozen=True)
class CacheSettings:
    """What a cache of features holds.

    Attributes:
        variants: degraded variants of each source photo, with patches.
        patches: patches of each variant.
        frames: further variants, of what the whole frame shows best: each of :data:`FRAMED` in turn.
        frame_patches: patches of each of these.
        zooms: degraded variants of parts of the photo in which one colour, or light or shade, takes up the frame, so
            that a red dress isn't taken for a cast.
        zoom_patches: patches of each of these.
        smears: variants blurred by many pixels, as large photos are that look just as blurred as small ones.
        seed: of the severities, the degradations and the patches.
        rebalanced: share of the variants whose severities are rebalanced instead of drawn as people saw them.
        any_source: photos that aren't clean are degraded as well.
    """

    variants: int = 10
    patches: int = 3
    frames: int = 36
    frame_patches: int = 1
    zooms: int = 8
    zoom_patches: int = 1
    smears: int = 1
    seed: int = 0
    rebalanced: float = 0.7
    any_source: bool = False


def region_means(features: Tensor) -> Tensor:
    """Trunk features (N, C, 7, 7) -> means over the nine regions (N, 9, C)."""
    rows = [features[:, :, EDGES[i] : EDGES[i + 1]].mean(2) for i in range(3)]
    regions = [row[:, :, EDGES[j] : EDGES[j + 1]].mean(2) for row in rows for j in range(3)]
    return torch.stack(regions, 1)


Trunks: TypeAlias = Mapping[Kind, MultiColumnNetwork]
"""The frozen networks by kind."""


def frozen_trunks() -> Trunks:
    """The compact networks with their ImageNet trunks, folded, for feature extraction on one thread."""
    trunks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        network = build_network("lite0", kind)
        load_imagenet_trunk(network.trunk.lite0)  # type: ignore[arg-type]
        network.eval()
        fold_batch_norms(network)
        trunks[kind] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return trunks


def cache_shard(pixels: NDArray[np.uint8], source: Path, shard: Path, settings: CacheSettings, trunks: Trunks) -> None:
    """Degrade one source photo, (H, W, 3) sRGB, in several ways and store the features of each.

    The shard is an ``.npz`` with ``holistic`` (V, 9, C) and ``patches`` (V, P, 9, D) in float32, ``maps``
    (V, c, 14, 14) in float16, what the trunk's last stage takes of the whole photos, ``severities``
    (V, 7) with NaN where a severity is unknown, ``places`` (V, 2, 2), in the plane of each of ``IN_PLANE``, of which
    the same holds; likewise of the other :data:`GROUPS`, with their names before. All are empty for a photo that isn't
    clean, and ``unfit`` says why.
    """
    unfit = None if settings.any_source else why_not_clean(source_quality(pixels))
    kept = unfit is None
    variants, frames, zooms, smears = (_Views() for _ in range(4))
    rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode())])
    for variant in range(settings.variants if kept else 0):
        wanted = draw_severities(rng, rebalanced=variant < settings.rebalanced * settings.variants)
        seen = _seen(degrade(pixels, wanted, rng), settings.patches, rng, trunks)
        variants.add(seen, framed=source.parent.name != FRAGMENTS)
    rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), 3])
    for frame in range(settings.frames if kept else 0):
        wanted = _wanted_framed(rng, frame)
        seen = _seen(degrade(pixels, wanted, rng), settings.frame_patches, rng, trunks)
        frames.add(seen, framed=source.parent.name != FRAGMENTS)
    rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), 1])
    for variant in range(settings.zooms if kept else 0):
        part = zoomed(pixels, rng)
        wanted = _wanted_zoomed(rng, variant)
        if part is not None:
            # What a part of a photo shows is nobody's composition.
            zooms.add(_seen(degrade(part, wanted, rng), settings.zoom_patches, rng, trunks), framed=False)
    rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), 2])
    for _ in range(settings.smears if kept else 0):
        wanted = draw_severities(rng, rebalanced=False) | {"undesired_blur": 0.0, "bad_composition": 0.0}
        degraded = degrade(smear(pixels, float(np.exp(rng.uniform(*np.log(SMEARED)))), rng), wanted, rng)
        degraded.severities["undesired_blur"] = visible_share(pixels)
        smears.add(_seen(degraded, settings.patches, rng, trunks), framed=False)
    temporary = shard.with_suffix(".partial.npz")
    groups = zip(GROUPS, (variants, frames, zooms, smears), strict=True)
    arrays = {prefix + name: array for prefix, views in groups for name, array in views.arrays()}
    np.savez(temporary, unfit=np.array(unfit or ""), **arrays)  # type: ignore[arg-type]
    temporary.replace(shard)


@dataclass(frozen=True)
class _Views:
    """What the networks see of several pictures of one kind, and their labels."""

    holistic: list[NDArray[np.float32]] = field(default_factory=list)
    patches: list[NDArray[np.float32]] = field(default_factory=list)
    maps: list[NDArray[np.float16]] = field(default_factory=list)
    severities: list[list[float]] = field(default_factory=list)
    places: list[list[tuple[float, float]]] = field(default_factory=list)

    def add(self, seen: _Seen, *, framed: bool) -> None:
        """Keep what is seen of a picture; its composition is unknown unless somebody framed it."""
        self.holistic.append(seen.whole)
        self.patches.append(seen.parts)
        self.maps.append(seen.maps)
        labels = seen.severities
        self.severities.append([labels[key] if framed or key != "bad_composition" else math.nan for key in KEYS])
        self.places.append([seen.places[key] for key in IN_PLANE])

    def arrays(self) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """Each of them by name."""
        for name, values in vars(self).items():
            yield name, np.array(values, np.float16 if name == "maps" else np.float32)


@dataclass(frozen=True)
class _Seen:
    """Region means of the whole (9, C) and of crops (P, 9, D) of a picture, and the labels as people see them.

    Also the whole as the trunk's last stage takes it, (c, 14, 14).
    """

    whole: NDArray[np.float32]
    parts: NDArray[np.float32]
    maps: NDArray[np.float16]
    severities: dict[str, float]
    places: dict[str, tuple[float, float]]


def _seen(degraded: Degraded, crops: int, rng: np.random.Generator, trunks: Trunks) -> _Seen:
    whole = holistic_input(degraded.pixels)
    seed = int(rng.integers(2**31))
    means, maps = (one[0] for one in region_features(trunks["holistic"], whole[None]))
    parts = np.empty((0, *means.shape), np.float32)
    if crops:
        parts, _ = region_features(trunks["patches"], patch_inputs(degraded.pixels, count=crops, seed=seed))
    labels = dict(degraded.severities)
    exposure = seen_exposure(degraded.places["bad_exposure"], whole)
    labels["bad_exposure"] = math.hypot(*exposure)
    return _Seen(means, parts, maps, labels, degraded.places | {"bad_exposure": exposure})


def zoomed(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8] | None:
    """The part, of a few at random, that is the most coloured, the lightest or the darkest.

    Args:
        pixels: (H, W, 3) uint8 sRGB of a clean photo.
        rng: source of randomness.

    Returns:
        (h, w, 3), 40 to 75 % of each side; None if none of the parts is clean itself.
    """
    measure = str(rng.choice(["colour", "colour", "light", "dark"]))
    height, width = pixels.shape[:2]
    parts: list[tuple[float, int, NDArray[np.uint8]]] = []
    for _ in range(6):
        rows, columns = (max(64, int(side * rng.uniform(0.4, 0.75))) for side in (height, width))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        part = pixels[top : top + rows, left : left + columns]
        means = part[::4, ::4].reshape(-1, 3).mean(0)
        sizes = {"colour": float(np.ptp(means)), "light": float(means.mean()), "dark": -float(means.mean())}
        parts.append((sizes[measure], len(parts), part))
    for _, _, part in sorted(parts, reverse=True)[:2]:
        quality = source_quality(part)
        # A coloured thing is allowed to fill a part of the frame that would make a doubtful photo.
        if is_clean(replace(quality, cast=0.0, chroma=min(quality.chroma, 50.0))):
            return np.ascontiguousarray(part)
    return None


def _wanted_zoomed(rng: np.random.Generator, variant: int) -> dict[str, float]:
    """Severities for a part of a photo: mostly of what the colours and the light of the frame mislead about."""
    if variant % 3 == 2:
        return draw_severities(rng, rebalanced=True)
    wanted = draw_severities(rng, rebalanced=False)
    defect = BY_KEY[MISLED[variant % len(MISLED)]]
    wanted[defect.key] = float(rng.uniform(defect.lowest, 1.0)) if rng.random() < 0.6 else 0.0
    return wanted


def _wanted_framed(rng: np.random.Generator, frame: int) -> dict[str, float]:
    """Severities for a frame: as people's photos have them, but for one of :data:`FRAMED`."""
    wanted = draw_severities(rng, rebalanced=False)
    defect = BY_KEY[FRAMED[frame % len(FRAMED)]]
    wanted[defect.key] = float(rng.uniform(defect.lowest, 1.0)) if rng.random() < 0.8 else 0.0
    return wanted


def seen_exposure(place: tuple[float, float], holistic: NDArray[np.uint8]) -> tuple[float, float]:
    """Place in the plane of exposure as people see it: they judge the picture, not the stops that it is off.

    A frame that is dark or bright as a whole looks somewhat badly exposed even where its scene is, so up to 0.4 is
    added, in proportion to how far the mean lightness lies from that of ordinary good photographs: in the direction
    in which its exposure is wrong, or in that of the frame's lightness if it isn't.

    Args:
        place: as far from the centre as stops and clipping tell, 0..1.
        holistic: the whole photo, uint8.
    """
    encoded = holistic.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255
    lightness = float(np.maximum(116 * np.cbrt(encoded**2.2) - 16, 0).mean())
    away = (ORDINARY - lightness) / ORDINARY if lightness < ORDINARY else (lightness - ORDINARY) / (100 - ORDINARY)
    severity = math.hypot(*place)
    seen = severity + 0.4 * (1 - severity) * float(away) ** 1.2
    if severity == 0:
        return (-seen if lightness < ORDINARY else seen), 0.0
    return place[0] * seen / severity, place[1] * seen / severity


def region_features(
    network: MultiColumnNetwork, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
    """Inputs (N, 224, 224, 3) -> region means (N, 9, C), and what the last stage takes, (N, c, 14, 14)."""
    chain, outputs = network_stages(network)
    features = torch.empty(len(inputs), outputs, WINDOW, WINDOW)
    carried: list[Tensor] = [torch.from_numpy(inputs).permute(0, 3, 1, 2)]
    with torch.inference_mode():
        for stage in chain:
            output = stage.run(carried[-1])
            for first, part in output.features.items():
                features[:, first : first + part.shape[1]] = part
            if output.carried is not None:
                carried.append(output.carried)
        return region_means(features).numpy(), carried[-1].half().numpy()


@dataclass(frozen=True)
class Cached:
    """A source photo that is done.

    Attributes:
        source: the photo.
        failure: why there are no features of it; None if there are.
    """

    source: Path
    failure: PhotoFailure | None = None


@dataclass(frozen=True)
class _CacheFeatures:
    """What becomes of a source photo where it is decoded: its shard."""

    source: Path
    shard: Path
    settings: CacheSettings

    def prepare(self) -> None:
        """Build the networks.

        Raises:
            ModelError: the ImageNet weights are missing.
        """
        _worker_trunks()

    def __call__(self, pixels: NDArray[np.uint8]) -> OSError | None:
        """Write the shard of (H, W, 3) sRGB; what is in the way if it can't be written."""
        try:
            cache_shard(pixels, self.source, self.shard, self.settings, _worker_trunks())
        except OSError as error:
            return error
        return None


@cache
def _worker_trunks() -> Trunks:
    torch.set_num_threads(1)
    return frozen_trunks()


def shard_files(sources: Sequence[Path], folder: Path, settings: CacheSettings) -> dict[Path, Path]:
    """Where the features of each source lie, by source.

    The name tells its content and the settings, so that a photo that was changed, or other settings, have features of
    their own; it begins with what tells a person, and :func:`photo_of`, which photo it is.
    """
    made = json.dumps([VERSION, asdict(settings)], sort_keys=True)
    files = {}
    for source in sources:
        told = f"{made} {source.name} {photo_digest(source)}"
        key = hashlib.blake2b(told.encode(errors="surrogateescape"), digest_size=8).hexdigest()
        files[source] = folder / f"{source.parent.name}__{source.stem}.{key}.npz"
    return files


def photo_of(shard: Path) -> str:
    """The name of the photo of a shard, without folder and ending."""
    return shard.name.split("__", 1)[1].rsplit(".", 2)[0]


def unfit_source(shard: Path) -> str:
    """Why the photo of a shard isn't clean; empty if it is."""
    with np.load(shard) as stored:
        return str(stored["unfit"])


def cache_features(
    shards: Mapping[Path, Path], settings: CacheSettings, *, workers: int = 2
) -> Generator[Cached, None, None]:
    """Cache the features of many source photos, one process a core; shards that exist already are kept.

    A photo that can't be decoded, or that takes its process with it, costs nothing but itself.

    Args:
        shards: by photo, where its features go, from :func:`shard_files`.
        settings: what each shard holds.
        workers: processes.

    Yields:
        Each source as it is done; not those that were.

    Raises:
        ModelError: the ImageNet weights are missing.
        OSError: a shard can't be written.
    """
    missing = {source: shard for source, shard in shards.items() if not shard.exists()}
    for folder in {shard.parent for shard in missing.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    seconds = VARIANT_S * (settings.variants + settings.frames + settings.zooms + settings.smears)
    pool = ProcessWorkers(Decoding(), workers, memory_limit())
    try:
        futures = {}
        for source, shard in missing.items():
            job = _CacheFeatures(source, shard, settings)
            task = Task(str(source), job=job, limit_s=time_limit(str(source), 0), job_s=seconds)
            futures[pool.submit(task)] = source
        for future in as_completed(futures):
            outcome = future.result()
            if outcome.fatal is not None:
                raise outcome.fatal
            if isinstance(outcome.made, OSError):
                raise outcome.made
            yield Cached(futures[future], outcome.failure)
    finally:
        pool.close()

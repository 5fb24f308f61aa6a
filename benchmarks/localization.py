"""Do heat maps show where a defect is? Composites with one defective region, and the map's value against its mask.

    python benchmarks/localization.py --photos FOLDER

Takes those of the photographs given for training that the recipe of the shipped weights held out, gives a part of each
one defect (the left half blurred, a corner over-exposed, a noisy stripe, a hazy top, a tinted patch, ...), and asks the
map. For every defect: the area under the ROC curve of the map's value against the mask (mean over the composites, and
the worst tenth), and how much the map's mean inside exceeds its mean outside. For saturation the value counts in the
direction of the defect. The border of a region is soft; what lies in it counts for neither side.

Where the defect is must be known, so two things are left out: photographs that have a defect of their own (for white
balance also those with a cast that would count as mild), and casts of mixed light that fade inside the region.

The table is that of the model card. It takes about two minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.stats import rankdata

from photodefect.defects import BY_KEY, PATCH_DEFECTS
from photodefect.engines import choose_engine
from photodefect.heatmap import HeatMap, Mapper, heatmaps, open_mapper
from photodefect.photos.colour_spaces import linear_from_pixels
from photodefect.photos.decode import decode
from photodefect.photos.find import find_photos
from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.sources import SourceQuality, is_clean, source_quality
from photodefect.synthesis.white_balance import neutral_chroma
from photodefect.training.compact_samples import is_held_out
from photodefect.training.compact_settings import CompactSettings

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

GRID = 16
"""Pixels between the places where map and mask are compared."""

LEAST_VISIBLE = 0.4
"""A composite counts only if the defect that its region got is at least this severe by its label."""

LARGEST_OWN_CAST = neutral_chroma(0.3)
"""Lab chroma of the cast of its own that a source of white balance may have: below a mild defect's."""

LEAST_SHARE = 0.5
"""A cast is even if every part of the region but a twentieth has this share of its mean."""

TARGETS = {key: 0.75 if key == "haze" else 0.85 for key in (defect.key for defect in PATCH_DEFECTS)}
"""Areas that are to be reached at least."""


@dataclass(frozen=True)
class Composite:
    """A photo with one defective region.

    Attributes:
        pixels: (H, W, 3).
        mask: (H, W), 1 where the defect is, soft at its border.
        sign: +1, or -1 for under-saturation.
        kind: of the region.
    """

    pixels: Pixels
    mask: Plane
    sign: int
    kind: str


def half(height: int, width: int, rng: np.random.Generator) -> Plane:
    """One half of the frame, or a little less or more."""
    mask = np.zeros((height, width), np.float32)
    share = rng.uniform(0.4, 0.6)
    side = rng.integers(4)
    if side == 0:
        mask[:, : round(width * share)] = 1
    elif side == 1:
        mask[:, round(width * share) :] = 1
    elif side == 2:
        mask[: round(height * share)] = 1
    else:
        mask[round(height * share) :] = 1
    return mask


def corner(height: int, width: int, rng: np.random.Generator) -> Plane:
    """A quarter of an ellipse around one corner."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.5:
        x = width - 1 - x
    if rng.random() < 0.5:
        y = height - 1 - y
    radii = rng.uniform(0.5, 0.75, 2)
    return ((x / (radii[0] * width)) ** 2 + (y / (radii[1] * height)) ** 2 < 1).astype(np.float32)


def stripe(height: int, width: int, rng: np.random.Generator) -> Plane:
    """A band across the frame at any angle."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    size = min(height, width)
    distance = (x - width * rng.uniform(0.3, 0.7)) * np.sin(angle) - (y - height * rng.uniform(0.3, 0.7)) * np.cos(
        angle
    )
    return (np.abs(distance) < size * rng.uniform(0.12, 0.2)).astype(np.float32)


def top(height: int, width: int, rng: np.random.Generator) -> Plane:
    """The upper part of the frame."""
    mask = np.zeros((height, width), np.float32)
    mask[: round(height * rng.uniform(0.35, 0.55))] = 1
    return mask


def patch(height: int, width: int, rng: np.random.Generator) -> Plane:
    """An ellipse somewhere in the frame."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = rng.uniform(0.25, 0.75, 2)
    radii = rng.uniform(0.2, 0.35, 2)
    return (((x / width - centre[0]) / radii[0]) ** 2 + ((y / height - centre[1]) / radii[1]) ** 2 < 1).astype(
        np.float32
    )


REGIONS: dict[str, Sequence[Callable[[int, int, np.random.Generator], Plane]]] = {
    "bad_exposure": (corner, half, patch),
    "bad_white_balance": (patch, half, corner),
    "bad_saturation": (patch, half, corner),
    "noise": (stripe, half, patch),
    "haze": (top, corner, half),
    "undesired_blur": (half, stripe, patch),
}
"""The kinds of regions that each defect gets in turn, the one it is known for first."""


def compose(photo: Pixels, key: str, number: int, rng: np.random.Generator) -> Composite | None:
    """Give a part of a photo a defect; None if it doesn't show there."""
    height, width, _ = photo.shape
    sign = -1 if BY_KEY[key].signed and number % 2 else 1
    degraded = degrade(photo, {key: sign * float(rng.uniform(0.6, 0.95))}, rng, camera=False)
    label = degraded.severities[key]
    if degraded.pixels.shape != photo.shape or not abs(label) >= LEAST_VISIBLE:
        return None
    region = REGIONS[key][number % len(REGIONS[key])]
    mask = ndimage.gaussian_filter(region(height, width, rng), 0.01 * max(height, width))
    if not 0.05 < (mask > 0.9).mean() < 0.8:
        return None
    if key == "bad_white_balance" and not is_even_cast(photo, degraded.pixels, mask):
        return None
    blend = photo + (degraded.pixels.astype(np.float32) - photo) * mask[..., None]
    return Composite(np.rint(blend).clip(0, 255).astype(np.uint8), mask, sign, region.__name__)


def is_even_cast(photo: Pixels, cast: Pixels, mask: Plane) -> bool:
    """Whether a cast is about the same in all of a region: mixed light may leave a part of it neutral."""
    inside = mask[GRID // 2 :: GRID, GRID // 2 :: GRID] > 0.9
    shift = log_ratios(cast)[:, inside] - log_ratios(photo)[:, inside]
    mean = shift.mean(axis=1)
    along = mean @ shift / (mean @ mean)
    return bool(np.quantile(along, 0.05) >= LEAST_SHARE)


def log_ratios(pixels: Pixels) -> Plane:
    """Logarithms of red and of blue against green (2, h, w), of linear light around every :data:`GRID` pixels."""
    red, green, blue = (
        ndimage.uniform_filter(plane, GRID)[GRID // 2 :: GRID, GRID // 2 :: GRID] + 1e-3
        for plane in linear_from_pixels(pixels)
    )
    return np.log(np.stack([red / green, blue / green]))


def sources(folder: Path, side: int, validation: int) -> Iterator[tuple[Pixels, SourceQuality]]:
    """The photos of a folder that have no defect of their own, reduced to a long side, and their quality.

    Args:
        folder: with the photos.
        side: longest side.
        validation: one of so many was held out, by its name; 0 takes all.
    """
    for path in find_photos([folder]):
        if validation and not is_held_out(Path(path).stem, validation):
            continue
        pixels = decode(path).pixels
        if max(pixels.shape[:2]) > side:
            image = Image.fromarray(pixels)
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            pixels = np.asarray(image)
        quality = source_quality(pixels)
        if is_clean(quality):
            yield pixels, quality


def compare(heatmap: HeatMap, composite: Composite) -> tuple[float, float]:
    """Area under the ROC curve of value against mask, and mean inside minus mean outside."""
    value = heatmap.enlarged()[GRID // 2 :: GRID, GRID // 2 :: GRID] * composite.sign
    mask = composite.mask[GRID // 2 :: GRID, GRID // 2 :: GRID]
    inside, outside = value[mask > 0.9], value[mask < 0.1]
    ranks = rankdata(np.concatenate([inside, outside]))
    area = (ranks[: inside.size].sum() - inside.size * (inside.size + 1) / 2) / (inside.size * outside.size)
    return float(area), float(inside.mean() - outside.mean())


def composites(photos: Sequence[Pixels], key: str, count: int, seed: int) -> Iterator[Composite]:
    """A number of composites of a defect, going round the photos; fewer if the photos don't take the defect."""
    made = 0
    for attempt in range(6 * count):
        if made == count:
            return
        rng = np.random.default_rng([seed, [defect.key for defect in PATCH_DEFECTS].index(key), attempt])
        composite = compose(photos[attempt % len(photos)], key, made, rng)
        if composite is not None:
            made += 1
            yield composite


def judge(
    mapper: Mapper, photos: Sequence[Pixels], key: str, args: argparse.Namespace
) -> tuple[list[tuple[float, float]], dict[str, list[float]]]:
    """Area and margin of each composite of a defect, and the areas by kind of region."""
    results, by_kind = [], {}
    for number, composite in enumerate(composites(photos, key, args.composites, args.seed)):
        made = heatmaps(mapper, composite.pixels, [key], scale=args.scale, full=args.full, window=args.window)
        heatmap = made.maps[key]
        results.append(compare(heatmap, composite))
        by_kind.setdefault(composite.kind, []).append(results[-1][0])
        if args.keep is not None:
            shown = np.abs(np.clip(heatmap.enlarged(), -1, 1))[..., None] * np.float32(255)
            mask = np.repeat(composite.mask[..., None] * 255, 3, axis=2)
            strip = np.concatenate([composite.pixels, np.repeat(shown, 3, axis=2), mask], axis=1).astype(np.uint8)
            image = Image.fromarray(strip)
            image.thumbnail((1500, 1500))
            image.save(args.keep / f"{key}-{number:02d}-{results[-1][0]:.2f}.jpg")
    return results, by_kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder given for training")
    parser.add_argument(
        "--validation",
        type=int,
        default=CompactSettings().validation,
        metavar="N",
        help="as in training: one photo of so many was held out; 0 takes all of a folder that training never saw",
    )
    parser.add_argument("--model", default="compact", help="name of a shipped model, or a folder")
    parser.add_argument("--defect", action="append", choices=[defect.key for defect in PATCH_DEFECTS])
    parser.add_argument("--composites", type=int, default=60, metavar="N", help="of each defect")
    parser.add_argument("--side", type=int, default=1344, metavar="PIXELS", help="long side of the photos")
    parser.add_argument("--scale", type=float, help="look at this size instead of the default one")
    parser.add_argument("--full", action="store_true", help="noise and blur everywhere, also in large photos")
    parser.add_argument("--window", type=int, metavar="CELLS", help="cells averaged for a value")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put composites, maps and masks there")
    args = parser.parse_args()
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
    mapper = open_mapper(choose_engine(args.model, device="cpu"))
    found = list(sources(args.photos, args.side, args.validation))
    if not found:
        parser.error(f"no clean photo that was held out in {args.photos}")
    identity = mapper.manifest.identity
    neutral = [pixels for pixels, quality in found if quality.cast < LARGEST_OWN_CAST]
    print(
        f"Model {identity.name} ({identity.sha256[:12]}); {len(found)} clean photographs that training did "
        f"not see, {len(neutral)} of them for white balance\n"
    )
    print("| Defect | Composites | AUC | Target | Worst tenth | Inside - outside | AUC by region |")
    print("|---|---:|---:|---:|---:|---:|---|", flush=True)
    for key in args.defect or list(TARGETS):
        photos = neutral if key == "bad_white_balance" else [pixels for pixels, _ in found]
        if not photos:
            parser.error(f"no photo without a cast of its own in {args.photos}")
        results, by_kind = judge(mapper, photos, key, args)
        if not results:
            print(f"| {BY_KEY[key].title} | 0 | - | {TARGETS[key]} | - | - | the defect shows in none of the photos |")
            continue
        areas = np.array([area for area, _ in results])
        margins = np.array([margin for _, margin in results])
        kinds = ", ".join(f"{kind} {np.mean(found):.2f}" for kind, found in by_kind.items())
        print(
            f"| {BY_KEY[key].title} | {len(results)} | {areas.mean():.3f} | {TARGETS[key]} "
            f"| {np.quantile(areas, 0.1):.2f} | {margins.mean():+.2f} | {kinds} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""What more patches, and other places for them, are worth: stability of severities, and results on a benchmark.

    python benchmarks/patches.py MANIFEST.csv [--model compact] [--side 224] [--keep SCORES.npz]

Scores every photo of a benchmark's manifest (as `photodefect evaluate --benchmark` reads it) once: the whole photo,
random patches, the grid of nine, the sharpest of many random places ("sharp", as diagnose does), and the sharpest and
the most textured places of a lattice. Every row of the table is then a choice
among these scores, combined and calibrated as the model says. `--keep` stores the scores, for another table. Patches of
another side than the network's go through torch: a fully convolutional network takes any multiple of 32.

"deviation" is the standard deviation of a photo's severity from draw to draw of the patches, averaged over photos: what
re-framing the same photo may change. The other columns are means over the benchmark's sets of each defect, and over
the defects.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photodefect.core.inputs import content_seed, holistic_input, patch_inputs
from photodefect.core.network.manifest import Manifest
from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.engines import choose_engine
from photodefect.evaluation.benchmark import run_benchmark
from photodefect.evaluation.benchmark_manifest import Entry, read_manifest
from photodefect.evaluation.benchmark_result import BenchmarkResult
from photodefect.evaluation.predictions import Matched, Prediction
from photodefect.photos.decode import decode

COUNTS = (1, 2, 3, 5, 10, 20)
SOURCES = ("random", "grid", "sharp", "sharpest", "textured")
KEYS = [defect.key for defect in DEFECTS]
PATCH_KEYS = [defect.key for defect in PATCH_DEFECTS]
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def sharpness(luma: NDArray[np.float32]) -> float:
    """The strong gradients of a patch: their 95th percentile."""
    down, across = np.gradient(luma)
    return float(np.percentile(np.hypot(down, across), 95))


def texture(luma: NDArray[np.float32]) -> float:
    """The median gradient of a patch: how much of it is covered with detail."""
    down, across = np.gradient(luma)
    return float(np.median(np.hypot(down, across)))


def best_places(pixels: Pixels, measure: Callable[[NDArray[np.float32]], float], count: int, side: int) -> Pixels:
    """The patches, on a lattice of half a side, of which ``measure`` says most; a photo with too few repeats them."""
    height, width, _ = pixels.shape
    if min(height, width) < side:
        return patch_inputs(pixels, count=count, seed=0, side=side)
    tops, lefts = ({*range(0, length - side + 1, side // 2), length - side} for length in (height, width))
    luma = (pixels @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)
    places = [(top, left) for top in sorted(tops) for left in sorted(lefts)]
    # Every second pixel tells enough.
    marks = [measure(luma[top : top + side : 2, left : left + side : 2]) for top, left in places]
    order = np.argsort(marks)[::-1]
    chosen = [places[order[rank % len(order)]] for rank in range(count)]
    return np.stack([pixels[top : top + side, left : left + side] for top, left in chosen])


def score_photos(paths: Sequence[Path], model: str, pool: int, chosen: int, side: int | None) -> dict[str, Floats]:
    """Scores by source: (photos, patches, 6); of ``holistic``: (photos, 1, 7)."""
    choice = choose_engine(model, device="cpu")
    engine = patch_engine = choice.open()
    if side not in (None, choice.patch_side):
        patch_engine = choose_engine(model, device="cpu", engine="torch").open()
    cut = partial(patch_inputs, side=side or choice.patch_side)
    found: dict[str, list[Floats]] = {source: [] for source in ("holistic", *SOURCES)}
    for number, path in enumerate(paths):
        pixels = decode(path).pixels
        whole = holistic_input(pixels)
        seed = content_seed(whole, pixels.shape[1], pixels.shape[0])
        inputs = {
            "random": cut(pixels, count=pool, seed=seed),
            "grid": cut(pixels, placement="grid", seed=0),
            "sharp": cut(pixels, count=2, placement="sharp", seed=seed)[1:],
            "sharpest": best_places(pixels, sharpness, chosen, side or choice.patch_side),
            "textured": best_places(pixels, texture, chosen, side or choice.patch_side),
        }
        scores = engine.scores("holistic", whole[np.newaxis])
        found["holistic"].append(np.stack([scores[key] for key in KEYS], 1).astype(np.float64))
        for source, crops in inputs.items():
            scores = patch_engine.scores("patches", crops)
            found[source].append(np.stack([scores[key] for key in PATCH_KEYS], 1).astype(np.float64))
        if sys.stderr.isatty() or number % 50 == 49:
            print(f"{number + 1} of {len(paths)} photos", file=sys.stderr)
    return {source: np.stack(scores) for source, scores in found.items()}


def severities(
    manifest: Manifest, holistic: Floats, patches: Floats, source: str = "combined"
) -> list[dict[str, float]]:
    """Severities of photos, from (photos, 7) and (photos, 6)."""
    results = []
    for whole, part in zip(holistic, patches, strict=True):
        of_whole, of_patches = (
            dict(zip(KEYS, whole.tolist(), strict=True)),
            dict(zip(PATCH_KEYS, part.tolist(), strict=True)),
        )
        if source == "patches":
            of_whole = of_whole | of_patches
        elif source == "holistic":
            of_patches = {key: of_whole[key] for key in PATCH_KEYS}
        results.append(manifest.combine(of_whole, of_patches))
    return results


def judge(entries: Sequence[Entry], paths: Sequence[Path], found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean result over a defect's sets by defect key."""
    by_path = {path: Prediction(str(path), {"combined": scores}) for path, scores in zip(paths, found, strict=True)}
    matched = Matched(tuple(by_path[entry.path] for entry in entries))
    result: BenchmarkResult = run_benchmark(entries, matched, manifest="", origin="", resamples=0)
    scores: dict[str, list[float]] = {}
    for one in result.sets:
        scores.setdefault(one.defect, []).append(one.score.value)
    return {key: float(np.mean(scores[key])) for key in KEYS if key in scores}


def draws(scores: Mapping[str, Floats], source: str, count: int, manifest: Manifest) -> list[Floats]:
    """Scores of ``count`` patches as the model takes them together, (photos, 6), once for each draw there is.

    ``sharp`` are random ones but for the last, as ``diagnose`` places them.
    """
    pool = scores["random" if source == "sharp" else source]
    size = count - 1 if source == "sharp" else count
    starts = range(0, pool.shape[1] - size + 1, size) if source in ("random", "sharp") else (0,)
    drawn = [pool[:, start : start + size] for start in starts][:8]
    if source == "sharp":
        drawn = [np.concatenate([one, scores["sharp"]], 1) for one in drawn]
    weightings = [manifest.combination[key] for key in PATCH_KEYS]
    return [
        np.array(
            [
                [weighting.pool(of.astype(np.float32)) for weighting, of in zip(weightings, photo.T, strict=True)]
                for photo in one
            ]
        )
        for one in drawn
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--pool", type=int, default=40, help="random patches a photo")
    parser.add_argument("--chosen", type=int, default=20, help="patches a photo chosen by content, for each measure")
    parser.add_argument("--side", type=int, help="of the patches, in pixels (default: the network's)")
    parser.add_argument("--keep", type=Path, help="the photos' scores: read if there, else written")
    arguments = parser.parse_args()
    entries = read_manifest(arguments.manifest)
    paths = list(dict.fromkeys(entry.path for entry in entries))
    if arguments.keep and arguments.keep.exists():
        scores = dict(np.load(arguments.keep))
    else:
        scores = score_photos(paths, arguments.model, arguments.pool, arguments.chosen, arguments.side)
        if arguments.keep:
            np.savez(arguments.keep, **scores)
    manifest = choose_engine(arguments.model, device="cpu").manifest
    holistic = scores["holistic"][:, 0]
    none = np.zeros((len(paths), len(PATCH_KEYS)))
    rows: list[tuple[str, int, float | None, list[dict[str, float]]]] = []
    rows.append(("holistic only", 0, None, [judge(entries, paths, severities(manifest, holistic, none, "holistic"))]))
    for name, source, count in [
        *(
            (f"{source}, {count}", source, count)
            for source in ("random", "sharpest", "textured")
            for count in COUNTS
            if count <= scores[source].shape[1]
        ),
        *((f"sharp, {count}", "sharp", count) for count in COUNTS if 1 < count <= scores["random"].shape[1]),
        ("grid, 9", "grid", 9),
    ]:
        drawn = [severities(manifest, holistic, patches) for patches in draws(scores, source, count, manifest)]
        deviation = None
        if len(drawn) > 1:
            values = np.array([[list(photo.values()) for photo in one] for one in drawn])
            deviation = float(values[..., : len(PATCH_KEYS)].std(0, ddof=1).mean())
        rows.append((name, count, deviation, [judge(entries, paths, one) for one in drawn]))
    for count in (3, 10):
        drawn = [severities(manifest, holistic, it, "patches") for it in draws(scores, "random", count, manifest)]
        rows.append((f"patches only, random, {count}", count, None, [judge(entries, paths, one) for one in drawn]))
    keys = list(rows[0][3][0])
    print(f"{len(paths)} photos, model {manifest.name} {manifest.version}\n")
    print(f"| patches | deviation | {' | '.join(key.replace('_', ' ') for key in keys)} | mean |")
    print(f"|---|{'---:|' * (len(keys) + 2)}")
    for name, _, deviation, results in rows:
        means = [float(np.mean([result[key] for result in results])) for key in keys]
        cells = [f"{value:.3f}" for value in (*means, float(np.mean(means)))]
        print(f"| {name} | {'' if deviation is None else f'{deviation:.4f}'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

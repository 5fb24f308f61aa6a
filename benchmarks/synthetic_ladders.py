"""Ladders of saturation and composition, which no real benchmark has: photographs that training held out, degraded.

Writes pictures and a manifest that ``photodefect evaluate MODEL --benchmark OUT/manifest.csv`` reads. A scene is one
photograph with one draw of how things go wrong; its pictures differ in severity alone. Cameras are drawn too, one a
scene.

    python benchmarks/synthetic_ladders.py PHOTOS OUT --scenes 40
"""

from __future__ import annotations

import argparse
import csv
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from photodefect.photos.find import find_photos
from photodefect.photos.monochrome import is_monochrome
from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.labelled_set import load_source
from photodefect.synthesis.sources import is_clean, source_quality
from photodefect.training.compact_samples import is_held_out
from photodefect.training.compact_settings import CompactSettings

LEVELS = {
    "bad_saturation": (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0),
    "bad_composition": (0.0, 0.25, 0.5, 0.75, 1.0),
}
PAIRS = {"bad_composition": (0.0, 0.6)}
LONG_SIDE = 896


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="the folder that training was given")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--scenes", type=int, default=40, help="photographs, at most")
    arguments = parser.parse_args()

    held_out = CompactSettings().validation
    sources = [Path(path) for path in find_photos([arguments.photos])]
    sources = [path for path in sources if is_held_out(path.stem, held_out) and path.parent.name != "native"]
    arguments.out.mkdir(parents=True)
    rows, scenes = [], 0
    for source in sources:
        pixels = load_source(source, LONG_SIDE)
        if scenes == arguments.scenes or not is_clean(source_quality(pixels)) or is_monochrome(pixels):
            continue
        scenes += 1
        seed = zlib.crc32(source.name.encode())
        for kind, sets in (("ladder", LEVELS), ("pair", PAIRS)):
            for number, (key, levels) in enumerate(sets.items()):
                for level in levels:
                    rng = np.random.default_rng([seed, len(kind), number])
                    degraded = degrade(pixels, {key: level}, rng)
                    name = f"{key}_{kind}_{source.stem}_{level:+.2f}.png"
                    Image.fromarray(degraded.pixels).save(arguments.out / name)
                    mark = level if kind == "ladder" else float(level > 0)
                    rows.append([name, f"syn_{key}_{kind}", source.stem, key, mark, kind, "all"])
    with (arguments.out / "manifest.csv").open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "set", "scene", "defect", "level", "kind", "split"])
        writer.writerows(rows)
    print(f"{len(rows)} pictures of {scenes} photographs")


if __name__ == "__main__":
    main()

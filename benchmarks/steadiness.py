"""How much severities move where nothing changed for a photographer.

    python benchmarks/steadiness.py PHOTOS [--model MODEL] [--photos 60]

Each photo is looked at as it is, saved again as JPEG at quality 97 and 90, cropped by two pixels on each side, and with
another ``--seed``. Printed by defect: how far its severity moves in the mean of the photos, and at most.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect import Diagnoser
from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import PhotodefectError
from photodefect.photos.decode import decode
from photodefect.photos.find import find_photos

OTHER_SEED = 1
MEAN, ANY = 0.05, 0.15
"""How far a severity may move, in the mean of photos and in any."""


def saved_again(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """What a JPEG of this quality keeps of a photo."""
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored))


def variants(pixels: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """A photo as it should be judged alike."""
    yield "quality 97", saved_again(pixels, 97)
    yield "quality 90", saved_again(pixels, 90)
    yield "2 pixels cropped", np.ascontiguousarray(pixels[2:-2, 2:-2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--photos", type=int, default=60, help="spread evenly over the folder")
    arguments = parser.parse_args()
    paths = sorted(find_photos([arguments.folder]))
    chosen = paths[:: max(1, len(paths) // arguments.photos)][: arguments.photos]
    moves: dict[str, list[list[float]]] = {}
    with Diagnoser(arguments.model) as usual, Diagnoser(arguments.model, seed=OTHER_SEED) as other:
        for path in chosen:
            try:
                pixels = decode(path).pixels
            except PhotodefectError as error:
                print(f"left out: {path.name}: {error}")
                continue
            before = severities(usual, pixels)
            for name, changed in variants(pixels):
                moves.setdefault(name, []).append(
                    [abs(a - b) for a, b in zip(before, severities(usual, changed), strict=True)]
                )
            moves.setdefault("another seed", []).append(
                [abs(a - b) for a, b in zip(before, severities(other, pixels), strict=True)]
            )
    print(f"{len(next(iter(moves.values())))} photos; mean move / largest move (wanted: {MEAN} / {ANY})\n")
    titles = [defect.short_title for defect in DEFECTS]
    print(f"{'':18}" + "".join(f"{title:>15}" for title in titles))
    for name, rows in moves.items():
        table = np.array(rows)
        cells = [f"{mean:.3f} / {most:.2f}" for mean, most in zip(table.mean(0), table.max(0), strict=True)]
        print(f"{name:18}" + "".join(f"{cell:>15}" for cell in cells))


def severities(diagnoser: Diagnoser, pixels: NDArray[np.uint8]) -> list[float]:
    """Of a photo's pixels, in the order of the defects."""
    record = diagnoser.diagnose_pixels(pixels)
    assert record.severity is not None
    return [record.severity[key] for key in KEYS]


if __name__ == "__main__":
    main()

"""How often are faults told that anybody would see, and how often are whole photos taken for faulty?

    python benchmarks/known_misses.py FOLDER [--every N] [--model NAME|DIR]

Clean photographs are given one fault each that networks like to miss: two stops too little light, a horizon or building
aslant, half of the picture gone, a colour filter, strong grain; and frames that must not be taken for something else:
nearly black ones for hazy, and the photos as they are. ``shared/photos/whole`` was used for the model card.

Prints a Markdown table: the share of photos in which the defect is at least mild, and severe.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect import Diagnoser
from photodefect.defects import BY_KEY
from photodefect.photos.colour_spaces import encode, linear_from_pixels, pixels_from_encoded
from photodefect.photos.decode import decode_pixels
from photodefect.photos.find import find_photos
from photodefect.verdicts import DEFAULT_THRESHOLDS

Pixels = NDArray[np.uint8]

KEPT = 0.62
"""Share of a frame's sides that is left of one turned by up to 20 degrees: no corner is empty."""

FILTER = (1.0, 0.85, 0.45)
"""What a yellow filter lets pass of red, green and blue."""

GRAIN = 25.0
"""Standard deviation of strong grain in 8-bit steps."""


def as_taken(pixels: Pixels) -> Pixels:
    """The photo itself."""
    return pixels


def with_light(factor: float) -> Callable[[Pixels], Pixels]:
    """So many times as much light."""
    return lambda pixels: pixels_from_encoded(encode(linear_from_pixels(pixels) * factor))


def turned(degrees: float) -> Callable[[Pixels], Pixels]:
    """The middle of the photo, aslant."""

    def turn(pixels: Pixels) -> Pixels:
        image = Image.fromarray(pixels)
        sides = [(round(side * (1 - KEPT) / 2), round(side * (1 + KEPT) / 2)) for side in image.size]
        box = (sides[0][0], sides[1][0], sides[0][1], sides[1][1])
        return np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC).crop(box))

    return turn


def half(pixels: Pixels) -> Pixels:
    """The right half."""
    return np.ascontiguousarray(pixels[:, pixels.shape[1] // 2 :])


def filtered(pixels: Pixels) -> Pixels:
    """Seen through a yellow filter."""
    return (pixels * np.array(FILTER)).astype(np.uint8)


def grainy(pixels: Pixels) -> Pixels:
    """With strong grain."""
    grain = np.random.default_rng(pixels.size).normal(0.0, GRAIN, pixels.shape)
    return (pixels + grain).clip(0, 255).astype(np.uint8)


MISSES: tuple[tuple[str, str, Callable[[Pixels], Pixels]], ...] = (
    ("two stops too dark", "bad_exposure", with_light(0.25)),
    ("turned by 10 degrees", "bad_composition", turned(10)),
    ("turned by 20 degrees", "bad_composition", turned(20)),
    ("half of the picture", "bad_composition", half),
    ("a yellow filter", "bad_white_balance", filtered),
    ("strong grain", "noise", grainy),
)
"""What was done, which defect it is, and how it is done."""

ALARMS: tuple[tuple[str, str, Callable[[Pixels], Pixels]], ...] = (
    ("nearly black", "haze", with_light(0.01)),
    ("the middle alone", "bad_composition", turned(0)),
    *(("as they are", key, as_taken) for key in ("bad_exposure", "bad_white_balance", "noise", "bad_composition")),
)
"""What is none of a defect, alike."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=23, metavar="N", help="only every N-th photo of the folder")
    parser.add_argument("--model", default="compact")
    options = parser.parse_args()
    diagnoser = Diagnoser(options.model)
    photos = list(find_photos([options.folder]))[:: options.every]
    found: dict[tuple[str, str], list[float]] = {}
    for path in photos:
        pixels = decode_pixels(path)
        for what, key, make in (*MISSES, *ALARMS):
            severity = diagnoser.diagnose_pixels(make(pixels)).severity
            assert severity is not None
            found.setdefault((what, key), []).append(abs(severity[key]))
    print(f"| {len(photos)} photos | defect | mild or worse | severe |\n|---|---|--:|--:|")
    for (what, key), severities in found.items():
        limits = DEFAULT_THRESHOLDS[key]
        shares = [np.mean(np.array(severities) >= limit) for limit in (limits.mild, limits.severe)]
        print(f"| {what} | {BY_KEY[key].title} | {shares[0]:.2f} | {shares[1]:.2f} |")


if __name__ == "__main__":
    main()

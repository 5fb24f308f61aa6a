"""How often are looks that a photographer meant taken for faults?

    python benchmarks/intended_looks.py [FOLDER] [--model NAME|DIR]

Night scenes, low key, high key, silhouettes, shallow depth of field, plain backgrounds and monochrome have no fault in
what makes the look: every severe or mild verdict there is a false alarm. Without a folder: photographs of ``samples/``
that have the look, and for looks that none of them has, ones made from them (marked as made) by a tone curve or a plain
background, where a photographer would light the scene so. With a folder: its own photos, in a sub-folder for each look;
sub-folders named as the looks below are judged by the defects that these must not be taken for, others by all seven.

Prints a Markdown table: for every look and defect the numbers of severe and mild verdicts, in bold where they are false
alarms; then each of these with its severity.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from photodefect import Diagnoser, Diagnosis
from photodefect.defects import DEFECTS, KEYS
from photodefect.photos.colour_spaces import encode, linear_from_pixels, luminance, pixels_from_encoded
from photodefect.photos.decode import decode
from photodefect.photos.find import find_photos
from photodefect.verdicts import DEFAULT_THRESHOLDS, grades

Pixels = NDArray[np.uint8]

SAMPLES = Path(__file__).parents[1] / "samples"


def as_taken(pixels: Pixels) -> Pixels:
    """The photo itself."""
    return pixels


def monochrome(pixels: Pixels) -> Pixels:
    """Luminance alone."""
    light = luminance(linear_from_pixels(pixels))
    return pixels_from_encoded(encode(np.repeat(light[None], 3, axis=0)))


def sepia(pixels: Pixels) -> Pixels:
    """Toned: one colour for each lightness."""
    light = luminance(linear_from_pixels(pixels))
    return pixels_from_encoded(encode(np.stack([light**exponent for exponent in (0.85, 1.0, 1.25)])))


def high_key(pixels: Pixels) -> Pixels:
    """Light tones throughout: a curve that lifts the middle by far, keeps blacks and clips nothing that wasn't."""
    return pixels_from_encoded(encode(linear_from_pixels(pixels) ** 0.45))


def silhouette(pixels: Pixels) -> Pixels:
    """What is darker than the sky becomes nearly black; the sky stays."""
    light = linear_from_pixels(pixels)
    tone = luminance(light) ** (1 / 2.2)
    share = ((tone - split(tone)) / 0.2 + 0.5).clip(0.0, 1.0)
    return pixels_from_encoded(encode(light * (0.02 + 0.98 * share**2 * (3.0 - 2.0 * share))))


def on_plain(background: tuple[int, int, int], pixels: Pixels) -> Pixels:
    """What is in the middle of the photo, cut out round, a third as wide as a frame of one colour."""
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    subject = Image.fromarray(pixels[top : top + side, left : left + side])
    mask = Image.new("L", subject.size)
    ImageDraw.Draw(mask).ellipse((side // 25, side // 25, side - side // 25, side - side // 25), fill=255)
    frame = Image.new("RGB", (3 * side, 2 * side), background)
    frame.paste(subject, (side, side // 2), mask.filter(ImageFilter.GaussianBlur(3)))
    return np.asarray(frame)


def split(values: NDArray[np.floating]) -> float:
    """Otsu's threshold of values from 0 to 1: it parts them into two groups that are each as much alike as can be."""
    counts, edges = np.histogram(values, bins=64, range=(0.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between))])


@dataclass(frozen=True)
class Look:
    """Something that a photographer meant.

    Attributes:
        never: keys of the defects that it must not be taken for.
        photos: names of the samples, without ending; all if there are none.
        make: what gives them the look.
    """

    never: tuple[str, ...]
    photos: tuple[str, ...] = ()
    make: Callable[[Pixels], Pixels] = as_taken

    @property
    def made(self) -> bool:
        """Whether the samples don't have the look by themselves."""
        return self.make is not as_taken


TONES = ("bad_exposure", "bad_white_balance", "bad_saturation", "haze")
ALONE = ("blue-periwinkle", "bulb", "canyon-wren", "dog", "dragonfly-on-lavender", "fragrant-chamomile")
"""What a plain background must not be taken for, and whose subject can stand alone."""

LOOKS: Mapping[str, Look] = {
    "night": Look(("bad_exposure", "noise"), ("city", "taipei-city")),
    "low key": Look(("bad_exposure",), ("guitar", "budgie-branch", "blue-periwinkle")),
    "against the light": Look(("bad_exposure", "haze"), ("beacon-street-sunset",)),
    "shallow depth of field": Look(
        ("undesired_blur",),
        (
            "blue-periwinkle",
            "budgie-branch",
            "bulb",
            "canyon-wren",
            "dog",
            "dragonfly-on-lavender",
            "fragrant-chamomile",
        ),
    ),
    "high key": Look(("bad_exposure", "haze"), ("bulb", "canyon-wren", "dog"), high_key),
    "silhouette": Look(
        ("bad_exposure",),
        ("beacon-street-sunset", "lake-sherburne", "roman-colosseum", "taipei-city"),
        silhouette,
    ),
    "on white": Look(TONES, ALONE, partial(on_plain, (246, 246, 246))),
    "on black": Look(TONES, ALONE, partial(on_plain, (6, 6, 7))),
    "on magenta": Look(TONES, ALONE, partial(on_plain, (205, 25, 120))),
    "monochrome": Look(("bad_white_balance", "bad_saturation"), (), monochrome),
    "sepia": Look(("bad_white_balance", "bad_saturation"), (), sepia),
}


def from_samples(diagnoser: Diagnoser, samples: Path = SAMPLES) -> Iterator[tuple[str, Look, Diagnosis]]:
    """Every look's photos, diagnosed."""
    for name, look in LOOKS.items():
        for path in find_photos([samples]):
            if not look.photos or path.stem in look.photos:
                yield name, look, diagnoser.diagnose_pixels(look.make(decode(path).pixels), path.name)


def from_folder(diagnoser: Diagnoser, folder: Path) -> Iterator[tuple[str, Look, Diagnosis]]:
    """The photos in a folder's sub-folders, diagnosed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            name = path.name.replace("-", " ").replace("_", " ").lower()
            never = LOOKS[name].never if name in LOOKS else KEYS
            for diagnosis in diagnoser.diagnose(find_photos([path])):
                if diagnosis.error is None:
                    yield name, Look(never), diagnosis


def alarms(look: Look, diagnosis: Diagnosis) -> list[tuple[str, str, float]]:
    """Key, grade and severity of each false alarm."""
    severity = diagnosis.severity or {}
    found = graded(diagnosis)
    return [(key, found[key], severity[key]) for key in look.never if found.get(key, "good") != "good"]


def graded(diagnosis: Diagnosis) -> Mapping[str, str]:
    """Good, mild or severe for each defect that applies."""
    thresholds = diagnosis.thresholds or DEFAULT_THRESHOLDS
    return grades(diagnosis.severity or {}, thresholds, monochrome=bool(diagnosis.monochrome))


def table(found: Sequence[tuple[str, Look, Diagnosis]]) -> Iterator[str]:
    """The lines of the table, and of the list below it."""
    yield (
        "| look | photos | " + " | ".join(defect.title.lower() for defect in DEFECTS) + " | recognized as monochrome |"
    )
    yield "|---|" + "--:|" * (len(DEFECTS) + 2)
    for name in dict.fromkeys(name for name, _, _ in found):
        looks = [look for other, look, _ in found if other == name]
        diagnoses = [diagnosis for other, _, diagnosis in found if other == name]
        cells = [f"{name}{' (made)' if looks[0].made else ''}", str(len(diagnoses))]
        for key in KEYS:
            grade = [graded(diagnosis).get(key) for diagnosis in diagnoses]
            applies = any(grade)
            text = f"{grade.count('severe')} severe, {grade.count('mild')} mild" if applies else "n/a"
            cells.append(f"**{text}**" if key in looks[0].never else text)
        cells.append(str(sum(bool(diagnosis.monochrome) for diagnosis in diagnoses)))
        yield f"| {' | '.join(cells)} |"
    yield ""
    for name, look, diagnosis in found:
        for key, grade, severity in alarms(look, diagnosis):
            yield f"- {name}: {diagnosis.path}: {grade} {key} {severity:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="compact")
    options = parser.parse_args()
    diagnoser = Diagnoser(options.model)
    found = list(from_samples(diagnoser) if options.folder is None else from_folder(diagnoser, options.folder))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()

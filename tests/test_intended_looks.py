"""Looks that a photographer meant are no faults: on real photographs, and on variants of them where none has the look.

How often the shipped weights are wrong about such looks is in the model card (``benchmarks/intended_looks.py`` counts
it). Here stands what has to hold in any case.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from ranked import record
from scipy import ndimage

from photodefect import Diagnoser, Diagnosis
from photodefect.ranking.hints.advice import findings, hint_for
from photodefect.ranking.hints.measurements import measure
from photodefect.records import Capture
from photodefect.verdicts import Threshold, grades

Pixels = NDArray[np.uint8]

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "intended_looks.py"


@pytest.fixture(scope="module")
def looks() -> Iterator[ModuleType]:
    """The benchmark, which knows which sample has which look and how to make the others."""
    spec = importlib.util.spec_from_file_location("intended_looks", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def photos(samples: Path) -> dict[str, Pixels]:
    result = {}
    for file in sorted(samples.glob("*.jpg")):
        image = Image.open(file).convert("RGB")
        image.thumbnail((1024, 1024), Image.Resampling.LANCZOS)
        result[file.stem] = np.asarray(image)
    return result


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return Diagnoser(patches=4)


def variants(looks: ModuleType, photos: dict[str, Pixels], name: str) -> dict[str, Pixels]:
    look = looks.LOOKS[name]
    return {stem: look.make(pixels) for stem, pixels in photos.items() if not look.photos or stem in look.photos}


@pytest.mark.parametrize("name", ["monochrome", "sepia"])
def test_colour_does_not_apply_to_monochrome_photos_whatever_the_network_says(
    looks: ModuleType, photos: dict[str, Pixels], diagnoser: Diagnoser, name: str
) -> None:
    every = Threshold(0.0001, 0.0001)
    for stem, pixels in variants(looks, photos, name).items():
        if stem not in ("bulb", "dog", "taipei-city", "the-spices-of-life"):
            continue
        diagnosis = diagnoser.diagnose_pixels(pixels, stem)
        assert diagnosis.monochrome, stem
        assert diagnosis.severity is not None
        graded = grades(diagnosis.severity, dict.fromkeys(diagnosis.severity, every), monochrome=True)
        assert not {"bad_white_balance", "bad_saturation"} & set(graded), stem
        assert diagnosis.worst not in ("bad_white_balance", "bad_saturation"), stem
        found = {finding.defect for finding in findings(diagnosis, measure(pixels))}
        assert not {"bad_white_balance", "bad_saturation"} & found, stem


def test_photos_that_only_have_little_colour_or_one_colour_are_no_monochrome(
    photos: dict[str, Pixels], diagnoser: Diagnoser
) -> None:
    for stem in ("guitar", "city", "extreme-desert-hike", "blue-periwinkle"):
        assert not diagnoser.diagnose_pixels(photos[stem], stem).monochrome, stem


def test_a_soft_background_is_never_taken_for_motion(looks: ModuleType, photos: dict[str, Pixels]) -> None:
    for stem, pixels in variants(looks, photos, "shallow depth of field").items():
        for capture in (
            Capture(),
            Capture(shutter_s=1 / 1000, focal_mm=200.0),
            Capture(shutter_s=1 / 15, focal_mm=50.0),
        ):
            hint = hint_for("undesired_blur", 0.6, capture, measure(pixels))
            assert hint.direction != "motion", stem
            if capture.shutter_s == 1 / 15:  # slow enough to shake: then it can be either
                assert hint.direction is None
                assert "can't tell whether moved or out of focus" in hint.text


@pytest.mark.parametrize(("name", "never"), [("night", "over-exposed"), ("low key", "over-exposed")])
def test_what_is_dark_on_purpose_is_at_least_never_told_to_be_made_darker(
    looks: ModuleType, photos: dict[str, Pixels], name: str, never: str
) -> None:
    for stem, pixels in variants(looks, photos, name).items():
        assert hint_for("bad_exposure", 0.6, Capture(), measure(pixels)).direction != never, stem


def test_what_is_bright_on_purpose_is_at_least_never_told_to_be_made_brighter(
    looks: ModuleType, photos: dict[str, Pixels]
) -> None:
    for stem, pixels in variants(looks, photos, "high key").items():
        assert hint_for("bad_exposure", 0.6, Capture(), measure(pixels)).direction != "under-exposed", stem


def severities(diagnoser: Diagnoser, photos: dict[str, Pixels], key: str) -> dict[str, float]:
    found: dict[str, Diagnosis] = {stem: diagnoser.diagnose_pixels(pixels) for stem, pixels in photos.items()}
    return {stem: abs((diagnosis.severity or {})[key]) for stem, diagnosis in found.items()}


def test_a_sharp_subject_before_a_soft_background_is_less_blurred_than_the_same_photo_out_of_focus(
    looks: ModuleType, photos: dict[str, Pixels], diagnoser: Diagnoser
) -> None:
    shallow = variants(looks, photos, "shallow depth of field")
    soft = {stem: ndimage.gaussian_filter(pixels, (6, 6, 0)) for stem, pixels in shallow.items()}
    meant = severities(diagnoser, shallow, "undesired_blur")
    missed = severities(diagnoser, soft, "undesired_blur")
    for stem, value in meant.items():
        assert value < missed[stem], stem
    assert np.median(list(meant.values())) < 0.3
    assert np.median(list(missed.values())) > 0.5


def test_the_shipped_weights_call_no_sample_with_a_sharp_subject_before_a_soft_background_severely_blurred(
    looks: ModuleType, samples: Path
) -> None:
    paths = [samples / f"{stem}.jpg" for stem in looks.LOOKS["shallow depth of field"].photos]
    for diagnosis in Diagnoser().diagnose(paths):
        assert diagnosis.severity is not None
        assert diagnosis.severity["undesired_blur"] < 0.5, diagnosis.path


@pytest.mark.parametrize("name", ["night", "low key", "against the light"])
def test_the_shipped_weights_call_no_dark_sample_badly_exposed(
    looks: ModuleType, photos: dict[str, Pixels], diagnoser: Diagnoser, name: str
) -> None:
    for stem, value in severities(diagnoser, variants(looks, photos, name), "bad_exposure").items():
        assert value < 0.5, stem


def test_the_variants_are_what_they_are_called(looks: ModuleType, photos: dict[str, Pixels]) -> None:
    for stem, pixels in variants(looks, photos, "high key").items():
        before, after = measure(photos[stem]).light, measure(pixels).light
        assert after.middle > max(0.3, before.middle), stem
        assert after.clipped < before.clipped + 0.05, stem
    for stem, pixels in variants(looks, photos, "silhouette").items():
        before, after = measure(photos[stem]).light, measure(pixels).light
        assert after.bright == pytest.approx(before.bright, rel=0.1), stem
        assert (pixels.max(axis=2) < 60).mean() > 0.25, stem


def test_the_table_counts_false_alarms_of_each_look(looks: ModuleType) -> None:
    shallow = looks.LOOKS["shallow depth of field"]
    found = [
        ("shallow depth of field", shallow, record("a.jpg", undesired_blur=0.7, noise=0.4)),
        ("shallow depth of field", shallow, record("b.jpg", undesired_blur=0.4)),
        ("monochrome", looks.LOOKS["monochrome"], record("c.jpg", monochrome=True, bad_saturation=0.9)),
    ]
    lines = list(looks.table(found))
    assert "| **1 severe, 1 mild** |" in lines[2]
    assert "| 0 severe, 1 mild |" in lines[2]
    assert lines[3].startswith("| monochrome (made) | 1 |")
    assert lines[3].count("**n/a**") == 2
    assert lines[5:] == [
        "- shallow depth of field: a.jpg: severe undesired_blur 0.70",
        "- shallow depth of field: b.jpg: mild undesired_blur 0.40",
    ]

"""The Diagnoser: the same photo gets the same scores in any company, and no photo stops the others."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import photodefect.diagnosis.diagnoser
from photodefect import Diagnoser, Diagnosis, Threshold
from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.model import load_model
from photodefect.core.network.registry import NETWORKS
from photodefect.defects import KEYS, PATCH_DEFECTS
from photodefect.diagnosis.diagnoser import READ_AHEAD, available_cores
from photodefect.diagnosis.workers.tasks import PixelJob
from photodefect.engines.devices import pick_device
from photodefect.errors import ModelError
from photodefect.photos.decode import decode
from photodefect.verdicts import DEFAULT_THRESHOLDS

NAMES = ("dog.jpg", "bulb.jpg", "city.jpg", "guitar.jpg")


@pytest.fixture(scope="module")
def diagnoser(random_model: Path) -> Diagnoser:
    return Diagnoser(random_model, patches=3)


@pytest.fixture(scope="module")
def photos(samples: Path) -> list[Path]:
    return [samples / name for name in NAMES]


@pytest.fixture(scope="module")
def diagnoses(diagnoser: Diagnoser, photos: list[Path]) -> list[Diagnosis]:
    return list(diagnoser.diagnose(photos))


def test_records_come_in_the_order_of_the_paths(photos: list[Path], diagnoses: list[Diagnosis]) -> None:
    assert [diagnosis.path for diagnosis in diagnoses] == [str(photo) for photo in photos]
    assert all(diagnosis.error is None for diagnosis in diagnoses)


def test_different_photos_get_different_scores(diagnoses: list[Diagnosis]) -> None:
    assert len({tuple(diagnosis.severity.values()) for diagnosis in diagnoses if diagnosis.severity}) == len(NAMES)


def test_a_photo_scores_the_same_alone_and_in_any_company(
    diagnoser: Diagnoser, photos: list[Path], diagnoses: list[Diagnosis]
) -> None:
    by_path = {diagnosis.path: diagnosis for diagnosis in diagnoses}
    for photo in photos:
        assert list(diagnoser.diagnose([photo])) == [by_path[str(photo)]]
    for diagnosis in diagnoser.diagnose([*reversed(photos), *photos]):
        assert diagnosis == by_path[diagnosis.path]


def test_a_photos_name_and_place_do_not_change_its_scores(
    diagnoser: Diagnoser, photos: list[Path], diagnoses: list[Diagnosis], tmp_path: Path
) -> None:
    copy = tmp_path / "another name.png"
    shutil.copy(photos[0], copy)
    (again,) = diagnoser.diagnose([copy])
    assert again.severity == diagnoses[0].severity
    assert again.path == str(copy)


def test_scores_are_those_of_the_networks_and_their_mean(
    random_model: Path, photos: list[Path], diagnoses: list[Diagnosis]
) -> None:
    """Sections 4.2 and 4.4, computed here from the inputs, by hand."""
    model = load_model(random_model, folded=False)
    pixels = decode(photos[1]).pixels
    holistic = torch.from_numpy(holistic_input(pixels)[np.newaxis]).permute(0, 3, 1, 2)
    with torch.no_grad():
        logits = model.holistic(holistic)
    record = diagnoses[1]
    assert record.holistic is not None
    assert record.patches is not None
    assert record.severity is not None
    noise = logits["noise"].softmax(1)[0] @ torch.linspace(0, 1, 11)
    saturation = logits["bad_saturation"].softmax(1)[0] @ torch.linspace(-1, 1, 21)
    assert record.holistic["noise"] == pytest.approx(float(noise), abs=1e-4)
    assert record.holistic["bad_saturation"] == pytest.approx(float(saturation), abs=1e-4)
    for defect in PATCH_DEFECTS:
        mean = (record.holistic[defect.key] + record.patches[defect.key]) / 2
        assert record.severity[defect.key] == pytest.approx(mean, abs=2e-6)
    assert "bad_composition" not in record.patches
    assert record.severity["bad_composition"] == record.holistic["bad_composition"]


def test_a_grids_score_is_the_mean_over_its_nine_patches(random_model: Path, photos: list[Path]) -> None:
    diagnoser = Diagnoser(random_model, placement="grid")
    (record,) = diagnoser.diagnose([photos[2]])
    side = NETWORKS["lite0"].patch_side
    patches = patch_inputs(decode(photos[2]).pixels, placement="grid", seed=0, side=side)
    assert patches.shape == (9, side, side, 3)
    model = load_model(random_model)
    with torch.no_grad():
        scores = [
            float(model.patches.severities(torch.from_numpy(patch[np.newaxis]).permute(0, 3, 1, 2))["haze"])
            for patch in patches
        ]
    assert record.patches is not None
    assert record.patches["haze"] == pytest.approx(np.mean(scores), abs=1e-4)


def test_a_seed_draws_other_patches_and_a_grid_needs_none(random_model: Path, photos: list[Path]) -> None:
    model = load_model(random_model)

    def patches(**settings: object) -> object:
        (record,) = Diagnoser(model, patches=2, **settings).diagnose(photos[:1])  # type: ignore[arg-type]
        return record.patches

    assert patches() == patches()
    assert patches(seed=1) == patches(seed=1)
    assert patches() != patches(seed=1) != patches(seed=2)
    assert patches(placement="grid", seed=1) == patches(placement="grid", seed=2)


def test_a_record_says_what_photo_and_model_it_is_of(diagnoses: list[Diagnosis], random_model: Path) -> None:
    record = diagnoses[0]
    with Image.open(record.path) as image:
        assert (record.width, record.height) == image.size
    assert record.provenance is not None
    assert record.provenance.format == "JPEG"
    assert record.capture is not None
    assert record.monochrome is False
    assert record.model == load_model(random_model).identity
    assert record.thresholds == DEFAULT_THRESHOLDS
    assert record.worst in KEYS
    assert record.percentile is None  # the random model has no reference


def test_own_thresholds_make_the_verdict(random_model: Path, photos: list[Path]) -> None:
    strict = Diagnoser(random_model, patches=1, thresholds={"noise": Threshold(0.001, 0.002)})
    (record,) = strict.diagnose(photos[:1])
    assert record.verdict == "severe"
    assert record.thresholds is not None
    assert record.thresholds["noise"] == Threshold(0.001, 0.002)
    assert record.thresholds["haze"] == Threshold()


def test_pixels_in_memory_score_as_the_file_does(
    diagnoser: Diagnoser, photos: list[Path], diagnoses: list[Diagnosis]
) -> None:
    record = diagnoser.diagnose_pixels(decode(photos[0]).pixels, "mine")
    assert record.path == "mine"
    # Not necessarily with as many threads, and so not to the last bit.
    assert record.severity == pytest.approx(diagnoses[0].severity, abs=1e-5)
    assert (record.capture, record.provenance) == (None, None)


@pytest.mark.parametrize("pixels", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_pixels_of_another_shape_or_type_are_refused(diagnoser: Diagnoser, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        diagnoser.diagnose_pixels(pixels)


def test_a_monochrome_photo_is_told_from_a_coloured_one(diagnoser: Diagnoser, photos: list[Path]) -> None:
    grey = np.repeat(decode(photos[0]).pixels.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    record = diagnoser.diagnose_pixels(grey)
    assert record.monochrome is True
    assert record.worst not in ("bad_saturation", "bad_white_balance")


def test_bad_files_get_a_record_with_an_error_and_the_others_are_diagnosed(
    diagnoser: Diagnoser, photos: list[Path], diagnoses: list[Diagnosis], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a photo")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    truncated = tmp_path / "truncated.jpg"
    truncated.write_bytes(photos[0].read_bytes()[:20_000])
    missing = tmp_path / "missing.jpg"
    records = list(diagnoser.diagnose([text, photos[0], empty, truncated, photos[1], missing]))
    kinds = [None if record.error is None else record.error.type for record in records]
    assert kinds == ["UnsupportedError", None, "UnreadableError", "UnreadableError", None, "UnreadableError"]
    assert records[1] == diagnoses[0]
    assert records[4] == diagnoses[1]
    for record in records:
        assert record.error is None or (record.error.message and record.severity is record.verdict is None)


def test_a_photo_with_more_pixels_than_the_limit_is_a_record_with_an_error(
    random_model: Path, photos: list[Path]
) -> None:
    with Image.open(photos[0]) as image:
        pixels = image.width * image.height
    with Diagnoser(random_model, patches=1, workers=1, max_pixels=pixels - 1) as strict:
        (record,) = strict.diagnose(photos[:1])
    assert record.error is not None
    assert record.error.type == "TooLargeError"


def test_a_file_that_vanishes_while_the_run_goes_on_is_one_error(
    diagnoser: Diagnoser, photos: list[Path], tmp_path: Path
) -> None:
    copies = [
        Path(shutil.copy(photos[0], tmp_path / f"{number}.jpg")) for number in range(available_cores() + READ_AHEAD + 3)
    ]
    records = diagnoser.diagnose(copies)
    next(records)
    copies[-1].unlink()
    *others, last = records
    assert all(record.error is None for record in others)
    assert last.error is not None
    assert last.error.type == "UnreadableError"


@dataclass(frozen=True)
class Buggy:
    """A job that meets a photo that nobody foresaw."""

    def __call__(self, pixels: np.ndarray) -> int:
        raise ZeroDivisionError(f"a bug met {pixels.shape[1]} columns")


@pytest.mark.parametrize("isolated", [True, False])
def test_an_unexpected_error_is_one_record_and_its_traceback_is_logged(
    random_model: Path, photos: list[Path], caplog: pytest.LogCaptureFixture, isolated: bool
) -> None:
    with (
        caplog.at_level(logging.DEBUG, "photodefect"),
        Diagnoser(random_model, patches=1, isolated=isolated) as diagnoser,
    ):
        ((record, seen),) = diagnoser.diagnose_with(photos[:1], PixelJob(Buggy()))
    assert record.error is not None
    assert record.error.type == "InternalError"
    assert record.error.message.startswith("ZeroDivisionError: a bug met ")
    assert seen is None
    assert "Traceback" in caplog.text
    assert "in __call__" in caplog.text


def test_photos_are_read_only_a_few_ahead_of_the_records(diagnoser: Diagnoser, photos: list[Path]) -> None:
    taken = 0

    def count() -> Iterator[Path]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield photos[1]

    records = diagnoser.diagnose(count())
    assert taken == 0
    for done in range(1, 6):
        next(records)
        assert taken <= done + available_cores() + READ_AHEAD
    records.close()
    assert taken < 100


def test_names_that_are_not_utf8_are_diagnosed(diagnoser: Diagnoser, photos: list[Path], tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    shutil.copy(photos[1], path)
    (record,) = diagnoser.diagnose([os.fsdecode(path)])
    assert record.error is None
    assert os.fsencode(record.path) == path


def test_a_wrong_number_of_patches_or_a_wrong_device_is_refused(random_model: Path) -> None:
    with pytest.raises(ValueError, match="patches must be 1 or more"):
        Diagnoser(random_model, patches=0)
    with pytest.raises(ValueError, match="a device is one of auto, cpu, cuda, mps"):
        pick_device("gpu")


def test_a_device_that_is_not_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="no cuda device"):
        pick_device("cuda")


def test_auto_takes_the_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"


def test_diagnosing_needs_no_torchvision_and_no_network(random_model: Path, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    script = f"""
import sys
def forbid(event, args):
    if event.startswith("socket."):
        raise OSError("no network here")
sys.addaudithook(forbid)
from photodefect import Diagnoser
(record,) = Diagnoser({str(random_model)!r}, patches=1).diagnose([{str(photos[0])!r}])
assert record.error is None, record.error
assert "torchvision" not in sys.modules
"""
    root = Path(photodefect.__file__).parents[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root), os.environ.get("PYTHONPATH", "")])
    }
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=tmp_path, env=environment)


@dataclass(frozen=True)
class Shape:
    """Tells the size of a photo, and the process that sees it."""

    def __call__(self, pixels: np.ndarray) -> tuple[tuple[int, ...], int]:
        return pixels.shape, os.getpid()


def test_a_job_on_the_pixels_gives_what_it_made_beside_each_record(
    diagnoser: Diagnoser, photos: list[Path], diagnoses: list[Diagnosis]
) -> None:
    done = list(diagnoser.diagnose_with([*photos, "nowhere.jpg"], PixelJob(Shape())))
    for (diagnosis, seen), expected in zip(done, diagnoses, strict=False):
        assert diagnosis == expected
        assert seen is not None
        assert seen[0] == (diagnosis.height, diagnosis.width, 3)
        assert seen[1] != os.getpid()
    last, nothing = done[-1]
    assert last.error is not None
    assert nothing is None


def test_a_job_that_no_other_process_can_have_is_refused(diagnoser: Diagnoser, photos: list[Path]) -> None:
    with pytest.raises(TypeError, match="can't be sent to another process"):
        next(diagnoser.diagnose_with(photos, PixelJob(lambda pixels: pixels.shape)))


def test_threads_and_processes_and_a_loaded_model_say_the_same(
    random_model: Path, photos: list[Path], diagnoses: list[Diagnosis]
) -> None:
    for other in (Diagnoser(random_model, patches=3, isolated=False), Diagnoser(load_model(random_model), patches=3)):
        for record, expected in zip(other.diagnose(photos), diagnoses, strict=True):
            assert record.severity == pytest.approx(expected.severity, abs=1e-4)
            assert record.capture == expected.capture


def test_batches_across_photos_as_on_a_gpu_say_the_same(
    random_model: Path, photos: list[Path], diagnoses: list[Diagnosis], tmp_path: Path
) -> None:
    """Workers decode and cut, this process computes; what waits is computed together."""
    with Diagnoser(random_model, patches=3, device="cpu") as diagnoser:
        diagnoser._settings = replace(diagnoser._settings, score=False)
        records = list(diagnoser.diagnose([*photos, tmp_path / "nowhere.jpg", *photos]))
    assert [record.path for record in records] == [*map(str, photos), str(tmp_path / "nowhere.jpg"), *map(str, photos)]
    for record, expected in zip([*records[:4], *records[5:]], [*diagnoses, *diagnoses], strict=True):
        assert record.severity == pytest.approx(expected.severity, abs=1e-4)
        assert record.capture == expected.capture
    assert records[4].error is not None

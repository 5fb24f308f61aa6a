"""``photodefect train`` as a person calls it: from photos to a model that ``diagnose`` takes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import load_file
from tiny_training import tiny_builder, tiny_network
from torch import nn
from typer.testing import CliRunner, Result

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.cli.guard import guarded
from photodefect.cli.train import NetworkName, RecipeName, train
from photodefect.core.network.manifest import Calibration, Manifest, Normalization, Weighting
from photodefect.core.network.model import load_model, save_model
from photodefect.core.network.multicolumn import Column
from photodefect.core.network.registry import NETWORKS, Kind, build_network
from photodefect.defects import DEFECTS, KEYS
from photodefect.training import compact_recipe
from photodefect.training.checkpoint import checkpoints
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.listener import StepReport
from photodefect.training.progress import TrainingProgress
from photodefect.training.samples import LeftOut
from photodefect.training.settings import RECIPES

QUICK = ("--init", "random", "--batch", "1", "--steps", "2", "--device", "cpu")


@pytest.fixture
def labels(samples: Path, tmp_path: Path) -> Path:
    """Twelve small photos and their labels, in a folder of their own."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for index, path in enumerate(sorted(samples.glob("*.jpg"))[:12]):
        image = Image.open(path).convert("RGB")
        image.thumbnail((160, 160))
        image.save(folder / path.name)
        levels = [((index + 3 * place) % 11) / 10 for place in range(7)]
        severities = [2 * level - 1 if defect.signed else level for defect, level in zip(DEFECTS, levels, strict=True)]
        rows.append(f"{path.name}," + ",".join(f"{severity:.1f}" for severity in severities))
    csv = folder / "labels.csv"
    csv.write_text(f"path,{','.join(KEYS)}\n" + "\n".join(rows) + "\n")
    return csv


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a few weights goes by the name of lite0."""
    monkeypatch.setitem(NETWORKS, "lite0", tiny_builder())


def run(*arguments: str | Path) -> Result:
    command = typer.Typer()
    command.command("train")(guarded(train))
    with torch.random.fork_rng():
        return CliRunner().invoke(command, [*map(str, arguments)])


def with_another_norm(kind: Kind) -> tuple[nn.Module, dict[str, Column]]:
    """Builds a tiny network that has weights which the one in place of lite0 lacks."""
    trunk, columns = tiny_builder().build(kind)
    return nn.Sequential(trunk, nn.BatchNorm2d(4)), columns


def run_until(step: int, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Result:
    """As :func:`run`, with a Ctrl-C after a step."""
    told = TrainingProgress.step

    def interrupt(self: TrainingProgress, report: StepReport) -> None:
        told(self, report)
        if report.step == step:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingProgress, "step", interrupt)
        return run(*arguments)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def advised(result: Result) -> list[str]:
    """The options of the next step that is printed, to be added to the same command."""
    (options,) = re.findall(r"the same command with (--.*?) (?:trains it|goes on)", unboxed(result.stderr))
    return str(options).split()


def unboxed(text: str) -> str:
    """What is written in a box of the terminal's width, on one line."""
    return " ".join(text.replace("│", " ").split())


def test_a_small_labelled_set_becomes_a_model_that_diagnose_takes(labels: Path, samples: Path, tmp_path: Path) -> None:
    model = tmp_path / "my model"
    result = run(labels, "-o", model, *QUICK, "--validate-every", "2")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "11 photos to train on, 1 held out" in result.stderr
    assert "holistic: step 2/2, loss " in result.stderr
    assert "composition" in result.stderr
    assert "patches: after step 2 validation loss" in result.stderr
    assert "left\n" in result.stderr, "time left"
    manifest = json.loads((model / "manifest.json").read_text())
    assert (manifest["name"], manifest["network"]) == ("my model", "lite0")
    assert manifest["combination"]["haze"] == {"holistic": 0.5, "patches": 0.5}
    assert "calibration" not in manifest
    assert "reference" not in manifest, "one photo says nothing about percentiles"
    settings = json.loads((model / "training" / "settings.json").read_text())["settings"]
    assert settings["recipe"]["steps"] == 2
    assert [path.name for path in checkpoints(model / "training" / "patches")] == ["step-00000002.pt"]

    arguments = ["diagnose", "--model", str(model), "--patches", "1", "--format", "json", str(samples / "dog.jpg")]
    diagnosed = CliRunner().invoke(app, arguments)
    assert diagnosed.exit_code == 0, diagnosed.output
    (record,) = json.loads(diagnosed.stdout)
    assert list(record["severity"]) == list(KEYS)
    assert record["model"]["name"] == "my model"


@pytest.mark.usefixtures("tiny")
def test_the_networks_of_a_model_may_be_trained_one_by_one(labels: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    first = run(labels, "-o", output, *QUICK, "--inputs", "patches")
    assert first.exit_code == 0
    assert "the holistic network is still missing for a model: the same command with " in unboxed(first.stderr)
    assert not (output / "manifest.json").exists()
    patches = checkpoints(output / "training" / "patches")[0].read_bytes()
    second = run(labels, "-o", output, *QUICK, "--inputs", "patches", *advised(first))
    assert second.exit_code == 0, second.output
    assert load_model(output).manifest.name == "run"
    assert checkpoints(output / "training" / "patches")[0].read_bytes() == patches


@pytest.mark.usefixtures("tiny")
def test_clean_photos_are_degraded_and_learnt_from(samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clean"
    folder.mkdir()
    for name in ("dog", "taipei-city", "canyon-wren", "oakland-zoo-otters"):
        image = Image.open(samples / f"{name}.jpg")
        image.thumbnail((128, 128))
        image.save(folder / f"{name}.png")
    Image.new("RGB", (128, 128), "black").save(folder / "night.png")
    synthesis = ("--synthesize", folder, "--variants", "3", "--validation", "0.5", "--seed", "1")
    result = run(*synthesis, "-o", tmp_path / "run", *QUICK, "--batch", "3")
    assert result.exit_code == 0, result.output
    assert "left out, not clean enough to be degraded: " in result.stderr
    assert f"{folder}/night.png (too dark)" in result.stderr
    assert load_model(tmp_path / "run").manifest.network == "lite0"


@pytest.mark.usefixtures("tiny")
def test_ctrl_c_saves_a_checkpoint_and_resuming_ends_where_an_uninterrupted_run_does(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = (*QUICK, "--steps", "6", "--validate-every", "4")
    assert run(labels, "-o", tmp_path / "straight", *quick).exit_code == 0
    before = signal.getsignal(signal.SIGINT)
    interrupted = run_until(3, monkeypatch, labels, "-o", tmp_path / "halves", *quick)
    assert interrupted.exit_code == 130
    assert "holistic: 3 steps: interrupted" in interrupted.stderr
    assert "--resume auto goes on there" in interrupted.stderr
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "halves" / "manifest.json").exists()
    assert run(labels, "-o", tmp_path / "halves", *quick, "--resume", "auto").exit_code == 0
    for kind in ("holistic", "patches"):
        one, other = (load_file(tmp_path / run_ / f"{kind}.safetensors") for run_ in ("straight", "halves"))
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_network_is_no_part_of_a_model(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    quick = (labels, "-o", output, *QUICK, "--recipe", "finetune")
    assert run_until(2, monkeypatch, *quick, "--inputs", "holistic", "--steps", "6").exit_code == 130
    patches = run(*quick, "--inputs", "patches", "--steps", "1", "--resume", "auto")
    assert patches.exit_code == 0
    assert "the holistic network was interrupted after step 2 of 6, so no model is written" in unboxed(patches.stderr)
    assert not (output / "manifest.json").exists()
    last = run(*quick, "--inputs", "patches", "--steps", "1", *advised(patches))
    assert last.exit_code == 0, last.output
    assert checkpoints(output / "training" / "holistic")[-1].name == "step-00000006.pt"
    assert load_model(output).manifest.name == "run"


@pytest.mark.usefixtures("tiny")
def test_training_goes_on_from_a_checkpoint_that_is_named(labels: Path, tmp_path: Path) -> None:
    quick = (*QUICK, "--inputs", "holistic", "--checkpoint-every", "1")
    assert run(labels, "-o", tmp_path / "run", *quick).exit_code == 0
    first = tmp_path / "run" / "training" / "holistic" / "step-00000001.pt"
    result = run(labels, "-o", tmp_path / "run", *quick, "--resume", first, "--steps", "3")
    assert result.exit_code == 0, result.output
    assert "step 2/3" in result.stderr or "step 3/3" in result.stderr
    names = [path.name for path in checkpoints(first.parent)]
    assert names == ["step-00000001.pt", "step-00000002.pt", "step-00000003.pt"]


@pytest.mark.usefixtures("tiny")
def test_a_checkpoint_that_is_named_must_be_of_the_network_that_is_trained(labels: Path, tmp_path: Path) -> None:
    assert run(labels, "-o", tmp_path / "run", *QUICK).exit_code == 0
    training, new = tmp_path / "run" / "training", tmp_path / "new"
    patches = training / "patches" / "step-00000002.pt"
    for output in (tmp_path / "run", new):
        other = run(labels, "-o", output, *QUICK, "--inputs", "holistic", "--steps", "3", "--resume", patches)
        assert other.exit_code == 4
        assert (
            f"{patches} is a checkpoint of the patches network, not of the holistic one; see --inputs" in other.stderr
        )
    both = run(labels, "-o", new, *QUICK, "--steps", "3", "--resume", patches)
    assert both.exit_code == 2
    assert "has none of the holistic one, which is trained first; take --inputs patches" in unboxed(both.stderr)
    assert not new.exists()
    holistic = training / "holistic" / "step-00000002.pt"
    first = run(labels, "-o", new, *QUICK, "--steps", "3", "--resume", holistic)
    assert first.exit_code == 0, first.output
    assert f"patches: {new} has no checkpoint of it, so it begins anew" in unboxed(first.stderr)
    assert [path.name for path in checkpoints(new / "training" / "holistic")] == ["step-00000003.pt"]
    within = run(labels, "-o", tmp_path / "run", *QUICK, "--steps", "4", "--resume", patches)
    assert within.exit_code == 0, "both networks have a checkpoint there"
    alone = run(labels, "-o", tmp_path / "alone", *QUICK, "--inputs", "patches", "--steps", "3", "--resume", patches)
    assert alone.exit_code == 0, "what the message advises works"


@pytest.mark.usefixtures("tiny")
def test_a_model_can_be_what_training_begins_from(labels: Path, tmp_path: Path) -> None:
    assert run(labels, "-o", tmp_path / "first", *QUICK).exit_code == 0
    again = ("--init", tmp_path / "first", "--inputs", "holistic", "--recipe", "finetune", "--learning-rate", "1e-9")
    result = run(labels, "-o", tmp_path / "second", *QUICK, *again)
    assert result.exit_code == 0, result.output
    for kind, tolerance in (("holistic", 1e-4), ("patches", 0.0)):
        before, after = (load_file(tmp_path / name / f"{kind}.safetensors") for name in ("first", "second"))
        weights = [name for name in before if "running" not in name]
        assert all(torch.allclose(before[name], after[name], atol=tolerance, rtol=0) for name in weights)


@pytest.mark.usefixtures("tiny")
def test_a_checkpoint_of_another_network_is_refused(labels: Path, tmp_path: Path) -> None:
    assert run(labels, "-o", tmp_path / "run", *QUICK, "--inputs", "holistic").exit_code == 0
    other = (*QUICK, "--network", "googlenet", "--inputs", "holistic", "--resume", "auto")
    before = contents(tmp_path / "run")
    result = run(labels, "-o", tmp_path / "run", *other)
    assert result.exit_code == 4
    assert "is a checkpoint of the network lite0, not of googlenet" in result.stderr
    assert contents(tmp_path / "run") == before


@pytest.mark.usefixtures("tiny")
def test_a_resumed_run_must_be_the_same_run(labels: Path, tmp_path: Path) -> None:
    quick = (*QUICK, "--inputs", "holistic", "--resume", "auto")
    assert run(labels, "-o", tmp_path / "run", *quick).exit_code == 0
    faster = run(labels, "-o", tmp_path / "run", *quick, "--learning-rate", "0.5")
    assert faster.exit_code == 2
    assert "--learning-rate was 0.0001 when this run began and is 0.5 now" in unboxed(faster.stderr)
    labels.write_text(labels.read_text().replace("0.3", "0.4", 1))
    other = run(labels, "-o", tmp_path / "run", *quick)
    assert other.exit_code == 2
    assert "the photos, labels or votes are not those that" in other.stderr
    assert unboxed(other.stderr).endswith("Give the same ones, or begin anew in another --output.")
    assert run(labels, "-o", tmp_path / "model", *QUICK).exit_code == 0
    for change in ((), ("--learning-rate", "0.5")):
        labels.write_text(labels.read_text().replace("0.4", "0.5", 1))
        changed = run(labels, "-o", tmp_path / "model", *QUICK, *change, "--resume", "auto")
        assert changed.exit_code == 2
        assert "begin anew in another --output, from the model that is here if you like (--init" in (
            unboxed(changed.stderr)
        )
    anew = run(labels, "-o", tmp_path / "other", *QUICK, "--init", tmp_path / "model")
    assert anew.exit_code == 0, "what the message advises works"


@pytest.mark.usefixtures("tiny")
def test_other_votes_or_other_rules_for_sources_are_another_run(labels: Path, tmp_path: Path) -> None:
    quick = (*QUICK, "--inputs", "holistic")
    header, *rows = labels.read_text().splitlines()
    for end, code in (("0;0.5;1", 0), ("0.5;0.5;0.5", 2)):
        labels.write_text("\n".join([f"{header},haze_votes", *(f"{row},{end}" for row in rows)]) + "\n")
        result = run(labels, "-o", tmp_path / "votes", *quick, "--resume", "auto", "--steps", "4")
        assert result.exit_code == code
    assert "the photos, labels or votes are not those that" in result.stderr
    synthesis = ("--synthesize", labels.parent, "-o", tmp_path / "synthetic", *quick, "--variants", "1")
    assert run(*synthesis).exit_code == 0
    any_source = run(*synthesis, "--any-source", "--resume", "auto", "--steps", "4")
    assert any_source.exit_code == 2
    assert "--any-source was False when this run began and is True now" in unboxed(any_source.stderr)


@pytest.mark.usefixtures("tiny")
def test_neither_a_run_nor_a_model_is_overwritten(labels: Path, tmp_path: Path) -> None:
    assert run(labels, "-o", tmp_path / "run", *QUICK).exit_code == 0
    again = run(labels, "-o", tmp_path / "run", *QUICK)
    assert again.exit_code == 2
    assert "holds a training run already: go on with it (--resume auto)" in again.stderr
    for path in (tmp_path / "run" / "training").rglob("*.pt"):
        path.unlink()
    assert "holds a model already" in run(labels, "-o", tmp_path / "run", *QUICK).stderr
    for resume in ((), ("--resume", "auto")):
        result = run(labels, "-o", labels, *QUICK, *resume)
        assert result.exit_code == 2
        assert "is a file" in result.stderr


@pytest.mark.usefixtures("tiny")
def test_going_on_doesnt_replace_a_model_that_has_no_checkpoint_to_go_on_from(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = tmp_path / "model", tmp_path / "other"
    assert run(labels, "-o", other, *QUICK).exit_code == 0
    assert run(labels, "-o", model, *QUICK).exit_code == 0
    foreign = other / "training" / "patches" / "step-00000002.pt"
    named = run(labels, "-o", model, *QUICK, "--inputs", "patches", "--steps", "3", "--resume", foreign)
    assert named.exit_code == 2
    assert "step-00000002.pt is not a checkpoint of the run or model that" in unboxed(named.stderr)
    shutil.rmtree(model / "training")
    before = contents(model)
    for resume in ("auto", foreign):
        for inputs in ("both", "patches"):
            result = run(labels, "-o", model, *QUICK, "--inputs", inputs, "--steps", "1", "--resume", resume)
            assert result.exit_code == 2, result.output
            assert f"--init {model}" in result.stderr or "is not a checkpoint of" in unboxed(result.stderr)
    assert contents(model) == before
    monkeypatch.setitem(NETWORKS, "googlenet", replace(tiny_builder(), name="googlenet", build=with_another_norm))
    google = tmp_path / "google"
    networks = [build_network("googlenet", kind) for kind in ("holistic", "patches")]
    save_model(google, Manifest("google", "1", "googlenet", Normalization("bgr", (0.0, 0.0, 0.0), 1.0)), *networks)
    another = run(labels, "-o", model, *QUICK, "--network", "googlenet", "--init", google, "--resume", "auto")
    assert another.exit_code == 2
    assert "holds a model already" in another.stderr
    advised = run(labels, "-o", tmp_path / "third", *QUICK, "--init", model)
    assert advised.exit_code == 0, "what the message advises works"


@pytest.mark.usefixtures("tiny")
def test_a_models_networks_are_kept_when_only_the_checkpoints_of_the_other_one_are_left(
    labels: Path, tmp_path: Path
) -> None:
    first, model = tmp_path / "first", tmp_path / "model"
    assert run(labels, "-o", first, *QUICK).exit_code == 0
    begun = (*QUICK, "--init", first)
    assert run(labels, "-o", model, *begun, "--inputs", "holistic").exit_code == 0
    then = run(labels, "-o", model, *begun, "--inputs", "patches", "--resume", "auto")
    assert then.exit_code == 0, "the patch network was still the initial one"
    trained = load_file(model / "holistic.safetensors")
    shutil.rmtree(model / "training" / "holistic")
    further = run(labels, "-o", model, *begun, "--inputs", "patches", "--resume", "auto", "--steps", "3")
    assert further.exit_code == 0, further.output
    kept = load_file(model / "holistic.safetensors")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in trained.items())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--network", "googlenet", "--init", "random"), "--network googlenet, --init random don't go"),
        (("--inputs", "holistic"), "--inputs holistic doesn't go"),
        (("--resume", "step-00000001.pt"), "--resume step-00000001.pt doesn't go"),
        (("--device", "cuda"), "--device cuda doesn't go"),
        (("--tensorboard", "--momentum", "0"), "--momentum, --tensorboard don't go"),
        (("--validation", "0.1", "--patience", "10"), "--validation, --patience don't go"),
        (("--keep", "1", "--validate-every", "5"), "--validate-every, --keep don't go"),
        (("--checkpoint-every", "5", "--window", "5", "--cache-mb", "9"), "--checkpoint-every, --window, --cache-mb"),
        (("--loss", "euclidean", "--steps", "5", "--batch", "2"), "--loss, --steps, --batch don't go"),
        (("--learning-rate", "1", "--column-factor", "2", "--momentum", "0"), "--learning-rate, --column-factor, --mo"),
        (("--weight-decay", "0"), "--weight-decay doesn't go"),
    ],
)
def test_the_compact_recipe_refuses_options_that_it_cant_follow(
    labels: Path, tmp_path: Path, given: tuple[str, ...], told: str
) -> None:
    result = run(labels, "--recipe", "compact", "--synthesize", labels.parent, "-o", tmp_path / "run", *given)
    assert result.exit_code == 2
    assert told in unboxed(result.stderr)
    assert not (tmp_path / "run").exists()


def test_the_compact_recipe_follows_the_options_that_it_has(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[CompactSettings] = []
    monkeypatch.setattr(
        compact_recipe, "train_compact", lambda *places, **_options: told.append(places[4]) or LeftOut()
    )
    recipe = (labels, "--recipe", "compact", "--synthesize", labels.parent, "-o", tmp_path / "run")
    meant = ("--network", "lite0", "--init", "imagenet", "--inputs", "both", "--device", "cpu", "--resume", "auto")
    own = ("--any-source", "--variants", "3", "--rebalanced", "0.25", "--seed", "5", "--workers", "1", "--quiet")
    own += ("--folds", "3")
    assert run(*recipe).exit_code == 0
    assert run(*recipe, *meant, *own).exit_code == 0
    assert [settings.cache.any_source for settings in told] == [False, True]
    cache = told[1].cache
    assert (cache.variants, cache.rebalanced, cache.seed, told[1].workers) == (3, 0.25, 5, 1)
    assert [(settings.folds, settings.views.seed) for settings in told] == [(5, 0), (3, 5)]
    drawn = [{one.seed for one in (it.holistic, it.patches, it.imitation, it.votes, it.tuning)} for it in told]
    assert drawn == [{0}, {5}]


@pytest.mark.parametrize("given", [("labels",), ("clean",)])
def test_the_compact_recipe_needs_votes_and_clean_photos(labels: Path, tmp_path: Path, given: tuple[str, ...]) -> None:
    sources = {"labels": (labels,), "clean": ("--synthesize", labels.parent)}
    result = run(*sources[given[0]], "--recipe", "compact", "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert "needs a CSV of labels with votes, and a folder of clean photos" in unboxed(result.stderr)
    assert not (tmp_path / "run").exists()


def test_other_recipes_leave_no_parts_out_in_turn(labels: Path, tmp_path: Path) -> None:
    result = run(labels, "-o", tmp_path / "run", "--folds", "2")
    assert result.exit_code == 2
    assert "--folds goes with --recipe compact alone" in unboxed(result.stderr)
    assert not (tmp_path / "run").exists()


def test_the_compact_recipe_replaces_nothing_but_what_it_left_itself(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        compact_recipe, "train_compact", lambda *places, **_options: written.append(places[3]) or LeftOut()
    )
    model, features = tmp_path / "model", tmp_path / "model" / "training" / "features"
    recipe = (labels, "--recipe", "compact", "--synthesize", labels.parent, "-o")
    features.mkdir(parents=True)
    (features / "clean__dog.npz").touch()
    assert run(*recipe, model).exit_code == 0
    assert written == [model], "features alone are what an interrupted run left"

    files = [model / name for name in ("manifest.json", "holistic.safetensors", "patches.safetensors")]
    for left in (files, files[2:]):
        for file in files:
            file.unlink(missing_ok=True)
        for file in left:
            file.write_bytes(b"hours of work")
        again = run(*recipe, model)
        assert again.exit_code == 2
        assert "holds a model already; name another --output" in unboxed(again.stderr)
        assert f"first remove {', '.join(map(str, left))}." in unboxed(again.stderr)
    files[2].unlink()
    assert run(*recipe, model).exit_code == 0, "what the message advises works"

    shutil.rmtree(features)
    (model / "training" / "patches").mkdir()
    (model / "training" / "patches" / "step-00000002.pt").touch()
    assert "holds a training run of another recipe" in unboxed(run(*recipe, model).stderr)
    as_file = run(*recipe, labels)
    assert as_file.exit_code == 2
    assert "is a file; a model is a folder" in unboxed(as_file.stderr)
    assert written == [model, model]


@pytest.mark.usefixtures("tiny")
def test_missing_and_damaged_photos_are_named_and_the_others_trained_on(labels: Path, tmp_path: Path) -> None:
    (labels.parent / "dog.jpg").unlink()
    (labels.parent / "bulb.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    result = run(labels, "-o", tmp_path / "run", *QUICK, "--batch", "8")
    assert result.exit_code == 1, "done, but not with all photos"
    assert f"left out, not found: {labels.parent}/dog.jpg" in result.stderr
    assert f"left out, can't be read: {labels.parent}/bulb.jpg (" in result.stderr
    assert (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.usefixtures("tiny")
def test_nothing_is_written_when_no_photo_can_be_read(labels: Path, tmp_path: Path) -> None:
    for path in labels.parent.glob("*.jpg"):
        path.write_bytes(b"\xff\xd8\xff\xe0 no more " + path.name.encode())
    result = run(labels, "-o", tmp_path / "run", *QUICK)
    assert result.exit_code == 2
    assert "no photo of a whole batch can be trained on" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("noise", "nose", "row 1: no column 'noise'"),
        ("bulb.jpg,0.1", "bulb.jpg,1.7", "row 5: bad_exposure is 1.7, outside 0..1"),
        ("bulb.jpg", "./blue-periwinkle.jpg", "is in row 3 already"),
    ],
)
def test_wrong_labels_are_told_by_row_and_nothing_is_written(
    labels: Path, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    text = labels.read_text()
    rows = text.splitlines()
    bulb = next(row for row in rows if row.startswith("bulb.jpg"))
    text = text.replace(bulb, "bulb.jpg,0.1," + bulb.split(",", 2)[2])
    assert old in text
    labels.write_text(text.replace(old, new, 1))
    result = run(labels, "-o", tmp_path / "run", *QUICK)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny")
def test_a_defect_without_labels_is_an_error_unless_its_column_has_learnt_before(labels: Path, tmp_path: Path) -> None:
    assert run(labels, "-o", tmp_path / "first", *QUICK).exit_code == 0
    header, *rows = labels.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    labels.write_text("\n".join([header, *(",".join([row[0], "", *row[2:]]) for row in cells)]) + "\n")
    fresh = run(labels, "-o", tmp_path / "fresh", *QUICK)
    assert fresh.exit_code == 2
    assert "no photo to train on has a label for bad_exposure" in fresh.stderr
    assert not (tmp_path / "fresh").exists()
    further = run(labels, "-o", tmp_path / "further", *QUICK, "--init", tmp_path / "first")
    assert further.exit_code == 0
    assert "bad_exposure: no photo has a label, its column stays as it is" in further.stderr
    before, after = (load_file(tmp_path / name / "holistic.safetensors") for name in ("first", "further"))
    own = [name for name in before if name.startswith("columns.bad_exposure.")]
    assert all(torch.equal(before[name], after[name]) for name in own)


def test_a_step_that_changes_nothing_leaves_the_severities_of_the_initial_model(
    labels: Path, samples: Path, tmp_path: Path
) -> None:
    still = ("--recipe", "finetune", "--init", "compact", "--learning-rate", "1e-9", "--validation", "0")
    result = run(labels, "-o", tmp_path / "run", *QUICK, "--steps", "1", *still)
    assert result.exit_code == 0, result.output
    told = f"calibrated as before, as the photos held out tell too little: {', '.join(KEYS)}"
    assert told in unboxed(result.stderr)
    before, after = (Diagnoser(model, patches=3, isolated=False) for model in ("compact", tmp_path / "run"))
    for name in ("bulb", "canyon-wren", "haze"):
        one, other = (next(iter(diagnoser.diagnose([samples / f"{name}.jpg"]))) for diagnoser in (before, after))
        assert other.severity == pytest.approx(one.severity, abs=1e-3)
        assert other.percentile == one.percentile


@pytest.mark.usefixtures("tiny")
def test_of_a_model_that_is_fine_tuned_what_it_says_of_its_scores_is_kept_unless_held_out_photos_say_better(
    tmp_path: Path,
) -> None:
    """Ninety-six photos: haze is labelled mild to severe, noise in one class, exposure not at all."""
    tiny = Manifest(
        "first",
        "7",
        "lite0",
        Normalization("rgb", (120.0, 120.0, 120.0), 1 / 64),
        combination={key: Weighting(0.0, 1.0, 0.5) if key == "noise" else Weighting(1.0, 0.0) for key in KEYS},
        calibration={key: Calibration((0.0, 0.4, 1.0), (0.0, 0.6, 1.0)) for key in ("bad_exposure", "noise", "haze")},
        reference={key: tuple(place / 100 for place in range(101)) for key in ("bad_exposure", "noise", "haze")},
    )
    save_model(tmp_path / "first", tiny, tiny_network("holistic"), tiny_network("patches"))
    (tmp_path / "set").mkdir()
    rows = [f"path,{','.join(KEYS)}"]
    for index in range(96):
        level = 0.0 if index < 48 else (0.2, 0.5, 0.8)[index % 3]
        Image.new("RGB", (32, 32), (index, round(200 * level), 90)).save(tmp_path / "set" / f"{index}.png")
        cells = {"noise": 0.0, "haze": level}
        rows.append(",".join([f"{index}.png", *(str(cells.get(key, "")) for key in KEYS)]))
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    result = run(
        tmp_path / "set" / "labels.csv",
        "-o",
        tmp_path / "second",
        *QUICK,
        "--init",
        tmp_path / "first",
        "--validation",
        "0.9",
        "--name",
        "second",
    )
    assert result.exit_code == 0, result.output
    assert "calibrated anew on the photos held out: haze" in result.stderr
    assert "calibrated as before, as the photos held out tell too little: noise" in unboxed(result.stderr)
    now = load_model(tmp_path / "second").manifest
    assert (now.name, now.version, now.normalization) == ("second", "1", tiny.normalization)
    assert now.combination == tiny.combination
    assert {key for key in KEYS if now.calibration.get(key) != tiny.calibration.get(key)} == {"haze"}
    assert {key for key in KEYS if now.reference.get(key) != tiny.reference.get(key)} == {"noise", "haze"}


@pytest.mark.usefixtures("tiny")
def test_a_class_without_votes_is_told_where_it_borrows_from_its_neighbours(labels: Path, tmp_path: Path) -> None:
    quick = (*QUICK, "--inputs", "holistic")
    without = run(labels, "-o", tmp_path / "without", *quick)
    assert without.exit_code == 0
    assert "neighbours" not in without.stderr, "without votes a model of them says all"
    header, *rows = labels.read_text().splitlines()
    noise = header.split(",").index("noise")
    votes = {"0.3": "0;0;0.5;0.5;0.5", "0.8": "0.5;0.5;1;1;1"}
    labels.write_text(
        "\n".join([f"{header},noise_votes", *(f"{r},{votes.get(r.split(',')[noise], '')}" for r in rows)])
    )
    result = run(labels, "-o", tmp_path / "run", *quick)
    assert result.exit_code == 0
    rest = ", ".join(f"{level / 10:g}" for level in range(1, 10) if level not in (3, 8))
    told = f"noise: no votes on photos of severity {rest}; what is said of the neighbours stands in"
    assert told in unboxed(result.stderr)
    euclidean = run(labels, "-o", tmp_path / "euclidean", *quick, "--loss", "euclidean")
    assert euclidean.exit_code == 0
    assert "neighbours" not in euclidean.stderr, "no matrix, nothing to borrow"


def test_wrong_usage_is_told_by_option(labels: Path, tmp_path: Path) -> None:
    output = ("-o", tmp_path / "run")
    for arguments, complaint in (
        ((), "name a CSV of labels"),
        ((labels, "--synthesize", labels.parent), "and not both"),
        ((labels, "--batch", "0"), "--batch is 0"),
        ((labels, "--learning-rate", "-1"), "--learning-rate is -1.0"),
        ((labels, "--validation", "1.5"), "--validation is 1.5"),
    ):
        result = run(*arguments, *output)
        assert result.exit_code == 2
        assert complaint in unboxed(result.stderr)
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_there_are_told_before_anything_is_written(labels: Path, tmp_path: Path) -> None:
    for init, complaint in (
        (("--network", "googlenet", "--init", "imagenet"), "no ImageNet weights are known for the trunk of googlenet"),
        (("--init", tmp_path / "nowhere"), "no model folder"),
    ):
        result = run(labels, "-o", tmp_path / "run", *init)
        assert result.exit_code == 4
        assert complaint in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_photos_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("--synthesize", tmp_path / "empty", "-o", tmp_path / "run")
    assert result.exit_code == 3
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny")
def test_tensorboard_logs_hold_losses_and_rates(labels: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    result = run(labels, "-o", tmp_path / "run", *QUICK, "--steps", "10", "--inputs", "holistic", "--tensorboard")
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "run" / "training" / "tensorboard"))
    events.Reload()
    (rate,) = events.Scalars("holistic/learning_rate")
    assert (rate.step, rate.value) == (10, pytest.approx(0.0001))
    assert {f"holistic/loss/{key}" for key in KEYS} < set(events.Tags()["scalars"])
    assert "holistic/validation/mean" in events.Tags()["scalars"]


def test_tensorboard_that_is_not_installed_is_told_before_anything_is_written(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = run(labels, "-o", tmp_path / "run", *QUICK, "--tensorboard")
    assert result.exit_code == 2
    assert "photodefect[tensorboard]" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny")
def test_quiet_says_nothing_when_nothing_is_wrong(labels: Path, tmp_path: Path) -> None:
    result = run(labels, "-o", tmp_path / "run", *QUICK, "--quiet", "--name", "mine")
    assert result.exit_code == 0
    assert result.output == ""
    assert load_model(tmp_path / "run").manifest.name == "mine"


def test_the_options_name_all_networks_and_recipes_of_the_loop() -> None:
    assert set(get_args(NetworkName)) == set(NETWORKS)
    assert set(get_args(RecipeName)) >= set(RECIPES)

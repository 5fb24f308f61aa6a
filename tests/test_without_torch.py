"""Whoever only looks at photos needs no torch, and whoever needs it is told what to install.

Commands run in processes of their own that can't import torch. Continuous integration also runs this file where torch
really isn't installed, so nothing here imports it, nor anything else that only an extra brings.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from no_network_here import FOLDER as NO_NETWORK

from photodefect.defects import KEYS
from photodefect.engines import choose_engine
from photodefect.engines import devices as devices_module
from photodefect.errors import DataError, ModelError
from photodefect.extras import require

NO_TORCH = Path(__file__).parent / "no_torch"
PHOTOS = ("bulb.jpg", "city.jpg", "dog.jpg", "guitar.jpg", "haze.jpg")
FOR_GPUS = 'pip install "photodefect[gpu]"'
FOR_TRAINING = 'pip install "photodefect[train]"'


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a process without torch and without a network, for whom nobody has found anything yet."""
    home = str(tmp_path_factory.mktemp("home"))
    places = [str(NO_TORCH), str(NO_NETWORK), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    return {**os.environ, **dict.fromkeys(variables, home), "PYTHONPATH": os.pathsep.join(places)}


@pytest.fixture(scope="module")
def folder(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some photographs, with ground truth, votes and ratings of them."""
    place = tmp_path_factory.mktemp("photos")
    rows = []
    for number, name in enumerate(PHOTOS):
        shutil.copy(samples / name, place)
        rows.append({"path": name, **dict.fromkeys(KEYS, number / 10)})
    for name in ("labels.csv", "ratings.csv"):
        with (place / name).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["path", *KEYS])
            writer.writeheader()
            writer.writerows(rows)
    (place / "votes.csv").write_text("path,worker,noise\nbulb.jpg,a,1\nbulb.jpg,b,0\ncity.jpg,a,0\n")
    return place


class Runner:
    """Runs the command in a folder, without torch."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "photodefect", *arguments, code=code)

    def python(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def run(folder: Path, environment: dict[str, str]) -> Runner:
    return Runner(folder, environment)


def test_these_processes_have_no_torch(run: Runner) -> None:
    assert (
        "ModuleNotFoundError: No module named 'torch'"
        in subprocess.run(
            [sys.executable, "-c", "import torch"], env=run.environment, capture_output=True, text=True, check=False
        ).stderr
    )


def test_every_commands_help_is_there(run: Runner) -> None:
    script = """
import sys
from typer.testing import CliRunner
from photodefect.cli import app, available_commands
assert len(available_commands()) > 10
for name in available_commands():
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, (name, result.exception)
"""
    run.python("-c", script)


TORCHS_OWN = ("core.", "engines.", "heatmap.torch_mapper", "training.")
"""What may import torch when it is imported: rooms, and a module."""


def test_no_other_room_needs_torch(run: Runner) -> None:
    script = f"""
from importlib import import_module
from pathlib import Path
import photodefect
root = Path(photodefect.__file__).parent
names = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in root.rglob("*.py")]
names = [name.removesuffix(".__init__") for name in names if "distributed" not in name]
names = [name for name in names if not name.startswith(tuple(f"photodefect.{{room}}" for room in {TORCHS_OWN}))]
assert len(names) > 150
for name in names:
    import_module(name)
"""
    run.python("-c", script)


def test_every_public_name_is_there(run: Runner) -> None:
    run.python("-c", "import photodefect\nfor name in photodefect.__all__: getattr(photodefect, name)")


def test_photos_are_diagnosed_ranked_and_evaluated(run: Runner, tmp_path: Path) -> None:
    run("diagnose", ".", "--format", "csv", "--output", str(tmp_path / "found.csv"))
    with (tmp_path / "found.csv").open(newline="") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == list(PHOTOS)
    done = run(
        "evaluate", str(tmp_path / "found.csv"), "--labels", "labels.csv", "--bootstrap", "10", "--format", "json"
    )
    assert "noise" in done.stdout
    done = run("rank-folder", ".", "--format", "json")
    assert len(json.loads(done.stdout)) == len(PHOTOS)
    assert "5" in run("cache", "info").stdout


def test_what_was_copied_is_taken_back(run: Runner, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.jsonl")
    run("rank-folder", ".", "--copy-to", str(tmp_path / "chosen"), "--top", "2", "--apply", "--journal", journal)
    assert len(list((tmp_path / "chosen").iterdir())) == 2
    run("undo", journal, "--apply")
    assert not (tmp_path / "chosen").exists()


def test_sidecars_are_written_and_taken_back(run: Runner, folder: Path) -> None:
    run("rank-folder", ".", "--xmp", "--apply")
    assert len(list(folder.glob("*.xmp"))) == len(PHOTOS)
    run("unmark", ".", "--apply")
    assert list(folder.glob("*.xmp")) == []


def test_a_report_without_maps_is_made(run: Runner, tmp_path: Path) -> None:
    run("report", ".", "--output", str(tmp_path / "page"), "--no-maps")
    assert (tmp_path / "page" / "index.html").is_file()


def test_maps_are_made(run: Runner, tmp_path: Path) -> None:
    run("heatmap", "bulb.jpg", "--overlays", "--output", str(tmp_path / "maps"))
    assert len(list((tmp_path / "maps").glob("bulb*"))) > 1


def test_a_report_with_maps_is_made(run: Runner, tmp_path: Path) -> None:
    run("report", "bulb.jpg", "--output", str(tmp_path / "page"), "--maps")
    assert (tmp_path / "page" / "index.html").is_file()


def test_a_folder_is_watched(run: Runner) -> None:
    done = run("watch", ".", "--existing", "--stop-after", "0.2", "--settle", "0.1", "--format", "ndjson")
    assert len(done.stdout.splitlines()) == len(PHOTOS)


def test_a_page_for_looking_is_served(folder: Path, environment: dict[str, str]) -> None:
    # It listens, which the network's guard forbids.
    allowed = {**environment, "PYTHONPATH": environment["PYTHONPATH"].replace(str(NO_NETWORK), "")}
    Runner(folder, allowed)("review", ".", "--stop-after", "0", "--no-browser")


def test_profiles_are_shown_and_fitted(run: Runner, tmp_path: Path) -> None:
    run("tune", "ratings.csv", "--output", str(tmp_path / "mine.toml"), "--anyway")
    done = run("profile", "show", ".", "--profile", str(tmp_path / "mine.toml"))
    assert "mine.toml" in done.stderr


def test_votes_are_aggregated_and_defects_synthesized(run: Runner, tmp_path: Path) -> None:
    run("aggregate-votes", "votes.csv", "--output", str(tmp_path / "labels.csv"))
    run("synthesize", ".", "--output", str(tmp_path / "set"), "--count", "2", "--size", "128", "--any-source")
    assert len(list((tmp_path / "set" / "images").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("train", "labels.csv", "--output", "model"), f"train needs torch: {FOR_TRAINING}", 2),
        (("diagnose", ".", "--device", "cuda"), f"the device cuda needs torch: {FOR_GPUS}", 4),
        (
            ("import-caffe", "labels.csv", "labels.csv", "--output", "model"),
            'import-caffe needs torch: pip install "photodefect[caffe]"',
            4,
        ),
    ],
)
def test_a_command_that_needs_torch_says_what_to_install(
    arguments: tuple[str, ...], said: str, code: int, run: Runner
) -> None:
    before = sorted(run.folder.iterdir())
    assert said in " ".join(run(*arguments, code=code).stderr.split())
    assert sorted(run.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("before", "arguments"),
    [
        ("", "engine='torch'"),
        ("from photodefect.engines import choice; choice.has_graphs = lambda _: False", "device='auto'"),
    ],
)
def test_a_model_that_only_torch_computes_says_what_to_install(before: str, arguments: str, run: Runner) -> None:
    script = f"""
from photodefect import Diagnoser, ModelError
{before}
try:
    list(Diagnoser({arguments}).diagnose(["bulb.jpg"]))
except ModelError as error:
    print(error)
"""
    assert f"needs torch: {FOR_GPUS}" in run.python("-c", script).stdout


def test_the_engine_is_settled_before_any_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert choose_engine("compact", device="cpu").engine == "onnx"
    with pytest.raises(ModelError, match="the engine torch needs torch: pip install"):
        choose_engine("compact", device="cpu", engine="torch")
    monkeypatch.setattr("photodefect.engines.choice.has_graphs", lambda _: False)
    with pytest.raises(ModelError, match=r"compact, whose network lite0 has no graph, needs torch: "):
        choose_engine("compact")


def test_a_gpu_is_of_no_use_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    monkeypatch.setattr(devices_module, "_DRIVERS", (str(tmp_path),))
    choice = choose_engine("compact")
    assert (choice.engine, choice.device) == ("onnx", "cpu")


def test_a_broken_package_is_told_apart_from_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_here.py").write_text("raise OSError('libsomething.so: cannot open shared object file')")
    (tmp_path / "half_here.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"it needs broken_here, which is installed, but can't be imported \(libsome"):
        require("train", "broken_here", what="it")
    with pytest.raises(DataError, match=r'^it needs nowhere_at_all: pip install "photodefect\[train\]"$'):
        require("train", "half_here", what="it")
    with pytest.raises(ModelError, match=r'^it needs one_missing, other: pip install "photodefect\[gpu\]"$'):
        require("gpu", "one_missing", "other.part", what="it", error=ModelError)

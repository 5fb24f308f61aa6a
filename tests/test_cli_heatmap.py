"""``photodefect heatmap`` as a person or a program calls it: pictures, records, streams, exit codes."""

from __future__ import annotations

import errno
import json
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect import cli
from photodefect.defects import PATCH_DEFECTS
from photodefect.diagnosis.workers.pool import ThreadWorkers
from photodefect.diagnosis.workers.tasks import Task

command = import_module("photodefect.cli.heatmap")

MAPPED = [defect.key for defect in PATCH_DEFECTS]


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Two small photos of one name, one of them in a sub-folder."""
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    for source, target in (("dog.jpg", "IMG.jpg"), ("bulb.jpg", "more/IMG.jpg")):
        with Image.open(samples / source) as image:
            image.resize((300, 200)).save(photos / target, quality=90)
    return photos


class Heatmap:
    """Calls the command in this process."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(cli.app, ["heatmap", "--model", str(self.model), *map(str, arguments)], input=stdin)

    def records(self, *arguments: str | Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("--json", *arguments).stdout.splitlines()]


@pytest.fixture
def heatmap(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> Heatmap:
    # Threads of this process have torch already; test_hostile_decoders.py and others have processes started.
    monkeypatch.setattr(command, "_workers", lambda settings: ThreadWorkers(settings, 1))
    return Heatmap(random_model)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_photo_gets_a_panel_and_its_maps_in_folders_like_its_own(
    heatmap: Heatmap, folder: Path, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    originals = {path: path.read_bytes() for path in folder.rglob("*.jpg")}

    result = heatmap(folder, "-o", maps, "--overlays")

    assert result.exit_code == 0, result.output
    names = [f"{base}-{what}.jpg" for base in ("IMG", "more/IMG") for what in ["panel", *MAPPED]]
    assert files_in(maps) == sorted(names)
    assert result.stdout.splitlines() == [str(maps / name) for name in names]
    assert result.stderr == "2 photos mapped\n"
    with Image.open(maps / "IMG-noise.jpg") as overlay:
        assert overlay.size == (300, 200)
    assert {path: path.read_bytes() for path in folder.rglob("*.jpg")} == originals


def test_only_some_maps_as_png_with_their_values(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"

    result = heatmap(
        folder / "IMG.jpg",
        "-o",
        maps,
        "--defect",
        "noise",
        "--defect",
        "haze",
        "--format",
        "png",
        "--no-panel",
        "--overlays",
        "--raw",
    )

    assert result.exit_code == 0, result.output
    assert files_in(maps) == sorted(f"IMG-{key}.{end}" for key in ("noise", "haze") for end in ("png", "npy", "json"))
    values = np.load(maps / "IMG-noise.npy")
    facts = json.loads((maps / "IMG-noise.json").read_text())
    assert (values.dtype, values.shape) == (np.float32, (7, 10))
    assert (facts["stride"], facts["origin"], facts["scale"]) == ([32, 32], [16, 16], 1.0)
    assert facts["photo_size"] == [300, 200]
    assert facts["photo"] == str(folder / "IMG.jpg")


def test_a_photo_without_colour_gets_no_map_of_its_colour_and_the_person_is_told(
    heatmap: Heatmap, folder: Path, tmp_path: Path
) -> None:
    grey = folder / "grey.jpg"
    with Image.open(folder / "IMG.jpg") as image:
        image.convert("L").save(grey)

    result = heatmap(grey, "-o", tmp_path / "maps", "--overlays", "--no-panel")

    assert result.exit_code == 0
    kept = [key for key in MAPPED if key not in ("bad_white_balance", "bad_saturation")]
    assert files_in(tmp_path / "maps") == sorted(f"grey-{key}.jpg" for key in kept)
    assert f"{grey}: no map of bad_white_balance and bad_saturation: the photo is black and white" in result.stderr
    [record] = heatmap.records(grey, "-o", tmp_path / "more")
    assert list(record["maps"]) == kept
    assert list(record["without_map"]) == ["bad_white_balance", "bad_saturation"]


def test_records_say_what_was_made_and_how(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    [record] = heatmap.records(folder / "IMG.jpg", "-o", tmp_path / "maps", "--scale", "0.5")

    assert (record["schema_version"], record["width"], record["height"], record["error"]) == (1, 300, 200, None)
    assert list(record["maps"]) == MAPPED
    assert {facts["scale"] for facts in record["maps"].values()} == {0.5}
    assert {facts["sampled"] for facts in record["maps"].values()} == {False}
    assert record["severity"].keys() == {*MAPPED, "bad_composition"}
    assert record["model"]["name"] == "random"
    assert all(Path(path).is_file() for path in record["files"].values())


def test_a_truncated_photo_is_reported_and_the_rest_mapped(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    data = (folder / "IMG.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(data[:200])
    (folder / "empty.jpg").write_bytes(b"")
    options = ("-o", tmp_path / "maps", "--defect", "noise")

    result = heatmap(folder, *options)

    assert result.exit_code == 1
    assert files_in(tmp_path / "maps") == ["IMG-panel.jpg", "more/IMG-panel.jpg"]
    assert f"photodefect: {folder}/broken.jpg: " in result.stderr
    assert f"photodefect: {folder}/empty.jpg: " in result.stderr
    assert result.stderr.endswith("2 photos mapped, 2 failed\n")
    assert "Traceback" not in result.output

    records = heatmap.records(folder, *options, "--force")
    assert [record["error"] and record["error"]["type"] for record in records] == [
        None,
        "UnreadableError",
        "UnreadableError",
        None,
    ]


def test_nothing_is_replaced_without_force(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    options = (folder / "IMG.jpg", "-o", tmp_path, "--defect", "noise")
    assert heatmap(*options).exit_code == 0
    panel = tmp_path / "IMG-panel.jpg"
    panel.write_bytes(b"somebody's own")

    result = heatmap(*options)

    assert result.exit_code == 1
    assert f"{panel} is there already; --force replaces it" in result.stderr
    assert panel.read_bytes() == b"somebody's own"
    assert heatmap(*options, "--force").exit_code == 0
    assert panel.read_bytes() != b"somebody's own"


def test_photos_are_never_replaced_not_even_by_force(heatmap: Heatmap, folder: Path) -> None:
    photo = folder / "IMG-noise.jpg"
    shutil.copy(folder / "IMG.jpg", photo)
    before = photo.read_bytes()

    result = heatmap(folder, "-o", folder, "--force", "--overlays", "--defect", "noise")

    assert result.exit_code == 1
    assert "is one of the photos" in result.stderr
    assert photo.read_bytes() == before


def test_pictures_of_an_earlier_run_inside_a_walked_folder_are_not_mapped_again(heatmap: Heatmap, folder: Path) -> None:
    options = (folder, "-o", folder / "maps", "--defect", "noise", "--force")
    first = heatmap(*options)

    second = heatmap(*options)

    assert first.exit_code == second.exit_code == 0
    assert second.stdout == first.stdout
    assert files_in(folder / "maps") == ["IMG-panel.jpg", "more/IMG-panel.jpg"]


def test_a_name_with_escape_sequences_does_no_harm(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    nasty = folder / '\x1b[31m"><img src=x onerror=alert(1)>.jpg'
    (folder / "IMG.jpg").rename(nasty)
    broken = folder / "\x1b[2Jbroken.jpg"
    broken.write_bytes(b"")

    result = heatmap(nasty, broken, "-o", tmp_path / "maps", "--defect", "noise")

    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert "\x1b" not in result.stdout
    assert files_in(tmp_path / "maps") == ["_[31m___img src=x onerror=alert(1)_-panel.jpg"]


def test_paths_come_from_other_programs_too(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    listed = b"\0".join(os.fsencode(path) for path in sorted(folder.rglob("*.jpg"))) + b"\0"

    result = heatmap(
        "--files-from",
        "-",
        "-0",
        "-o",
        tmp_path / "maps",
        "--defect",
        "noise",
        "--no-panel",
        "--overlays",
        "-q",
        stdin=listed,
    )

    assert result.exit_code == 0
    assert files_in(tmp_path / "maps") == ["IMG-noise.jpg", "more/IMG-noise.jpg"]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the folder"),
        (["-o", "maps", "--defect", "composition"], "bad_composition has no heat map"),
        (["-o", "maps", "--defect", "bokeh"], "is not a defect"),
        (["-o", "maps", "--no-panel"], "nothing would be written"),
        (["-o", "maps", "--scale", "0"], "not above 0"),
        (["-o", "maps", "--scale", "1.5"], "not above 0"),
        (["-o", "maps", "--scale", "nan"], "not above 0"),
        (["-o", "maps", "--scale", "1", "--full"], "exclude each other"),
        (["-o", "maps", "--window", "2"], "odd number"),
    ],
)
def test_wrong_usage_is_told_before_any_work(
    heatmap: Heatmap, folder: Path, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    result = heatmap(folder, *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "maps").exists()


def test_no_photo_is_exit_code_3_and_no_model_4(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert heatmap(tmp_path / "empty", "-o", tmp_path / "maps").exit_code == 3
    result = heatmap(folder, "-o", tmp_path / "maps", "--model", tmp_path / "no-model")
    assert result.exit_code == 4
    assert "no-model" in result.stderr
    assert not (tmp_path / "maps").exists()


def test_an_output_that_is_a_file_is_refused(heatmap: Heatmap, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("a file")

    result = heatmap(folder, "-o", tmp_path / "maps")

    assert result.exit_code == 2
    assert "is not a folder" in result.stderr


def test_an_interrupted_run_says_how_far_it_got_and_leaves_whole_files(
    heatmap: Heatmap, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ThreadWorkers.submit

    def interrupting(workers: ThreadWorkers, task: Task) -> Any:
        if Path(task.path).parent.name == "more":
            raise KeyboardInterrupt
        return real(workers, task)

    monkeypatch.setattr(ThreadWorkers, "submit", interrupting)
    result = heatmap(folder, "-o", tmp_path / "maps", "--defect", "noise")

    assert result.exit_code == 130
    assert "interrupted after 1 of 2 photos" in result.stderr
    assert files_in(tmp_path / "maps") == ["IMG-panel.jpg"]


def test_what_a_killed_run_left_of_its_files_is_removed_and_nothing_else(
    heatmap: Heatmap, folder: Path, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    gone = 2**22 + 1  # more than any process number
    (maps / f".IMG-noise.jpg.{gone}.part").write_bytes(b"half")
    others = [f".IMG-noise.jpg.{os.getpid()}.part", f".mine.jpg.{gone}.part", ".IMG-noise.jpg.part"]
    for name in others:
        (maps / name).write_bytes(b"somebody's own")

    result = heatmap(
        folder / "IMG.jpg", "-o", maps, "--defect", "haze", "--defect", "noise", "--no-panel", "--overlays"
    )

    assert result.exit_code == 1  # a run that is alive writes one of the files: this one's process
    assert sorted(files_in(maps)) == sorted(others[1:])


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_files(
    heatmap: Heatmap, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        written.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("photodefect.heatmap.outputs.write_picture", full)
    result = heatmap(folder, "-o", tmp_path / "maps", "--defect", "noise")

    assert result.exit_code == 1
    assert result.stderr == f"photodefect: {tmp_path}/maps: No space left on device\n"
    assert len(written) == 1
    assert files_in(tmp_path / "maps") == []

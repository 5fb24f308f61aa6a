"""Photos are listed once and divided into parts, which lie beside the results of theirs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.core.network.folders import read_manifest
from photodefect.defects import KEYS
from photodefect.errors import DataError, NothingToDoError, UnreadableError
from photodefect.records import Diagnosis, ModelIdentity, PhotoFailure
from photodefect.verdicts import DEFAULT_THRESHOLDS

pa = pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec")

from photodefect.distributed import plan as plans  # noqa: E402
from photodefect.distributed.plan import Job, Plan, make_plan, read_plan  # noqa: E402
from photodefect.distributed.results import read_results  # noqa: E402
from photodefect.distributed.rows import from_table, to_table  # noqa: E402
from photodefect.distributed.storage import ResultsFolder, clear_copies, find, local_copy  # noqa: E402
from photodefect.distributed.worker import PhotoWorker  # noqa: E402

JOB = Job("compact", ModelIdentity("compact", "00"), "cpu", 10, "random", None, {"noise": (0.3, 0.5)}, None, "/photos")
PHOTOS = [b"a.jpg", b"caf\xe9.jpg", b"s3://bucket/c.jpg"]


def planned(folder: Path, *, part_size: int = 2) -> Plan:
    return make_plan(ResultsFolder(str(folder)), PHOTOS, ["photos"], JOB, part_size=part_size)


def complete(plan: Plan, part: int) -> None:
    failure = PhotoFailure("UnreadableError", "gone")
    plan.complete(part, to_table(Diagnosis(f"{part}-{n}.jpg", error=failure) for n in range(plan.size(part))))


def test_photos_are_divided_into_parts_in_their_order(tmp_path: Path) -> None:
    plan = planned(tmp_path / "results")
    assert (plan.photos, plan.parts) == (3, 2)
    assert [plan.paths(part) for part in range(2)] == [PHOTOS[:2], PHOTOS[2:]]
    assert [plan.size(part) for part in range(2)] == [2, 1]
    assert plan.open_parts() == [0, 1]


@pytest.mark.parametrize("name", ["my results", "Größe 50%", "100%25", "a::b", "a#b?c", "~", "x*[1]"])
def test_results_go_to_the_folder_that_is_named_whatever_its_name(name: str, tmp_path: Path) -> None:
    complete(planned(tmp_path / name), 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    plan = read_plan(ResultsFolder(str(tmp_path / name)), ["photos"], JOB)
    assert plan is not None
    assert plan.open_parts() == [0]
    assert [diagnosis.path for diagnosis in read_results(tmp_path / name)] == ["1-0.jpg"]


def test_a_run_goes_on_with_the_parts_that_are_not_complete(tmp_path: Path) -> None:
    complete(planned(tmp_path), 1)
    (tmp_path / ".part-000000.parquet.4711.part").write_bytes(b"a part that somebody was writing")
    plan = read_plan(ResultsFolder(str(tmp_path)), ["photos"], JOB)
    assert plan is not None
    assert plan.open_parts() == [0]
    assert plan.paths(0) == PHOTOS[:2]
    assert [diagnosis.path for diagnosis in read_results(tmp_path)] == ["1-0.jpg"]


def test_a_list_that_was_not_complete_is_made_again(tmp_path: Path) -> None:
    planned(tmp_path, part_size=1)
    (tmp_path / plans.MANIFEST).unlink()
    assert read_plan(ResultsFolder(str(tmp_path)), ["photos"], JOB) is None
    assert planned(tmp_path, part_size=3).parts == 1
    assert len(list((tmp_path / "_plan").iterdir())) == 1


@pytest.mark.parametrize(
    ("inputs", "change", "what"),
    [(["other"], {}, "photos"), (["photos"], {"patches": 9}, "patches"), (["photos"], {"seed": 1}, "seed")],
)
def test_results_of_another_run_are_refused(
    tmp_path: Path, inputs: list[str], change: dict[str, int], what: str
) -> None:
    planned(tmp_path)
    job = Job(**{**vars(JOB), **change})
    with pytest.raises(DataError, match=f"another run .other {what}"):
        read_plan(ResultsFolder(str(tmp_path)), inputs, job)


def test_a_folder_with_other_things_is_refused_and_starting_over_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    results = ResultsFolder(str(tmp_path))
    with pytest.raises(DataError, match="holds other things"):
        read_plan(results, ["photos"], JOB)
    complete(planned(tmp_path), 0)
    plans.clear(results)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["holiday.jpg"]


def test_no_photos_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError):
        make_plan(ResultsFolder(str(tmp_path)), [], ["photos"], JOB, part_size=2)


def test_what_is_no_part_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "part-000000.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"part-000000\.parquet is not a part"):
        list(read_results(tmp_path))


def test_urls_are_walked_like_folders_and_photos_keep_their_urls(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.cr2", "notes.txt", "more/c.heic", ".hidden/d.jpg", "more/.e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    url = tmp_path.as_uri()
    assert list(find([url])) == [f"{url}/a.cr2", f"{url}/b.JPG", f"{url}/more/c.heic"]
    assert list(find([f"{url}/b.JPG"])) == [f"{url}/b.JPG"]
    with local_copy(f"{url}/b.JPG") as path:
        assert path == str(tmp_path / "b.JPG")


def test_a_worker_finds_what_one_machine_finds_also_of_names_that_other_tools_take_for_hidden(
    random_model: Path, samples: Path, tmp_path: Path
) -> None:
    names = ["_first.jpg", "second.jpg", "_sub/_third.jpg", "vanished.jpg", "_damaged.jpg"]
    (tmp_path / "_sub").mkdir()
    for name, sample in zip(names[:3], ("dog", "bulb", "city"), strict=True):
        shutil.copy(samples / f"{sample}.jpg", tmp_path / name)
    (tmp_path / "_damaged.jpg").write_bytes((samples / "dog.jpg").read_bytes()[:1000])
    assert {Path(url).name for url in find([tmp_path.as_uri()])} == {Path(name).name for name in names} - {
        "vanished.jpg"
    }
    limits = {key: (limit.mild, limit.severe) for key, limit in DEFAULT_THRESHOLDS.items()}
    identity = read_manifest(random_model).identity
    job = Job(str(random_model), identity, "cpu", 1, "sharp", None, limits, None, str(tmp_path))
    columns = {"part": [0] * 5, "place": list(range(5)), "path": [name.encode() for name in names]}
    rows = PhotoWorker(job)(pa.table(columns))
    assert rows.column("place").to_pylist() == list(range(5))
    found = list(from_table(rows))
    with Diagnoser(random_model, patches=1, device="cpu") as diagnoser:
        expected = list(diagnoser.diagnose([tmp_path / name for name in names]))
    assert [it.path for it in found] == names
    assert [without_path(it) for it in found] == [without_path(it) for it in expected]
    assert [it.error is None for it in found] == [True, True, True, False, False]


def without_path(diagnosis: Diagnosis) -> dict[str, Any]:
    return {key: value for key, value in diagnosis.to_dict().items() if key != "path"}


@pytest.mark.parametrize(
    ("url", "message"),
    [("file:///no/such/folder", "nothing at file:///no/such/folder"), ("nothere://x/y", "nothere")],
)
def test_urls_that_lead_nowhere_are_errors_that_name_them(url: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(find([url]))
    if url.startswith("nothere"):
        with pytest.raises(UnreadableError, match=message), local_copy(url):
            pass


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_copies_are_removed_also_those_of_processes_that_were_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fsspec.filesystem("memory").pipe_file("/photos/a.dng", b"a photo")
    with local_copy("memory://photos/a.dng") as path:
        assert Path(path).read_bytes() == b"a photo"
        assert Path(path).suffix == ".dng"
        os.utime(path, (0, 0))
        leftover = tmp_path / "photodefect-copy-99999999-x.dng"
        leftover.touch()
        clear_copies()
        assert {it.name for it in tmp_path.iterdir()} == {Path(path).name, leftover.name}
        os.utime(leftover, (0, 0))
        clear_copies()
        assert [it.name for it in tmp_path.iterdir()] == [Path(path).name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ray", "local"], "--output DIR"),
        (["--ray", "local", "-o", "results", "--format", "csv"], "leave --format out"),
        (["--ray", "127.0.0.1:1", "-o", "results"], "no Ray cluster answers at 127.0.0.1:1"),
        (["--ray", "somewhere", "-o", "results"], "give HOST:PORT, auto or local"),
    ],
)
def test_wrong_usage_is_told_at_once(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["diagnose", "photos", *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_without_ray_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(app, ["diagnose", "photos", "--ray", "local", "-o", str(tmp_path / "results")])
    assert result.exit_code == 2
    assert '--ray needs ray: pip install "photodefect[ray]"' in result.stderr


def test_the_manifest_says_what_the_run_is(tmp_path: Path) -> None:
    planned(tmp_path)
    manifest = json.loads((tmp_path / plans.MANIFEST).read_text())
    assert manifest["photos"] == 3
    assert manifest["inputs"] == ["photos"]
    assert manifest["judgement"]["thresholds"] == {"noise": [0.3, 0.5]}


def test_evaluate_reads_results(tmp_path: Path) -> None:
    severities = [0.0, 0.3, 0.2, 0.9]
    photos = [tmp_path / f"{number}.jpg" for number in range(4)]
    results = ResultsFolder(str(tmp_path / "results"))
    plan = make_plan(results, [str(photo).encode() for photo in photos], ["photos"], JOB, part_size=4)
    scores = [dict.fromkeys(KEYS, value) for value in severities]
    plan.complete(0, to_table(Diagnosis(str(p), severity=it) for p, it in zip(photos, scores, strict=True)))
    labels = tmp_path / "labels.csv"
    rows = [
        f"{photo.name}," + ",".join(["0.1", "0.2", "0.3", "0.4"][number] for _ in KEYS)
        for number, photo in enumerate(photos)
    ]
    labels.write_text("\n".join([f"path,{','.join(KEYS)}", *rows]) + "\n")
    options = ["--labels", str(labels), "--format", "json", "--bootstrap", "0"]
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "results"), *options])
    assert result.exit_code == 0, result.stderr
    # Of four ranks two neighbours are exchanged: 1 - 6 * 2 / (4 * 15).
    table = json.loads(result.stdout)["labels"]["table"]
    assert table["combined"]["defects"]["noise"]["spearman"]["value"] == pytest.approx(0.8)

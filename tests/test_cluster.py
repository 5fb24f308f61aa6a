"""``photodefect diagnose --ray`` on a Ray cluster of two workers, with photos in folders and on object storage."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import photodefect

pytest.importorskip("ray")
pq = pytest.importorskip("pyarrow.parquet")

from object_storage import object_storage  # noqa: E402

from photodefect.distributed.results import read_results  # noqa: E402

ROOT = Path(photodefect.__file__).parents[1]
PATIENCE_S = 900
"""How long something that must happen may take on a busy machine."""


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An S3-compatible server on this machine; its URL."""
    with object_storage() as url:
        yield url


@pytest.fixture(scope="module")
def environment(store: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the cluster and the command: all that a person would have set for their own object storage."""
    home = tmp_path_factory.mktemp("home")
    return {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))} | {
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster with room for two workers, at home on this machine."""
    folder = tmp_path_factory.mktemp("r")
    script = f"""
import sys, ray
context = ray.init(
    address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
    _temp_dir={str(folder)!r}, _node_ip_address="127.0.0.1",
)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address
        yield address
        process.communicate("")


@pytest.fixture(scope="module")
def photos(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small photos, no two alike, one damaged, and one whose name other tools take for hidden."""
    folder = tmp_path_factory.mktemp("photos")
    names = sorted(path for path in samples.glob("*.jpg"))
    for number in range(60):
        with Image.open(names[number % len(names)]) as image:
            image.draft("RGB", (160, 160))
            image.resize((160 + number, 120)).save(folder / ("_01.jpg" if number == 1 else f"{number:02}.jpg"))
    (folder / "99.jpg").write_bytes((folder / "00.jpg").read_bytes()[:1000])
    return folder


def command(model: Path, *arguments: str | Path) -> list[str]:
    start = [sys.executable, "-m", "photodefect", "diagnose", "--model", str(model), "--patches", "1"]
    return [*start, *map(str, arguments)]


def diagnose(
    environment: dict[str, str], model: Path, *arguments: str | Path, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(model, *arguments), env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def on_one_machine(environment: dict[str, str], random_model: Path, photos: Path) -> list[dict[str, Any]]:
    """The records of the photos without Ray."""
    done = diagnose(environment, random_model, photos, "--format", "json", "--detail", code=1)
    records: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(records) == 61
    return records


def without_path(record: dict[str, Any]) -> dict[str, Any]:
    """What must be the same wherever a photo lies and is diagnosed. A failed one's capture is nothing, both ways."""
    return {key: value for key, value in record.items() if key != "path"}


def busy_workers() -> list[int]:
    """Processes of Ray's that are at photos right now, as their titles say."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = status.read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"PhotoWorker" in title:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers in /proc")
def test_a_run_survives_the_death_of_a_worker_and_goes_on_where_it_was_interrupted(
    cluster: str,
    environment: dict[str, str],
    random_model: Path,
    photos: Path,
    on_one_machine: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    options: list[str | Path] = [photos, "--ray", cluster, "--output", results, "--part-size", "4"]
    killed = 0
    with subprocess.Popen(
        command(random_model, *options), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        deadline = time.monotonic() + PATIENCE_S
        while run.poll() is None and not killed:
            assert time.monotonic() < deadline
            if list(results.glob("part-*.parquet")) and (workers := busy_workers()):
                os.kill(workers[0], signal.SIGKILL)
                killed = len(list(results.glob("part-*.parquet")))
            time.sleep(0.01)
        data, words = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1, words
    assert data == ""
    assert "Traceback" not in words
    assert 0 < killed < 16
    assert [diagnosis.to_dict() for diagnosis in read_results(results)] == on_one_machine
    assert "60 photos" in words
    assert "1 photo failed" in words

    written = {path.name: path.stat().st_mtime_ns for path in results.glob("part-*.parquet")}
    (results / "part-000003.parquet").unlink()
    again = diagnose(environment, random_model, *options, code=1)
    assert "going on: 57 of the 61 photos" in again.stderr
    assert [diagnosis.to_dict() for diagnosis in read_results(results)] == on_one_machine
    for path in results.glob("part-*.parquet"):
        assert (path.stat().st_mtime_ns == written[path.name]) == (path.name != "part-000003.parquet")


def test_photos_and_results_on_object_storage_are_as_those_in_folders(
    cluster: str,
    environment: dict[str, str],
    random_model: Path,
    photos: Path,
    store: str,
    on_one_machine: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    s3fs = pytest.importorskip("s3fs")
    fs = s3fs.S3FileSystem(endpoint_url=store, key="testing", secret="testing")
    fs.mkdir("archive")
    names = ["00.jpg", "99.jpg", "_01.jpg"]
    for name in names:
        fs.put_file(str(photos / name), f"archive/2024/{name}")
    fs.pipe_file("archive/2024/readme.txt", b"no photo")
    (tmp_path / "list").write_text(f"s3://archive/2024/gone.jpg\n{(photos / '02.jpg').as_uri()}\n{photos}/03.jpg\n")
    options: list[str | Path] = ["s3://archive/2024", "--files-from", tmp_path / "list", "--ray", cluster]
    diagnose(environment, random_model, *options, "--output", "s3://archive/results", code=1)
    fs.get("archive/results/", str(tmp_path / "results"), recursive=True)
    records = [diagnosis.to_dict() for diagnosis in read_results(tmp_path / "results")]
    assert [record["path"] for record in records] == [
        *(f"s3://archive/2024/{name}" for name in names),
        "s3://archive/2024/gone.jpg",
        (photos / "02.jpg").as_uri(),
        f"{photos}/03.jpg",
    ]
    assert records[3]["error"] == {"type": "UnreadableError", "message": "there is no such file"}
    expected = {Path(it["path"]).name: without_path(it) for it in on_one_machine}
    for record in records[:3] + records[4:]:
        assert without_path(record) == expected[Path(record["path"]).name]


def test_what_fail_on_asks_for_ends_with_code_10_and_pandas_reads_the_results(
    cluster: str, environment: dict[str, str], random_model: Path, photos: Path, tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("00.jpg", "02.jpg", "03.jpg", "_01.jpg"):
        shutil.copy(photos / name, folder / name)
    results = tmp_path / "results"
    diagnose(environment, random_model, folder, "--ray", cluster, "-o", results, "--fail-on", "noise=0.0001", code=10)
    table = pandas.read_parquet(results)
    assert list(table["path"]) == [f"{folder}/{name}.jpg" for name in ("00", "02", "03", "_01")]
    assert table["noise"].dtype == float
    assert table["width"].tolist() == [160, 162, 163, 161]
    assert table["error"].isna().all()


def test_a_photo_that_always_takes_its_worker_with_it_is_a_record_and_the_others_are_diagnosed(
    cluster: str, environment: dict[str, str], random_model: Path, tmp_path: Path
) -> None:
    script = f"""
import os, time
from photodefect.cli.cluster import _job
from photodefect.distributed.cluster import joined
from photodefect.distributed.plan import make_plan
from photodefect.distributed.storage import ResultsFolder
from photodefect.distributed.worker import PhotoWorker
from photodefect.records import Diagnosis

class Fragile(PhotoWorker):
    def __init__(self, job):
        pass

    def diagnose(self, names):
        if "poison.jpg" in names:
            time.sleep(0.5)  # until others would wait behind it
            os._exit(1)
        return [Diagnosis(name) for name in names]

job = _job({str(random_model)!r}, device="cpu", patches=1, placement="random", seed=None, limits={{}}, time_limit=None)
with joined({cluster!r}):
    from photodefect.distributed.run import run
    names = ["poison.jpg", *(f"{{number:02}}.jpg" for number in range(8))]
    plan = make_plan(ResultsFolder({str(tmp_path / "results")!r}), map(os.fsencode, names), [], job, part_size=9)
    told = []
    for diagnosis in run(plan, job, 1, worker=Fragile):
        told.append((diagnosis.path, diagnosis.error and diagnosis.error.type))
print(sorted(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    others = [(f"{number:02}.jpg", None) for number in range(8)]
    assert done.stdout == f"{[*others, ('poison.jpg', 'WorkerLostError')]}\n"
    rows = pq.read_table(tmp_path / "results" / "part-000000.parquet")
    assert rows.column("error_type").to_pylist() == ["WorkerLostError", *[None] * 8]

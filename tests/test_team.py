"""Processes that train a network together find what one would, and none is left waiting when another fails.

What is about the loop is done by two processes that are started once; for what is about the command ``torchrun`` starts
two for each test.
"""

from __future__ import annotations

import os
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli_train import run
from test_loop import FAST, Diary, assert_equal_states, train
from tiny_training import MemoryPhotos, grey_photos, tiny_network
from torch import Tensor, nn

from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import DataError, TeamError, ToldElsewhereError
from photodefect.training.checkpoint import checkpoints, load_checkpoint
from photodefect.training.loop import Outcome
from photodefect.training.samples import Batches, SampleReader
from photodefect.training.settings import RECIPES
from photodefect.training.shares import SharedBatchNorm, SharedDropout, share_of
from photodefect.training.team import ALONE, Team, joined_team

STEPS: Final = 12
RECIPE: Final = replace(FAST, steps=STEPS, batch=3)
FINETUNE: Final = replace(RECIPES["finetune"], batch=2, steps=STEPS, warmup=3, learning_rate=0.003)


class Exact(MultiColumnNetwork):
    """Computes in double precision, so that two ways to add up the same numbers differ by nothing that grows."""

    def features(self, rgb: Tensor) -> Tensor:
        result: Tensor = self.trunk(self.normalization(rgb.double()))
        return result


def exact_network(kind: str, seed: int = 0) -> Exact:
    tiny = tiny_network(kind, seed)
    columns = {defect.key: tiny.column(defect.key) for defect in tiny.defects}
    return Exact(tiny.normalization, tiny.trunk, columns).double()


def textured_photos(count: int = 8) -> MemoryPhotos:
    """Photos of noise, no two alike: in those of one grey a batch norm has nothing to divide by."""
    rng = np.random.default_rng(4)
    photos = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(count)]
    return MemoryPhotos(photos, rng.integers(0, 11, (count, len(DEFECTS))) / 10)


@dataclass
class Case:
    """What is trained the same way by one process and by two.

    Attributes:
        tolerance: of weights. AdamW turns a gradient of nothing but rounding errors, as a bias before a batch norm has,
            into steps that show.
    """

    kind: str = "holistic"
    recipe: Any = RECIPE
    photos: Callable[[], MemoryPhotos] = textured_photos
    validation: float = 0.25
    tolerance: float = 1e-9


def one_that_is_damaged() -> MemoryPhotos:
    """Four to train on, so that a process often has no sample of a defect, and one of them can't be read."""
    photos = textured_photos(6)
    photos.photos = [*photos.photos[:4], None, photos.photos[5]]
    photos.severities[2, KEYS.index("haze")] = np.nan
    return photos


CASES: Final = {
    "the paper's recipe": Case(),
    "other labels and frozen norms": Case("patches", FINETUNE, tolerance=1e-4),
    "regression on few photos": Case("patches", replace(RECIPE, batch=1, loss="euclidean"), one_that_is_damaged),
}


def run_case(case: Case, folder: Path, team: Team = ALONE, **options: Any) -> tuple[Outcome, Diary]:
    diary = options.pop("diary", Diary())
    outcome, _ = train(
        folder,
        exact_network(case.kind),
        kind=case.kind,  # type: ignore[arg-type]
        recipe=case.recipe,
        photos=case.photos(),
        validation=case.validation,
        team=team,
        diary=diary,
        **options,
    )
    return outcome, diary


def member(rank: int, port: int, folder: Path) -> None:
    """One of two processes: does everything that the tests look at, and writes down what it saw."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    saw: dict[str, Any] = {}
    with joined_team() as team:
        for name, case in CASES.items():
            outcome, diary = run_case(case, folder / name, team)
            saw[name] = (outcome, diary.reports, diary.looks)
        case = CASES["the paper's recipe"]
        run_case(case, folder / "begun by two", team, diary=Diary(stop_at=5 if rank == 1 else 0))
        saw["begun by one"], _ = run_case(case, folder / "begun by one", team, resume=True)
        saw["norm"] = norm_of_two(team)
        saw["errors"] = [error_of(team, culprits) for culprits in ((), (0,), (1,), (0, 1))]
        saw["leader only"] = team.from_leader(os.getpid) == (team.gather(os.getpid())[0])
    with (folder / f"saw-{rank}.pickle").open("wb") as stream:
        pickle.dump(saw, stream)


def norm_inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, 4, 4, generator=generator) * 3 + 1, torch.randn(5, 3, 4, 4, generator=generator)


def norm_of_two(team: Team) -> dict[str, Tensor]:
    """A batch norm over five samples, all of which the second process has."""
    import torch.distributed as dist  # noqa: PLC0415

    norm = SharedBatchNorm.of(nn.BatchNorm2d(3), dist.new_group())
    inputs, weights = (part[:0] if team.leads else part for part in norm_inputs())
    inputs.requires_grad_()
    outputs = norm(inputs)
    (outputs * weights).sum().backward()
    assert inputs.grad is not None
    return {"outputs": outputs.detach(), "gradient": inputs.grad, **norm.state_dict()}


def error_of(team: Team, culprits: tuple[int, ...]) -> str:
    try:
        with team.together():
            if team.rank in culprits:
                raise DataError(f"row {team.rank}")  # noqa: TRY301 - that is the point
    except (DataError, ToldElsewhereError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process began, and what two did."""
    folder = tmp_path_factory.mktemp("two")
    run_case(CASES["the paper's recipe"], folder / "begun by one", diary=Diary(stop_at=5))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(member, (port, folder), nprocs=2)  # type: ignore[no-untyped-call]
    return folder


@pytest.fixture(scope="module")
def saw(folder: Path) -> list[dict[str, Any]]:
    """What each of the two processes saw."""
    return [pickle.loads((folder / f"saw-{rank}.pickle").read_bytes()) for rank in (0, 1)]


def assert_close_states(one: Mapping[str, Tensor], other: Mapping[str, Tensor], tolerance: float = 1e-9) -> None:
    assert list(one) == list(other)
    for name, tensor in one.items():
        torch.testing.assert_close(
            tensor, other[name], rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("name", CASES)
def test_two_processes_find_the_losses_and_weights_of_one(
    name: str, folder: Path, saw: list[dict[str, Any]], tmp_path: Path
) -> None:
    outcome, diary = run_case(CASES[name], tmp_path)
    together, reports, looks = saw[0][name]
    tolerance = CASES[name].tolerance
    assert len(reports) == STEPS
    for alone, shared in zip(diary.reports, reports, strict=True):
        assert shared.losses == pytest.approx(alone.losses, rel=1e-9, abs=1e-9)
        assert (shared.step, shared.learning_rate) == (alone.step, alone.learning_rate)
    assert [step for step, _, _ in looks] == [step for step, _, _ in diary.looks]
    assert [loss for _, loss, _ in looks] == pytest.approx([loss for _, loss, _ in diary.looks], rel=tolerance)
    assert together.progress.step == outcome.progress.step
    assert_close_states(together.weights, outcome.weights, tolerance)
    ends = [
        load_checkpoint(checkpoints(run)[-1], network="lite0", kind=CASES[name].kind)
        for run in (folder / name, tmp_path)
    ]  # type: ignore[arg-type]
    assert_close_states(ends[0].weights, ends[1].weights, tolerance)


@pytest.mark.parametrize("name", CASES)
def test_both_processes_end_with_the_same_bits(name: str, saw: list[dict[str, Any]]) -> None:
    (one, reports, looks), (other, other_reports, other_looks) = saw[0][name], saw[1][name]
    assert_equal_states(one.weights, other.weights)
    assert [report.losses for report in reports] == [report.losses for report in other_reports]
    assert looks == other_looks


def test_only_the_leader_writes_checkpoints(folder: Path) -> None:
    for name in CASES:
        assert [path.name for path in (folder / name).iterdir()] == [f"step-{STEPS:08d}.pt"]


def test_what_two_began_one_ends_and_the_other_way_round(
    folder: Path, saw: list[dict[str, Any]], tmp_path: Path
) -> None:
    """On the same schedule, with the same samples and the same dropout."""
    straight, _ = run_case(CASES["the paper's recipe"], tmp_path)
    begun = load_checkpoint(checkpoints(folder / "begun by two")[0], network="lite0", kind="holistic")
    assert begun.progress.step == 5, "one of them was told to stop, and both did"
    ended_by_one, diary = run_case(CASES["the paper's recipe"], folder / "begun by two", resume=True)
    assert [report.step for report in diary.reports] == list(range(6, STEPS + 1))
    for ended in (ended_by_one, saw[0]["begun by one"]):
        assert ended.progress.step == STEPS
        assert_close_states(ended.weights, straight.weights)
    ends = [load_checkpoint(checkpoints(path)[-1], network="lite0", kind="holistic") for path in (
        tmp_path, folder / "begun by two", folder / "begun by one", folder / "the paper's recipe"
    )]  # fmt: skip
    for end in ends[1:]:
        assert_equal_states(ends[0].random, end.random)


def test_a_batch_norm_over_all_processes_is_torchs_even_if_one_has_no_samples(saw: list[dict[str, Any]]) -> None:
    inputs, weights = norm_inputs()
    inputs.requires_grad_()
    norm = nn.BatchNorm2d(3)
    (norm(inputs) * weights).sum().backward()
    assert saw[0]["norm"]["outputs"].shape == (0, 3, 4, 4)
    torch.testing.assert_close(saw[1]["norm"]["outputs"], norm(inputs).detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(saw[1]["norm"]["gradient"], inputs.grad, rtol=1e-4, atol=1e-5)
    fresh = nn.BatchNorm2d(3)
    fresh(inputs)
    for one in saw:
        assert_close_states({key: one["norm"][key] for key in fresh.state_dict()}, fresh.state_dict(), 1e-5)


def test_an_error_of_one_process_ends_all_and_the_leader_tells_it(saw: list[dict[str, Any]]) -> None:
    told, elsewhere = saw[0]["errors"], saw[1]["errors"]
    assert told == [
        "none",
        "DataError: row 0 (so says process 0 of 0..1)",
        "DataError: row 1 (so says process 1 of 0..1)",
        "DataError: row 0",
    ]
    assert elsewhere[0] == "none"
    assert all(text.startswith("ToldElsewhereError") for text in elsewhere[1:])
    assert saw[0]["leader only"]
    assert saw[1]["leader only"]


def test_the_parts_of_a_batch_are_the_whole_batch_and_a_photo_is_always_in_the_same_part() -> None:
    photos = grey_photos(7)
    options: dict[str, Any] = {"seed": 3, "batch": 5, "window": 4, "labels": "own"}
    with SampleReader(photos, seed=3, workers=1, cache_mb=50) as reader:
        whole = Batches(reader, np.arange(7), "holistic", **options)
        parts = [Batches(reader, np.arange(7), "holistic", part=(part, 3), **options) for part in range(3)]
        homes: dict[float, set[int]] = {}
        streams = [batches.from_step(2) for batches in (whole, *parts)]
        for _ in range(6):
            step, *shares = (next(stream) for stream in streams)
            assert torch.equal(torch.cat([share.numbers for share in shares]).sort().values, step.numbers)
            for home, share in enumerate(shares):
                for number, pixels, row in zip(share.numbers, share.inputs, share.severities, strict=True):
                    (at,) = torch.nonzero(step.numbers == number).flatten().tolist()
                    assert torch.equal(pixels, step.inputs[at])
                    assert torch.equal(row.nan_to_num(-9), step.severities[at].nan_to_num(-9))
                    homes.setdefault(float(row.nan_to_num(0).sum()), set()).add(home)
    assert len(homes) == 7
    assert all(len(home) == 1 for home in homes.values())


def test_dropout_takes_its_rows_of_what_torch_drops_from_the_whole_batch() -> None:
    whole = torch.randn(6, 4, 1, 1)
    torch.manual_seed(5)
    expected = nn.Dropout(0.5)(whole)
    for rows in ([0, 3, 4], [1, 2, 5], []):
        dropout = SharedDropout(0.5)
        dropout.rows, dropout.total = torch.tensor(rows, dtype=torch.int64), 6
        torch.manual_seed(5)
        assert torch.equal(dropout(whole[rows]), expected[rows])
        assert torch.equal(dropout.eval()(whole[rows]), whole[rows])


def test_alone_a_share_is_everything() -> None:
    with SampleReader(grey_photos(4), seed=0, workers=1, cache_mb=50) as reader:
        batches = Batches(reader, np.arange(4), "holistic", seed=0, batch=2, window=4, labels="own")
        share = share_of(ALONE, next(batches.from_step(0)), 14)
    assert set(share.counted.values()) == {2}
    assert {key: rows.tolist() for key, rows in share.rows.items()} == {key: [0, 1] for key in KEYS}


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    assert Team(3, 4, local_rank=1, local_size=2).device("auto") == torch.device("cuda", 1)
    assert taken == [1]
    with pytest.raises(Exception, match="process 3 on this machine has no GPU of its own, there are 2; start fewer"):
        Team(2, 3, local_rank=2, local_size=3).device("cuda")


def test_a_connection_that_breaks_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_: None)
    with pytest.raises(TeamError, match="--resume auto goes on from the last checkpoint"), joined_team():
        raise RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:31373")
    with pytest.raises(RuntimeError, match="a bug"), joined_team():
        raise RuntimeError("a bug")


@pytest.fixture(scope="module")
def labels(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    rows = []
    for index, path in enumerate(sorted(samples.glob("*.jpg"))[:8]):
        image = Image.open(path).convert("RGB")
        image.thumbnail((96, 96))
        image.save(folder / path.name)
        severities = [
            ((index + place) % 11) / 10 * (-1 if defect.signed else 1) for place, defect in enumerate(DEFECTS)
        ]
        rows.append(f"{path.name}," + ",".join(map(str, severities)))
    csv = folder / "labels.csv"
    csv.write_text(f"path,{','.join(KEYS)}\n" + "\n".join(rows) + "\n")
    return csv


QUICK: Final = ("--init", "random", "--inputs", "holistic", "--batch", "1", "--device", "cpu", "--validation", "0.25")
TORCHRUN: Final = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def torchrun(what: tuple[str, ...], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *TORCHRUN, *what, "train", *map(str, arguments), *QUICK]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def first_loss(stderr: str) -> float:
    found = re.search(r"holistic: step 1/\d+, loss ([\d.]+)", stderr)
    assert found, stderr
    return float(found[1])


def test_torchrun_with_the_command_trains_the_compact_network_as_one_process_does(labels: Path, tmp_path: Path) -> None:
    together = torchrun(("-m", "photodefect"), labels, "-o", tmp_path / "two", "--steps", "2")
    assert together.returncode == 0, together.stderr
    assert together.stdout == ""
    assert together.stderr.count("photos to train on") == 1, "one of them talks"
    assert "on cpu, in 2 processes" in together.stderr
    assert "the patches network is still missing" in together.stderr
    folder = tmp_path / "two" / "training"
    assert sorted(path.name for path in folder.iterdir()) == ["holistic", "settings.json"]
    assert [path.name for path in (folder / "holistic").iterdir()] == ["step-00000002.pt"]
    alone = run(labels, "-o", tmp_path / "one", "--steps", "1", *QUICK)
    assert first_loss(together.stderr) == pytest.approx(first_loss(alone.stderr), rel=1e-3)


CLUMSY: Final = """
import os
from photodefect.cli import main
from photodefect.training import loop

share = loop.share_of

def clumsy(team, batch, most):
    clumsy.calls += 1
    if team.rank == 1 and clumsy.calls == 3:
        os._exit(7)
    return share(team, batch, most)

clumsy.calls = 0
loop.share_of = clumsy
main()
"""


def test_when_one_process_dies_all_end_with_a_clear_message_and_the_run_can_go_on(labels: Path, tmp_path: Path) -> None:
    script = tmp_path / "clumsy.py"
    script.write_text(CLUMSY)
    arguments = (labels, "-o", tmp_path / "run", "--steps", "4", "--checkpoint-every", "1")
    broken = torchrun((str(script),), *arguments)
    assert broken.returncode != 0
    assert "photodefect: process 0 of 0..1 can't reach the others any more" in broken.stderr
    assert "photodefect/training/loop.py" not in broken.stderr, "no traceback but torchrun's own"
    folder = tmp_path / "run" / "training" / "holistic"
    assert [path.name for path in sorted(folder.iterdir())] == ["step-00000001.pt", "step-00000002.pt"]
    resumed = run(*arguments, *QUICK, "--resume", "auto")
    assert resumed.exit_code == 0, resumed.output
    assert checkpoints(folder)[-1].name == "step-00000004.pt"


def test_wrong_labels_are_told_once(labels: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(labels.read_text().replace("0.1", "1.7", 1))
    broken = torchrun(("-m", "photodefect"), wrong, "--images", labels.parent, "-o", tmp_path / "run")
    assert broken.returncode != 0
    assert broken.stderr.count("outside 0..1") == 1
    assert not (tmp_path / "run").exists()

"""Checkpoints on disk."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from photodefect.errors import ModelError
from photodefect.training.checkpoint import (
    FORMAT,
    Checkpoint,
    Progress,
    checkpoints,
    kind_of,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
    write_whole,
)

CPU = torch.device("cpu")


def checkpoint(step: int = 7, **changes: Any) -> Checkpoint:
    parameter = torch.nn.Parameter(torch.arange(3.0))
    optimizer = torch.optim.AdamW([parameter], lr=0.1)
    parameter.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    content: dict[str, Any] = {
        "network": "lite0",
        "kind": "patches",
        "settings": {"seed": 3, "recipe": {"batch": 32}},
        "data": "abc",
        "progress": Progress(step, 0.5, step - 1, 1),
        "weights": {"weight": torch.tensor([1.5, -2.0]), "counter": torch.tensor(4)},
        "best_weights": {"weight": torch.tensor([9.0, 9.0])},
        "optimizer": optimizer.state_dict(),
        "random": random_state(CPU),
    }
    return Checkpoint(**(content | changes))


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint()
    path = save_checkpoint(tmp_path / "run", saved, keep=1)
    loaded = load_checkpoint(path, network="lite0", kind="patches")
    assert loaded.progress == saved.progress
    assert loaded.settings == saved.settings
    assert loaded.data == "abc"
    assert torch.equal(loaded.weights["weight"], saved.weights["weight"])
    assert loaded.best_weights is not None
    assert torch.equal(loaded.best_weights["weight"], torch.tensor([9.0, 9.0]))
    moments = loaded.optimizer["state"][0]
    assert torch.equal(moments["exp_avg"], saved.optimizer["state"][0]["exp_avg"])
    assert kind_of(path) == "patches"


def test_the_generators_go_on_where_they_were(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        torch.rand(5)
        path = save_checkpoint(tmp_path, checkpoint(), keep=1)
        following = torch.rand(5)
        torch.rand(100)
        set_random_state(load_checkpoint(path, network="lite0", kind="patches").random, CPU)
        assert torch.equal(torch.rand(5), following)


def test_the_last_ones_are_kept_in_order_of_their_steps(tmp_path: Path) -> None:
    for order, step in enumerate((8, 90, 100_000_000, 200)):
        path = save_checkpoint(tmp_path, checkpoint(step), keep=10)
        os.utime(path, ns=(order, order))
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-00000008.pt",
        "step-00000090.pt",
        "step-00000200.pt",
        "step-100000000.pt",
    ]
    save_checkpoint(tmp_path, checkpoint(201), keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000200.pt", "step-00000201.pt"]
    assert checkpoints(tmp_path / "nowhere") == []


def test_a_checkpoint_of_another_network_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(), keep=1)
    with pytest.raises(ModelError, match=r"step-00000007.pt is a checkpoint of the network lite0, not of googlenet"):
        load_checkpoint(path, network="googlenet", kind="patches")
    with pytest.raises(ModelError, match=r"of the patches network, not of the holistic one; see --inputs"):
        load_checkpoint(path, network="lite0", kind="holistic")


def test_a_damaged_or_foreign_file_is_told_by_name(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(), keep=1)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"step-00000007.pt is damaged or no checkpoint"):
            load_checkpoint(path, network="lite0", kind="patches")
    torch.save({"format": FORMAT, "network": "lite0", "kind": "patches"}, path)
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        load_checkpoint(path, network="lite0", kind="patches")
    with pytest.raises(ModelError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "step-1.pt", network="lite0", kind="patches")


@pytest.mark.parametrize("other", [1, 99])
def test_a_checkpoint_of_another_version_is_refused_with_what_to_do(tmp_path: Path, other: int) -> None:
    path = save_checkpoint(tmp_path, checkpoint(), keep=1)
    torch.save(torch.load(path, weights_only=True) | {"format": other}, path)
    with pytest.raises(ModelError, match=r"no checkpoint of this version of photodefect; .* begin anew in another"):
        load_checkpoint(path, network="lite0", kind="patches")


class Trap:
    """Pickled, it asks whoever unpickles it to make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_loading_a_checkpoint_executes_nothing_that_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    path = tmp_path / "step-00000001.pt"
    for save in (torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))):
        save({"format": FORMAT, "network": Trap(target)}, path)
        with pytest.raises(ModelError):
            load_checkpoint(path, network="lite0", kind="patches")
        assert not target.exists()


def test_a_write_that_fails_leaves_the_file_that_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"before")

    def fail(stream: Any) -> None:
        stream.write(b"half of")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(target, fail)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]

"""The processes that train a network together, and what they tell each other.

``torchrun`` starts them, on one machine or several, and says to each by environment variables who it is. Together
they do what one process would do with the same settings: the batch of a step, its order and its losses are the same,
only its photos are shared out (see :mod:`photodefect.training.shares`). One of them, the leader, reads and writes the
run's folder and talks to the person.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from photodefect.engines.devices import pick_device
from photodefect.errors import ModelError, PhotodefectError, TeamError, ToldElsewhereError
from photodefect.training.settings import SettingError

T = TypeVar("T")

_LOCAL: Final = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
"""What torchrun calls a process's place on its machine, and what holds without it."""

_LOST = re.compile("gloo|nccl|connection (closed|reset|refused|was closed)|broken pipe|timed? ?out", re.I)
"""What libraries say where another process can't be reached."""


class Team:
    """Who of how many a process is.

    Args:
        rank: number of this process, from 0; that one leads.
        size: how many there are; 1 for a process of its own, which tells nobody anything.
        local_rank: number of this process on its machine, from 0: the GPU that it takes.
        local_size: processes on its machine.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size

    @property
    def leads(self) -> bool:
        """Whether it writes files and talks to the person."""
        return self.rank == 0

    def gather(self, item: T) -> list[T]:
        """What each process has to say, by rank."""
        if self.size == 1:
            return [item]
        items: list[T | None] = [None] * self.size
        dist.all_gather_object(items, item)
        return items  # type: ignore[return-value]  # all are there now

    def stack(self, values: Tensor) -> Tensor:
        """Tensors of one shape on the CPU, those of all processes stacked by rank."""
        if self.size == 1:
            return values[None]
        every = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(every, values)
        return torch.stack(every)

    def from_leader(self, make: Callable[[], T]) -> T:
        """What ``make`` gives the leader; it is called there alone.

        Raises:
            PhotodefectError: what ``make`` raised, with the leader.
            SettingError: likewise.
            ToldElsewhereError: with the others.
        """
        if self.size == 1:
            return make()
        made: list[T | None] = [None]
        with self.together():
            if self.leads:
                made[0] = make()
        dist.broadcast_object_list(made, src=0)
        return made[0]  # type: ignore[return-value]  # it is there now

    @contextmanager
    def together(self) -> Iterator[None]:
        """A piece of work that every process does: if it goes wrong with one, it ends all of them, and one says why.

        Raises:
            PhotodefectError: what went wrong, with the leader.
            SettingError: likewise.
            ToldElsewhereError: with the others.
        """
        if self.size == 1:
            yield
            return
        own: PhotodefectError | SettingError | None = None
        try:
            yield
        except (PhotodefectError, SettingError) as error:
            own = error
        except OSError as error:
            own = TeamError(str(error))
        errors = self.gather(own)
        first = next((error for error in errors if error is not None), None)
        if first is None:
            return
        if not self.leads:
            raise ToldElsewhereError("the leading process says why") from own
        if None in errors:
            ranks = ", ".join(str(rank) for rank, error in enumerate(errors) if error is not None)
            raise type(first)(f"{first} (so says process {ranks} of 0..{self.size - 1})") from own
        raise first

    def device(self, name: str) -> torch.device:
        """The device that this process computes on: with ``cuda`` each of a machine takes another GPU.

        Raises:
            ModelError: it isn't there.
        """
        device = pick_device(name)
        if self.size == 1 or device.type == "cpu":
            return device
        if device.type != "cuda":
            raise ModelError(f"several processes can't share one {device.type} device; take --device cpu")
        if self.local_rank >= torch.cuda.device_count():
            raise ModelError(
                f"process {self.local_rank + 1} on this machine has no GPU of its own, there are "
                f"{torch.cuda.device_count()}; start fewer (torchrun --nproc-per-node), or take --device cpu"
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)


ALONE: Final = Team()
"""One process by itself."""


def started_together() -> bool:
    """Whether ``torchrun`` started this process as one of several."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined_team() -> Iterator[Team]:
    """The team that ``torchrun`` made this process a member of; :data:`ALONE` where it was started by itself.

    Raises:
        TeamError: the others can't be reached, or one of them has ended.
    """
    if not started_together():
        yield ALONE
        return
    size = int(os.environ["WORLD_SIZE"])
    local_rank, local_size = (int(os.environ.get(name, default)) for name, default in _LOCAL.items())
    team = Team(int(os.environ["RANK"]), size, local_rank, local_size)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        yield team
        dist.destroy_process_group()
    except (ValueError, RuntimeError) as error:
        if isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and _LOST.search(str(error))):
            raise TeamError(
                f"process {team.rank} of 0..{size - 1} can't reach the others any more: one of them has ended, and its "
                "own output says why. The same command with --resume auto goes on from the last checkpoint."
            ) from error
        raise

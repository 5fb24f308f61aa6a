"""What workers may take, on machines that aren't this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from photodefect import Diagnoser
from photodefect.diagnosis.workers import limits
from photodefect.diagnosis.workers.limits import default_workers, lone_memory_limit, memory_limit

GIB = 1024**3


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


class Machine:
    """Another machine than this one."""

    def __init__(self, patch: pytest.MonkeyPatch, place: Path) -> None:
        self._patch = patch
        self._limit = place / "memory.max"

    def is_one_of(self, cores: int, memory: int, *, container: str | None = None) -> None:
        if container is not None:
            self._limit.write_text(container)
        known = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory // 4096}
        self._patch.setattr(limits.os, "sysconf", known.__getitem__, raising=False)
        self._patch.setattr(limits.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        self._patch.setattr(limits, "_CGROUP_LIMITS", (str(self._limit),))


@pytest.mark.parametrize(
    ("cores", "memory", "container", "threads", "workers"),
    [
        (2, 8 * GIB, None, None, 2),  # a core each
        (8, 64 * GIB, None, None, 6),  # 1400 MiB together
        (64, 64 * GIB, None, None, 6),
        (8, 64 * GIB, None, 4, 2),
        (8, 2 * GIB, None, None, 2),  # a quarter of the memory
        (4, GIB // 2, None, None, 1),
        (8, 64 * GIB, f"{2 * GIB}\n", None, 2),  # that a container may use
        (8, 64 * GIB, "max\n", None, 6),
        (2, 8 * GIB, None, 8, 1),
    ],
)
def test_there_is_a_worker_a_core_as_far_as_there_is_memory(
    machine: Machine, cores: int, memory: int, container: str | None, threads: int | None, workers: int
) -> None:
    machine.is_one_of(cores, memory, container=container)
    assert default_workers(threads) == workers


def test_larger_work_on_a_larger_machine_takes_a_quarter_of_it(machine: Machine) -> None:
    machine.is_one_of(16, 16 * GIB)
    assert default_workers(memory=GIB, budget=None) == 4


def test_a_system_that_does_not_tell_its_memory_has_enough(machine: Machine) -> None:
    machine.is_one_of(4, 0)
    assert default_workers() == 4
    assert memory_limit() == GIB


def test_who_asks_for_more_workers_gets_them(machine: Machine, random_model: Path) -> None:
    machine.is_one_of(8, GIB)
    with Diagnoser(random_model) as chosen, Diagnoser(random_model, workers=7) as asked:
        assert "1 photos at once" in chosen.describe()
        assert "7 photos at once" in asked.describe()


@pytest.mark.parametrize(
    ("memory", "one_of_several", "alone"), [(GIB, GIB, GIB), (4 * GIB, 2 * GIB, 3 * GIB), (64 * GIB, 4 * GIB, 48 * GIB)]
)
def test_a_worker_may_use_a_share_of_the_memory(machine: Machine, memory: int, one_of_several: int, alone: int) -> None:
    machine.is_one_of(4, memory)
    assert (memory_limit(), lone_memory_limit()) == (one_of_several, alone)

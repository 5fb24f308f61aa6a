"""What workers may take, on machines that aren't this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from photodefect import Diagnoser
from photodefect.diagnosis.workers import limits
from photodefect.diagnosis.workers.control_groups import ControlGroups
from photodefect.diagnosis.workers.limits import available_cores, default_workers, lone_memory_limit, memory_limit

GIB = 1024**3


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


class Machine:
    """Another machine than this one."""

    def __init__(self, patch: pytest.MonkeyPatch, place: Path) -> None:
        self._patch = patch
        self._place = place

    def is_one_of(self, cores: int, memory: int, *, container: str | None = None) -> None:
        if container is not None:
            (self._place / "memory.max").write_text(container)
        known = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory // 4096}
        self._patch.setattr(limits.os, "sysconf", known.__getitem__, raising=False)
        self._patch.setattr(limits.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        self._patch.setattr(limits, "_GROUPS", ControlGroups(self._place, self._place / "cgroup"))


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


@pytest.mark.parametrize(
    ("listing", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),  # version 2, in a container
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a.slice/b.service\n", {"a.slice/b.service/cpu.max": "max 100000", "a.slice/cpu.max": "5000 10000"}, 0.5),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, 2.0),
        ("0::/not/shown/here\n", {"cpu.max": "200000 100000"}, 2.0),
        ("", {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),  # version 1
        ("", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        (
            "4:memory:/\n3:cpu,cpuacct:/docker/1f\n0::/\n",
            {
                "cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "50000",
                "cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ("0::/../outside\n", {"cpu.max": "100000 100000"}, 1.0),
        ("nonsense\n", {"cpu.max": "what 1 2"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_of_a_container_or_service_is_read(
    tmp_path: Path, listing: str, files: dict[str, str], cores: float | None
) -> None:
    assert groups_of(tmp_path, listing, files).cores() == cores


def groups_of(place: Path, listing: str, files: dict[str, str]) -> ControlGroups:
    """Control groups made of files, whose texts are the kernel's (admin-guide/cgroup-v2, scheduler/sched-bwc)."""
    for name, text in files.items():
        file = place / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (place / "listing").write_text(listing)
    return ControlGroups(place / "groups", place / "listing")


@pytest.mark.parametrize(("quota", "cores"), [("max", 8), ("50000", 1), ("150000", 2), ("200000", 2), ("6400000", 8)])
def test_affinity_and_quota_bound_workers(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    machine.is_one_of(8, 64 * GIB)
    groups = groups_of(tmp_path, "0::/\n", {"cpu.max": f"{quota} 100000\n"})
    assert available_cores(groups) == cores
    monkeypatch.setattr(limits, "_GROUPS", groups)
    assert default_workers() == min(cores, 6)


def test_the_least_memory_limit_around_a_process_holds(tmp_path: Path) -> None:
    files = {"a/memory.max": f"{GIB}\n", "a/b/memory.max": "max\n", "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"}
    assert groups_of(tmp_path, "0::/a/b\n", files).memory() == GIB

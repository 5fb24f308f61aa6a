"""What a container or a service may use: Linux control groups of both versions, with their quotas and limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_VERSION_1: Final = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


@dataclass(frozen=True)
class ControlGroups:
    """The control groups that this process belongs to.

    Attributes:
        mounted: where the system shows them.
        listing: names the process's own ones.
    """

    mounted: Path = Path("/sys/fs/cgroup")
    listing: Path = Path("/proc/self/cgroup")

    def cores(self) -> float | None:
        """Cores' worth of processor time that the quotas allow; None if there is no quota.

        A quota is so many microseconds in each period (cpu.max, or cpu.cfs_quota_us and cpu.cfs_period_us).
        """
        quotas = []
        for folder in self._folders("cpu"):
            both = _read(folder / "cpu.max") or " ".join(map(_read, (folder / name for name in _VERSION_1)))
            quota, period = [*both.split(), "", ""][:2]
            quotas += [int(quota) / int(period)] if _is_number(quota) and _is_number(period) else []
        return min(quotas, default=None)

    def memory(self) -> int | None:
        """Bytes that the limits allow (memory.max, or memory.limit_in_bytes); None if there is no limit."""
        names = ("memory.max", "memory.limit_in_bytes")
        texts = [_read(folder / name).strip() for folder in self._folders("memory") for name in names]
        return min((int(text) for text in texts if _is_number(text)), default=None)

    def _folders(self, controller: str) -> Iterator[Path]:
        """The folders of the process's own group and of those around it, each of which may have limits of its own."""
        # In a container its own group is shown as the outermost one, whatever name it has outside.
        yield from (self.mounted, self.mounted / controller)
        for line in _read(self.listing).splitlines():
            _, controllers, group = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
            if not controllers:  # version 2, alone or beside version 1
                roots = [self.mounted, self.mounted / "unified"]
            elif controller in controllers.split(","):
                roots = [self.mounted / controllers, self.mounted / controller]
            else:
                continue
            path = PurePosixPath(group.lstrip("/"))
            if ".." not in path.parts:
                yield from (root / part for root in roots for part in (path, *path.parents))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _is_number(text: str) -> bool:
    """Whether it is a number above 0; without a limit it is "max" or -1."""
    return text.isascii() and text.isdecimal() and int(text) > 0

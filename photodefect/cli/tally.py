"""Counts of a run's records, for the closing summary and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.fail_on import FailOn
from photodefect.defects import DEFECTS
from photodefect.printable import printable
from photodefect.records import Diagnosis
from photodefect.verdicts import DEFAULT_THRESHOLDS, VERDICTS, grades


class Tally:
    """Counts records as they go by.

    Args:
        demands: what ``--fail-on`` asked for.
    """

    def __init__(self, demands: Sequence[FailOn] = ()) -> None:
        self._demands = demands
        self._verdicts: Counter[str] = Counter()
        self._severe: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._demand_met = False

    @property
    def photos(self) -> int:
        """Records so far, failed ones included."""
        return self._verdicts.total() + self._failures.total()

    def add(self, diagnosis: Diagnosis) -> None:
        """Count one record."""
        if diagnosis.error is not None:
            self._failures[printable(diagnosis.error.message)] += 1
            return
        self._verdicts[diagnosis.verdict or "good"] += 1
        severity = diagnosis.severity or {}
        graded = grades(severity, diagnosis.thresholds or DEFAULT_THRESHOLDS, monochrome=bool(diagnosis.monochrome))
        self._severe.update(key for key, grade in graded.items() if grade == "severe")
        for demand in self._demands:
            if demand.verdict is not None:
                met = VERDICTS.index(diagnosis.verdict or "good") >= VERDICTS.index(demand.verdict)
            elif demand.defect not in graded:
                met = False
            elif demand.limit is None:
                met = graded[demand.defect] == "severe"
            else:
                met = abs(severity[demand.defect]) >= demand.limit
            self._demand_met = self._demand_met or met

    def summary(self, *, reasons: bool = True) -> str:
        """A few lines: how many photos, how many with each severe defect, how many failed.

        Args:
            reasons: and why; the person hasn't been told yet.
        """
        diagnosed = self._verdicts.total()
        lines = [f"{_photos(diagnosed)}: " + ", ".join(f"{self._verdicts[name]} {name}" for name in VERDICTS)]
        if self._severe:
            found = sorted(
                (defect for defect in DEFECTS if self._severe[defect.key]), key=lambda defect: -self._severe[defect.key]
            )
            lines.append(
                "severe: " + ", ".join(f"{defect.title.lower()} {self._severe[defect.key]}" for defect in found)
            )
        if self._failures:
            failed = f"{_photos(self._failures.total())} failed"
            if reasons:
                lines.append(f"{failed}:")
                lines += [f"  {count} x {message}" for message, count in self._failures.most_common()]
            else:
                lines.append(f"{failed}; the table says why")
        return "\n".join(lines)

    def exit_code(self) -> ExitCode:
        """The exit code of the run; what ``--fail-on`` asked for goes before failed files."""
        if self._demand_met:
            return ExitCode.DEFECTS_FOUND
        return ExitCode.SOME_FAILED if self._failures else ExitCode.DONE


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"

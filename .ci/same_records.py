"""Compares records of the same photos as different Pythons and libraries made them: NDJSON files, first and second.

What isn't a number is equal. Severities differ by less than 1e-4: a hundredth of what a table shows, and more than the
order of additions in another version of ONNX Runtime or numpy changes in a network of single precision; percentiles,
which are whole numbers, by at most one for the same reason. Paths are told apart by their last part alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 1e-4


def differences(first: Any, second: Any, where: str) -> list[str]:  # noqa: ANN401  JSON
    """Where two values differ."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [it for key in first for it in differences(first[key], second[key], f"{where} {key}")]
    if isinstance(first, float) and isinstance(second, float):
        same = abs(first - second) < TOLERANCE
    elif " percentile " in where and isinstance(first, int) and isinstance(second, int):
        same = abs(first - second) <= 1
    else:
        same = first == second
    return [] if same else [f"{where}: {first} and {second}"]


def records(file: str) -> dict[str, Any]:
    """Records by the name of their photo."""
    read = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    return {Path(record.pop("path")).name: record for record in read}


found = differences(records(sys.argv[1]), records(sys.argv[2]), "")
sys.exit("\n".join(found) if found else 0)

"""Which capture data is read from which kind of file, compared with what exiftool reads; the table in the documents."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from exif_files import every_kind
from exiftool import exiftool, needs_exiftool

from photodefect.photos.exif import read_capture
from photodefect.photos.facts import Capture

FIELDS = {
    "time": "SubSecDateTimeOriginal",
    "camera": "Model",
    "lens": "LensModel",
    "iso": "ISO",
    "shutter_s": "ExposureTime",
    "aperture": "FNumber",
    "focal_mm": "FocalLength",
    "focal_35mm": "FocalLengthIn35mmFormat",
    "exposure_bias": "ExposureCompensation",
    "exposure_mode": "ExposureMode",
    "drive": "DriveMode",
    "software": "Software",
    "orientation": "Orientation",
}
"""Field of a record -> exiftool's name."""

DRIVES = ("ContinuousDrive", "ShootingMode", "DriveMode", "BurstMode", "ReleaseMode")
LENSES = ("LensModel", "LensType", "Lens")

DOCUMENT = Path(__file__).parent.parent / "docs" / "formats.md"


def by_exiftool(files: list[Path]) -> dict[str, dict[str, Any]]:
    numbers = ("ExposureTime", "FNumber", "FocalLength", "FocalLengthIn35mmFormat", "ExposureCompensation")
    plain = ("ISO", "SubSecDateTimeOriginal", "Model", "ExposureMode", "Software", "Make", *LENSES, *DRIVES)
    wanted = [f"-{name}#" for name in (*numbers, "Orientation")] + [f"-{name}" for name in plain]
    records = json.loads(exiftool("-j", *wanted, *files))
    return {Path(record["SourceFile"]).name: record for record in records}


def expected(record: dict[str, Any]) -> dict[str, Any]:
    """What a capture should say, from exiftool's words."""
    values = {field: record.get(name) for field, name in FIELDS.items()}
    drive = next((record[name] for name in DRIVES if name in record), None)
    values["drive"] = drive and ("continuous" if "Continuous" in drive or drive == "On" else "single")
    lens = next((record[name] for name in LENSES if name in record), None)
    values["lens"] = lens and lens.split(" VR")[0]
    values["exposure_mode"] = values["exposure_mode"] and values["exposure_mode"].lower()
    time = values["time"]
    values["time"] = time and time.replace(":", "-", 2).replace(" ", "T").replace(".25+", ".250+")
    values["software"] = None if values["software"] is None else str(values["software"])
    return values


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    if isinstance(ours, str) and isinstance(theirs, str):
        return theirs in ours
    return bool(ours == theirs)


@needs_exiftool
def test_every_field_that_exiftool_reads_is_read_from_every_kind_of_file(tmp_path: Path) -> None:
    kinds = every_kind()
    for file, data in kinds.values():
        (tmp_path / file).write_bytes(data)
    records = by_exiftool([tmp_path / file for file, _ in kinds.values()])
    for name, (file, _) in kinds.items():
        capture = read_capture(tmp_path / file)
        for field, value in expected(records[file]).items():
            ours = getattr(capture, field)
            assert same(ours, value) if value is not None else ours is None, f"{name}: {field} {ours!r}, not {value!r}"


def test_the_table_in_the_documents_is_what_is_read() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8"), f"put this into {DOCUMENT.name}:\n{table()}"


def table() -> str:
    """The fields that are read from the files of each kind."""
    lines = ["| | " + " | ".join(f"`{field}`" for field in FIELDS) + " |", "|---" * (len(FIELDS) + 1) + "|"]
    for name, (_, data) in every_kind().items():
        capture = read_capture(data)
        cells = ["yes" if getattr(capture, field) is not None else "" for field in FIELDS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@pytest.mark.parametrize("name", every_kind())
def test_a_file_cut_short_anywhere_gives_what_it_can(name: str) -> None:
    _, data = every_kind()[name]
    for end in range(0, len(data), max(1, len(data) // 200)):
        assert isinstance(read_capture(data[:end]), Capture)

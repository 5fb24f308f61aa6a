"""The page of an HTML report, made of records: what a browser shows is laid out here, once, in Python.

The page's frame is a template; the photos are one script file, so that thousands of them open from disk (a page that
has no server can't fetch anything). What a script of the page shows, it shows as text.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from photodefect._version import __version__
from photodefect.defects import DEFECTS, KEYS, Defect
from photodefect.photos.names import file_name
from photodefect.printable import printable
from photodefect.ranking.overall import RankedPhoto, Ranking
from photodefect.records import Capture, Diagnosis, Provenance
from photodefect.reports.html.folder import GENERATOR, MAPS, PREVIEWS, THUMBNAILS, ReportFolder
from photodefect.reports.html.pictures import Pictures
from photodefect.reports.table import short_title
from photodefect.verdicts import DEFAULT_THRESHOLDS, VERDICTS, Threshold, grades

DATA: Final = "data.js"
ASSETS: Final = ("report.css", "theme.js")
SCRIPT: Final = "report.js"
SHARED_PARTS: Final = ("wording", "address", "cards")
"""Modules that the page of the review has as well."""

SCRIPT_PARTS: Final = ("photos", "order", "histograms", "grid", "filters", "viewer")
"""The other parts of the page's script. All of them share their names; modules of their own don't load from disk."""

_AROUND_PARTS: Final = (
    "// The grid of photos, its orders and filters, and the viewer of one photo. "
    "Text from files only ever becomes text.\n"
    '"use strict";\n(() => {\n',
    "})();\n",
)

_PACKAGE: Final = "photodefect.reports.html"
_TEMPLATES: Final = "templates"
_DIGITS: Final = 3
_VARIABLE: Final = "photodefectReport"
_EXPORT: Final = re.compile(rb"^export ", re.MULTILINE)


class HtmlReport:
    """Writes the page. Pictures go to disk as they come; of the records stays what the page shows.

    Args:
        folder: receives the files.
        title: what the photos are called together, e.g. their folder's name.
    """

    def __init__(self, folder: ReportFolder, title: str) -> None:
        self._folder = folder
        self._title = printable(title)
        self._photos: list[dict[str, Any]] = []
        self._paths: list[str] = []
        self._failures: list[tuple[str, str]] = []
        self._notes: dict[str, int] = {}
        self._thresholds: Mapping[str, Threshold] = DEFAULT_THRESHOLDS
        self._model = ""
        self._ranked = False
        self._templates = Environment(
            loader=PackageLoader(_PACKAGE, _TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def add(self, diagnosis: Diagnosis, pictures: Pictures | None) -> None:
        """Add one photo, and write its pictures.

        Args:
            diagnosis: its record.
            pictures: None if it failed.

        Raises:
            ValueError: there are no pictures of a photo that didn't fail.
            OSError: a picture can't be written.
        """
        if diagnosis.error is not None or diagnosis.severity is None:
            message = "" if diagnosis.error is None else diagnosis.error.message
            self._failures.append((printable(diagnosis.path), printable(message)))
            return
        if pictures is None:
            raise ValueError(f"no pictures of {diagnosis.path!r}")
        number = f"{len(self._photos) + 1:05}"
        files = self._folder.files
        (files / THUMBNAILS / f"{number}.jpg").write_bytes(pictures.thumbnail)
        (files / PREVIEWS / f"{number}.jpg").write_bytes(pictures.preview)
        for key, picture in pictures.maps.items():
            (files / MAPS / f"{number}-{key}.png").write_bytes(picture)
        self._photos.append(self._row(diagnosis, diagnosis.severity, pictures))
        self._paths.append(diagnosis.path)
        self._thresholds = diagnosis.thresholds or self._thresholds
        self._ranked = self._ranked or diagnosis.percentile is not None
        if diagnosis.model is not None:
            self._model = printable(f"{diagnosis.model.name} ({diagnosis.model.sha256[:12]})")

    def close(self, *, missing: int = 0, ranked: Iterable[RankedPhoto] = ()) -> Path:
        """Write the page and let it take the place of an earlier report.

        Args:
            missing: photos that the run didn't come to.
            ranked: the photos with their places among each other; the page shows their hints, and what is a burst or
                another set.

        Returns:
            Where the page is.

        Raises:
            OSError: it can't be written.
        """
        verdicts = Counter(photo["verdict"] for photo in self._photos)
        data = {
            "defects": [_defect(defect, self._thresholds[defect.key]) for defect in DEFECTS],
            "notes": list(self._notes),
            "sets": self._told_by({photo.path: photo.ranking for photo in ranked}),
            "photos": self._photos,
        }
        (self._folder.files / DATA).write_text(_script(data), encoding="ascii")
        for name in ASSETS:
            (self._folder.files / name).write_bytes(_template(name))
        (self._folder.files / SCRIPT).write_bytes(_page_script())
        page = self._templates.get_template("index.html").render(
            generator=f"{GENERATOR} {__version__}",
            title=self._title,
            files=self._folder.link,
            made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
            count=len(self._photos),
            verdicts=[(name, verdicts[name]) for name in reversed(VERDICTS)],
            defects=[(defect, short_title(defect), self._thresholds[defect.key]) for defect in DEFECTS],
            failures=self._failures,
            missing=missing,
            model=self._model,
            ranked=self._ranked,
            grouped=bool(data["sets"]),
        )
        return self._folder.publish(page)

    def _row(self, diagnosis: Diagnosis, severity: Mapping[str, float], pictures: Pictures) -> dict[str, Any]:
        """What the page shows of one photo; lists run along the defects."""
        graded = grades(severity, diagnosis.thresholds or DEFAULT_THRESHOLDS, monochrome=bool(diagnosis.monochrome))
        row: dict[str, Any] = {
            "name": printable(file_name(diagnosis.path)),
            "path": printable(diagnosis.path),
            "href": link_to(diagnosis.path, self._folder.folder),
            "size": [diagnosis.width, diagnosis.height],
            "verdict": diagnosis.verdict,
            "worst": next((place for place, defect in enumerate(DEFECTS) if defect.key == diagnosis.worst), None),
            "severity": [round(severity[defect.key], _DIGITS) for defect in DEFECTS],
            # A colour defect of a monochrome photo has no grade.
            "grades": [VERDICTS.index(graded[defect.key]) if defect.key in graded else None for defect in DEFECTS],
            "facts": facts(diagnosis),
        }
        if diagnosis.percentile is not None:
            row["percentile"] = [diagnosis.percentile.get(defect.key) for defect in DEFECTS]
        if diagnosis.capture is not None and diagnosis.capture.time is not None:
            row["time"] = printable(diagnosis.capture.time)
        if pictures.maps:
            row["maps"] = [
                self._note(pictures.notes.get(defect.key, "")) if defect.key in pictures.maps else None
                for defect in DEFECTS
            ]
        return row

    def _told_by(self, rankings: Mapping[str, Ranking | None]) -> list[dict[str, Any]]:
        """Complete the rows by what a ranking tells of photos, and give the sets of photos that it knows."""
        sets: dict[int, dict[str, Any]] = {}
        for place, (row, path) in enumerate(zip(self._photos, self._paths, strict=True)):
            ranking = rankings.get(path)
            if ranking is None:
                continue
            hints = [
                {
                    "defect": KEYS.index(it.defect),
                    "grade": it.grade,
                    "hint": printable(it.hint),
                    "direction": it.direction,
                }
                for it in ranking.findings
                if it.hint
            ]
            if hints:
                row["hints"] = hints
            if ranking.burst is not None:
                new = {"kind": ranking.burst.kind, "best": None, "place": len(sets)}
                found = sets.setdefault(ranking.burst.number, new)
                row["set"] = found["place"]
                if ranking.burst.place == 1 and ranking.burst.kind == "burst":
                    found["best"] = place
        return [{"kind": it["kind"], "best": it["best"]} for it in sets.values()]

    def _note(self, text: str) -> int:
        """The place of a remark that many heat maps share."""
        return self._notes.setdefault(text, len(self._notes))


def link_to(path: str, folder: Path) -> str:
    r"""A link from a page in ``folder`` to an original: relative, or absolute where there is no relative way.

    Browsers take a link's ``..`` from the page's address, without looking what is a symbolic link; so does this. Every
    byte that means something in an address is escaped, and every byte that isn't UTF-8.
    """
    try:
        way = os.path.relpath(path, folder)
    except ValueError:  # another drive
        return Path(path).absolute().as_uri()
    return quote(os.fsencode(way.replace(os.sep, "/")), safe="/")


def facts(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What there is to know about a photo beside its defects: pairs of a label and a text, without what isn't known."""
    capture = diagnosis.capture or Capture()
    exposure = [
        _shutter(capture.shutter_s) if capture.shutter_s else "",
        f"f/{capture.aperture:.3g}" if capture.aperture else "",
        f"ISO {capture.iso}" if capture.iso else "",
        f"{capture.exposure_bias:+.1f} EV" if capture.exposure_bias else "",
    ]
    lines = {
        "Taken": (capture.time or "").replace("T", " "),
        "Camera": capture.camera,
        "Lens": capture.lens,
        "Exposure": " · ".join(part for part in exposure if part),
        "Mode": capture.exposure_mode,
        "Focal length": f"{capture.focal_mm:.4g} mm" if capture.focal_mm else "",
        "Same view on 35 mm film": f"{capture.focal_35mm:.4g} mm" if capture.focal_35mm else "",
        "Drive": capture.drive,
        "Series": capture.sequence,
        "Software": capture.software,
        "Size": _size(diagnosis.width, diagnosis.height) if diagnosis.width and diagnosis.height else "",
        "File": _file(diagnosis.provenance) if diagnosis.provenance else "",
        "Kind": f"no photograph: {diagnosis.not_photograph}" if diagnosis.not_photograph is not None else "",
        "Colour": "monochrome: colour defects don't count" if diagnosis.monochrome else "",
    }
    return [(label, printable(text)) for label, text in lines.items() if text]


def abbreviation(defect: Defect) -> str:
    """A defect's name for narrow places: ``WB``, ``Exp``, ``Noise``."""
    title = short_title(defect)
    words = title.split()
    if len(words) > 1:
        return "".join(word[0] for word in words).upper()
    # Cut before the second vowel.
    start = re.match(r"[^aeiou]*[aeiou]+[^aeiou]+", title, re.IGNORECASE)
    return title if len(title) <= 5 or start is None else start[0]


def _defect(defect: Defect, threshold: Threshold) -> dict[str, Any]:
    return {
        "key": defect.key,
        "title": short_title(defect),
        "short": abbreviation(defect),
        "signed": defect.signed,
        "mapped": defect.in_patches,
        "mild": threshold.mild,
        "severe": threshold.severe,
    }


def _script(data: Mapping[str, Any]) -> str:
    """A script that holds the data: ASCII only, and without anything that could end a script element."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    escaped = text.replace("<", "\\u003c")
    return f"window.{_VARIABLE} = {escaped};\n"


def _template(name: str) -> bytes:
    return (resources.files(_PACKAGE) / _TEMPLATES / name).read_bytes()


def _page_script() -> bytes:
    """The script of the page: its parts in one scope of their own."""
    before, after = (text.encode() for text in _AROUND_PARTS)
    shared = b"".join(_EXPORT.sub(b"", _template(f"shared/{part}.js")) for part in SHARED_PARTS)
    return before + shared + b"".join(_template(f"report/{part}.js") for part in SCRIPT_PARTS) + after


def _shutter(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds > 0.3 else f"1/{1 / seconds:.0f} s"


def _size(width: int, height: int) -> str:
    megapixels = width * height / 1e6
    return f"{width} × {height} ({megapixels:.{1 if megapixels >= 0.1 else 2}f} MP)"  # noqa: RUF001 - the sign of sizes


def _file(provenance: Provenance) -> str:
    parts = [provenance.format, provenance.icc or provenance.colour]
    if provenance.source != "file":
        parts.append(provenance.source)
    if provenance.mode not in ("RGB", "L"):
        parts.append(provenance.mode)
    if provenance.frames > 1:
        parts.append(f"first of {provenance.frames} frames")
    if provenance.missing:
        parts.append(f"without {provenance.missing}")
    return ", ".join(part for part in parts if part)

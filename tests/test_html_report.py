"""The HTML report: its folder, its data, its pictures, and that nothing in a name gets out of its text."""

from __future__ import annotations

import io
import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from record_strategies import DIAGNOSES, TEXTS

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.heatmap import HeatMap
from photodefect.photos.find import find_photos
from photodefect.photos.places import Kind, PassedOver
from photodefect.printable import printable
from photodefect.records import Capture, Diagnosis, ModelIdentity, PhotoFailure, Provenance
from photodefect.reports.html import (
    HtmlReport,
    Pictures,
    ReportFolder,
    check_folder,
    is_report,
    make_pictures,
)
from photodefect.reports.html.page import abbreviation, facts, link_to
from photodefect.reports.html.pictures import overlay
from photodefect.verdicts import Threshold

HOSTILE = '"><img src=x onerror=alert(1)>.jpg'
PICTURES = Pictures(
    b"thumbnail", b"preview", {"noise": b"map"}, {"noise": "the redder, the severer; original resolution"}
)


def diagnosis(path: str = "a.jpg", **severity: float) -> Diagnosis:
    return Diagnosis(
        path,
        width=600,
        height=400,
        severity=dict.fromkeys(KEYS, 0.1) | severity,
        worst=max(severity, key=lambda key: abs(severity[key]), default=KEYS[0]),
        verdict="severe" if severity else "good",
        monochrome=False,
    )


def write(folder: Path, *records: Diagnosis, pictures: Pictures = PICTURES, missing: int = 0) -> Path:
    with ReportFolder(folder) as target:
        report = HtmlReport(target, "Photos")
        for record in records:
            report.add(record, None if record.error else pictures)
        return report.close(missing=missing)


def data_of(page: Path) -> dict[str, Any]:
    text = next(page.parent.glob("photodefect-files-*/data.js")).read_text("ascii")
    head, _, rest = text.partition(" = ")
    assert head == "window.photodefectReport"
    data: dict[str, Any] = json.loads(rest.removesuffix(";\n"))
    return data


class Reader(HTMLParser):
    """What a browser makes of the page: elements with their attributes, and the text of terms and descriptions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"dt": [], "dd": [], "title": [], "h1": []}
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - named by the base class
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in self.texts:
            self.texts[self._inside][-1] += data


# --- the folder


def test_a_report_is_one_page_and_one_folder_with_all_its_files(tmp_path: Path) -> None:
    page = write(tmp_path / "new" / "report", diagnosis())
    assert page == tmp_path / "new" / "report" / "index.html"
    files = next(page.parent.glob("photodefect-files-*"))
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", files.name]
    assert sorted(os.fspath(path.relative_to(files)) for path in files.rglob("*") if path.is_file()) == [
        "data.js",
        "maps/00001-noise.png",
        "previews/00001.jpg",
        "report.css",
        "report.js",
        "theme.js",
        "thumbnails/00001.jpg",
    ]
    assert (files / "thumbnails" / "00001.jpg").read_bytes() == b"thumbnail"


def test_a_new_report_takes_the_place_of_an_earlier_one_and_only_of_that(tmp_path: Path) -> None:
    first = write(tmp_path, diagnosis("first.jpg"))
    earlier = next(tmp_path.glob("photodefect-files-*"))
    (earlier / "thumbnails" / "somebody's.jpg").touch()
    (tmp_path / "notes.txt").write_text("mine")
    check_folder(tmp_path)
    second = write(tmp_path, diagnosis("second.jpg"))
    assert first == second
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert [path.name for path in earlier.rglob("*") if path.is_file()] == ["somebody's.jpg"]
    (earlier / "thumbnails" / "somebody's.jpg").unlink()
    (earlier / "thumbnails").rmdir()
    earlier.rmdir()
    assert [photo["name"] for photo in data_of(second)["photos"]] == ["second.jpg"]


def test_a_report_that_is_not_finished_leaves_the_earlier_one_as_it_was(tmp_path: Path) -> None:
    page = write(tmp_path, diagnosis("first.jpg"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with ReportFolder(tmp_path) as folder:
        HtmlReport(folder, "Photos").add(diagnosis("second.jpg"), PICTURES)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert data_of(page)["photos"][0]["name"] == "first.jpg"


def test_a_report_that_is_not_finished_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    with ReportFolder(tmp_path / "new" / "report") as folder:
        HtmlReport(folder, "Photos").add(diagnosis(), PICTURES)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_refused_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>my homepage</title>")
    assert not is_report(tmp_path)
    with pytest.raises(DataError, match="--force"):
        check_folder(tmp_path)
    check_folder(tmp_path, force=True)
    with pytest.raises(DataError, match="not a folder"):
        check_folder(tmp_path / "index.html")
    check_folder(tmp_path / "new")


def test_a_report_never_goes_among_the_photos_whatever_way_they_are_named(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    (tmp_path / "link").symlink_to(photos)
    for original in (photos / "a.jpg", tmp_path / "link" / "a.jpg"):
        for folder in (photos, tmp_path / "link"):
            with pytest.raises(DataError, match="holds photos of this run"):
                check_folder(folder, force=True, originals=[str(original)])
    check_folder(photos / "report", originals=[str(photos / "a.jpg")])


def test_a_photo_of_the_working_directory_counts_as_lying_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DataError, match="holds photos of this run"):
        check_folder(Path(), force=True, originals=["a.jpg"])


def test_the_pictures_of_reports_are_no_photos_of_a_folder(tmp_path: Path) -> None:
    page = write(tmp_path, diagnosis())
    (page.parent / "thumbnails").mkdir()
    shutil.copy(next(page.parent.glob("*/thumbnails/*.jpg")), page.parent / "thumbnails" / "00001.jpg")
    passed_over = PassedOver()
    found = list(find_photos([tmp_path], on_passed_over=passed_over.note))
    assert found == [page.parent / "thumbnails" / "00001.jpg"]
    assert passed_over == {Kind.OWN_PICTURES: 1}


# --- the page


def test_names_and_messages_are_text_and_make_no_elements(tmp_path: Path) -> None:
    plain = Reader(write(tmp_path / "plain", diagnosis(), Diagnosis("b", error=PhotoFailure("X", "y"))).read_text())
    failure = Diagnosis(HOSTILE, error=PhotoFailure("UnreadableError", "<script>alert(2)</script>"))
    with ReportFolder(tmp_path / "hostile") as folder:
        report = HtmlReport(folder, "</title><script>alert(3)</script>")
        report.add(diagnosis(HOSTILE), PICTURES)
        report.add(failure, None)
        page = report.close()
    hostile = Reader(page.read_text("utf-8"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert hostile.texts["dt"][0] == HOSTILE
    assert hostile.texts["dd"][0] == "<script>alert(2)</script>"
    assert hostile.texts["h1"] == ["</title><script>alert(3)</script>"]
    assert data_of(page)["photos"][0]["name"] == HOSTILE


@settings(max_examples=40)
@given(records=st.lists(DIAGNOSES, max_size=3))
def test_whatever_a_record_holds_the_data_is_ascii_without_markup_and_the_page_is_utf_8(
    records: list[Diagnosis],
) -> None:
    with TemporaryDirectory() as folder:
        page = write(Path(folder) / "report", *records)
        page.read_text("utf-8")
        script = next(page.parent.glob("*/data.js")).read_text("ascii")
        assert "<" not in script
        shown = [record for record in records if record.error is None]
        for photo, record in zip(data_of(page)["photos"], shown, strict=True):
            assert record.severity is not None
            assert photo["path"] == printable(record.path)
            assert photo["severity"] == [pytest.approx(record.severity[key], abs=5.01e-4) for key in KEYS]


def test_the_page_forbids_the_network_and_has_no_inline_script_or_style(tmp_path: Path) -> None:
    page = write(tmp_path / "report", diagnosis())
    reader = Reader(page.read_text("utf-8"))
    (policy,) = [a["content"] for tag, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert "unsafe" not in policy
    for tag, attributes in reader.elements:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "script" or attributes["src"]
        for name in ("src", "href"):
            target = attributes.get(name)
            if target and not target.startswith("#"):
                assert (page.parent / target).is_file()
    css = next(page.parent.glob("*/report.css")).read_text("utf-8")
    assert "url(" not in css
    assert "@import" not in css


def test_grades_come_from_the_records_own_thresholds_and_spare_colour_in_monochrome_photos(tmp_path: Path) -> None:
    limits = dict.fromkeys(KEYS, Threshold(0.3, 0.5)) | {"noise": Threshold(0.7, 0.8)}
    record = Diagnosis(
        "a.jpg",
        severity=dict.fromkeys(KEYS, 0.6) | {"bad_saturation": -0.9, "haze": 0.4},
        thresholds=limits,
        monochrome=True,
    )
    data = data_of(write(tmp_path / "report", record))
    graded = dict(zip(KEYS, data["photos"][0]["grades"], strict=True))
    assert graded == {
        "bad_exposure": 2,
        "bad_white_balance": None,
        "bad_saturation": None,
        "noise": 0,
        "haze": 1,
        "undesired_blur": 2,
        "bad_composition": 2,
    }
    assert [(d["mild"], d["severe"]) for d in data["defects"]] == [(limits[k].mild, limits[k].severe) for k in KEYS]


def test_an_interrupted_run_and_failures_are_told(tmp_path: Path) -> None:
    page = write(tmp_path, diagnosis(), Diagnosis("b.jpg", error=PhotoFailure("UnreadableError", "gone")), missing=3)
    text = page.read_text("utf-8")
    assert "3 more photos had not been looked at" in text
    assert "1 photo could not be diagnosed" in text


def test_a_photo_without_pictures_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with ReportFolder(tmp_path / "report") as folder, pytest.raises(ValueError, match="no pictures"):
        HtmlReport(folder, "Photos").add(diagnosis(), None)


# --- what it says of a photo


def test_capture_data_is_written_as_photographers_write_it() -> None:
    capture = Capture(
        time="2024-05-01T12:30:00.250+02:00",
        camera="NIKON Z 6",
        iso=800,
        shutter_s=1 / 60,
        aperture=2.8,
        focal_mm=50.0,
        focal_35mm=75.0,
        exposure_bias=-2 / 3,
        drive="continuous",
    )
    record = Diagnosis(
        "a.NEF",
        width=6000,
        height=4000,
        capture=capture,
        monochrome=True,
        provenance=Provenance("NEF", source="embedded preview", icc="Adobe RGB (1998)"),
    )
    assert facts(record) == [
        ("Taken", "2024-05-01 12:30:00.250+02:00"),
        ("Camera", "NIKON Z 6"),
        ("Exposure", "1/60 s · f/2.8 · ISO 800 · -0.7 EV"),
        ("Focal length", "50 mm"),
        ("Same view on 35 mm film", "75 mm"),
        ("Drive", "continuous"),
        ("Size", "6000 × 4000 (24.0 MP)"),  # noqa: RUF001 - the sign of sizes
        ("File", "NEF, Adobe RGB (1998), embedded preview"),
        ("Colour", "monochrome: colour defects don't count"),
    ]


def test_a_card_says_what_a_file_was_converted_from_and_lacks() -> None:
    provenance = Provenance("HEIF", colour="BT.2020 PQ (nclx)", missing="end mark")
    assert facts(Diagnosis("a.heic", provenance=provenance)) == [("File", "HEIF, BT.2020 PQ (nclx), without end mark")]


@pytest.mark.parametrize(
    ("seconds", "text"), [(1 / 8000, "1/8000 s"), (0.25, "1/4 s"), (0.5, "0.5 s"), (1.3, "1.3 s"), (30.0, "30 s")]
)
def test_long_exposures_are_in_seconds_and_short_ones_are_fractions(seconds: float, text: str) -> None:
    assert facts(Diagnosis("a", capture=Capture(shutter_s=seconds))) == [("Exposure", text)]


def test_every_defect_has_a_short_name_of_its_own() -> None:
    names = {defect.key: abbreviation(defect) for defect in DEFECTS}
    assert names == {
        "bad_exposure": "Exp",
        "bad_white_balance": "WB",
        "bad_saturation": "Sat",
        "noise": "Noise",
        "haze": "Haze",
        "undesired_blur": "Blur",
        "bad_composition": "Comp",
    }


# --- links


def target_of(link: str, folder: str) -> bytes:
    """Where a link in ``folder``'s page leads, by the rules of addresses (urllib's, not ours)."""
    encoded = "".join("/" if byte == ord("/") else f"%{byte:02X}" for byte in os.fsencode(folder))
    address = urljoin(f"file://{encoded}/", link)
    return unquote_to_bytes(address.removeprefix("file://"))


NAMES = TEXTS.map(lambda text: text.replace("/", "").replace("\x00", "")).filter(lambda name: name.strip("."))


@given(name=NAMES, inside=NAMES)
def test_a_link_leads_to_the_photo_whatever_it_is_called(name: str, inside: str) -> None:
    photo = f"/photos/{inside}/{name}"
    assert target_of(link_to(photo, Path("/photos/report")), "/photos/report") == os.fsencode(photo)
    assert target_of(link_to(photo, Path(f"/{inside}/report")), f"/{inside}/report") == os.fsencode(photo)


def test_a_name_that_looks_like_an_address_is_a_name() -> None:
    assert link_to("/p/javascript:alert(1).jpg", Path("/p")) == "javascript%3Aalert%281%29.jpg"
    assert link_to("/p/50% #1?.jpg", Path("/p/report")) == "../50%25%20%231%3F.jpg"
    assert link_to("/p/gr\udcfcn.jpg", Path("/p")) == "gr%FCn.jpg"


# --- pictures


def test_thumbnail_and_preview_show_the_photo_at_the_sizes_promised() -> None:
    pixels = np.zeros((1500, 3000, 3), np.uint8)
    pixels[:, 1500:] = (200, 100, 50)
    pictures = make_pictures(pixels)
    for picture, size in ((pictures.thumbnail, (360, 180)), (pictures.preview, (1280, 640))):
        image = Image.open(io.BytesIO(picture))
        assert (image.format, image.size) == ("JPEG", size)
        left, right = image.getpixel((size[0] // 4, 20)), image.getpixel((3 * size[0] // 4, 20))
        assert left == pytest.approx((0, 0, 0), abs=3)
        assert right == pytest.approx((200, 100, 50), abs=4)


def test_a_small_photo_is_not_enlarged_and_a_narrow_one_keeps_a_pixel() -> None:
    pictures = make_pictures(np.zeros((20, 30, 3), np.uint8))
    assert Image.open(io.BytesIO(pictures.preview)).size == (30, 20)
    pictures = make_pictures(np.zeros((1, 5000, 3), np.uint8))
    assert Image.open(io.BytesIO(pictures.thumbnail)).size == (360, 1)


@pytest.mark.parametrize("key", ["noise", "bad_saturation"])
def test_a_heat_map_is_red_where_severe_blue_where_too_little_and_clear_where_nothing_is(key: str) -> None:
    lowest = BY_KEY[key].lowest
    severity = np.array([[1.0, 0.5, 0.0, lowest]], np.float32)
    # A photo of 400 x 100 pixels with a value for each 100.
    heat_map = HeatMap(key, severity, 400, 100, (100, 100), (50, 50), 100, 1.0, False)
    image = Image.open(io.BytesIO(overlay(heat_map)))
    assert image.size == (192, 48)
    full, half, none, least = (np.asarray(image.convert("RGBA"))[24, x].astype(int) for x in (2, 72, 120, 189))
    assert full[0] > 180
    assert full[2] < 60
    assert 180 < full[3] < 255  # the photo shows through
    assert half[3] == pytest.approx(full[3] / 2, abs=5)
    assert none[3] <= 5
    if lowest < 0:
        assert least[2] > 180
        assert least[0] < 60
        assert least[3] == pytest.approx(full[3], abs=2)
    else:
        assert least[3] == 0


def test_the_model_and_its_heat_maps_are_named(tmp_path: Path) -> None:
    model = ModelIdentity("mine", "ab" * 32)
    record = Diagnosis("a.jpg", severity=dict.fromkeys(KEYS, 0.0), verdict="good", worst="noise", model=model)
    page = write(tmp_path / "report", record, record)
    assert "model mine (abababababab)" in page.read_text("utf-8")
    data = data_of(page)
    assert data["notes"] == ["the redder, the severer; original resolution"]
    assert [photo["maps"] for photo in data["photos"]] == [[0 if key == "noise" else None for key in KEYS]] * 2

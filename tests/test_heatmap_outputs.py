"""The files of heat maps: names that can't meet or do harm, and nothing replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photodefect.errors import DataError
from photodefect.heatmap import HeatMap, HeatMaps
from photodefect.heatmap.outputs import Wanted, base_names, check_files, publish, write_picture, write_raw
from photodefect.records import ModelIdentity


def test_photos_of_one_folder_keep_their_names() -> None:
    assert base_names(["/photos/a.jpg", "/photos/b.cr2"]) == [Path("a"), Path("b")]


def test_photos_of_the_same_name_in_different_folders_mirror_the_folders() -> None:
    assert base_names(["/p/2023/IMG.jpg", "/p/2024/trip/IMG.jpg"]) == [Path("2023/IMG"), Path("2024/trip/IMG")]


def test_a_raw_photo_and_its_twin_dont_meet() -> None:
    assert base_names(["/p/IMG.jpg", "/p/IMG.CR2", "/p/img.jpg"]) == [Path("IMG"), Path("IMG.CR2"), Path("img.jpg")]


def test_relative_paths_stay_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert base_names(["../there/a.jpg", "b.jpg"]) == [Path("there/a"), Path("here/b")]


def test_names_that_could_do_harm_are_made_harmless() -> None:
    names = base_names(["/p/\x1b[2J.jpg", '/p/"><img src=x onerror=alert(1)>.jpg', "/p/\udcff\u202egpj.jpg"])

    assert [str(name) for name in names] == ["_[2J", "___img src=x onerror=alert(1)_", "__gpj"]


def test_long_names_leave_room_for_what_comes_behind() -> None:
    long = "é" * 120
    names = base_names([f"/p/{long}1.jpg", f"/p/{long}2.jpg"])

    assert len({str(name) for name in names}) == 2
    for name in names:
        for path in Wanted(["bad_white_balance"], overlays=True, raw=True).files(name).values():
            assert len(path.name.encode()) < 230


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(st.tuples(st.sampled_from(["a", "A", "b/c", "..x"]), names), min_size=1, max_size=12))
def test_no_two_files_of_a_run_meet_whatever_the_photos_are_called(photos: list[tuple[str, str]]) -> None:
    paths = list(dict.fromkeys(f"/root/{folder}/{name}" for folder, name in photos))
    wanted = Wanted(["noise", "undesired_blur"], overlays=True, raw=True)

    files = [str(path).casefold() for name in base_names(paths) for path in wanted.files(Path("out") / name).values()]

    assert len(set(files)) == len(files)
    for path in files:
        assert ".." not in Path(path).parts
        assert Path(path).parts[0] == "out"


def test_only_what_is_wanted_is_named() -> None:
    base = Path("out/IMG")

    assert Wanted(["noise"], overlays=True, image_format="png").files(base) == {
        "panel": Path("out/IMG-panel.png"),
        "noise": Path("out/IMG-noise.png"),
    }
    assert list(Wanted(["noise"], panel=False, raw=True).files(base)) == ["noise.npy", "noise.json"]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part"
    path.write_bytes(b"new")
    return path


def test_nothing_is_replaced_unasked(part: Path, tmp_path: Path) -> None:
    path = tmp_path / "there.jpg"
    path.write_bytes(b"old")

    with pytest.raises(DataError, match="is there already; --force replaces it"):
        check_files([path], [], force=False)
    with pytest.raises(DataError, match="is there already; --force replaces it"):
        publish(part, path)

    assert path.read_bytes() == b"old"
    publish(part, path, force=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_photo_is_never_written_to_not_even_by_force(tmp_path: Path) -> None:
    photo = tmp_path / "a-noise.jpg"
    photo.write_bytes(b"photo")

    with pytest.raises(DataError, match="is one of the photos"):
        check_files([photo], [str(photo)], force=True)


def test_a_file_gets_its_name_and_loses_the_other(part: Path, tmp_path: Path) -> None:
    publish(part, tmp_path / "a.jpg")

    assert (tmp_path / "a.jpg").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.jpg"]


def test_a_file_system_without_links_gets_its_files_too(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("photodefect.heatmap.outputs.os.link", fail)
    publish(part, tmp_path / "a.jpg")

    assert (tmp_path / "a.jpg").read_bytes() == b"new"
    part.write_bytes(b"other")
    with pytest.raises(DataError, match="is there already"):
        publish(part, tmp_path / "a.jpg")


@pytest.mark.parametrize(("image_format", "kind"), [("jpeg", "JPEG"), ("png", "PNG")])
def test_pictures_are_of_the_format_asked_for(tmp_path: Path, image_format: str, kind: str) -> None:
    path = tmp_path / "picture"
    write_picture(path, Image.new("RGB", (40, 30), (200, 10, 10)), image_format)  # type: ignore[arg-type]

    with Image.open(path) as picture:
        assert (picture.format, picture.size) == (kind, (40, 30))


def test_a_picture_too_long_for_a_jpeg_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="take --format png"):
        write_picture(tmp_path / "strip.jpg", Image.new("RGB", (70_000, 1)), "jpeg")


def test_raw_values_come_with_what_they_mean(tmp_path: Path) -> None:
    severity = np.arange(6, dtype=np.float32).reshape(2, 3) / 10
    heatmap = HeatMap("noise", severity, 900, 600, (300, 300), (150, 150), 900, 0.107, sampled=False)
    made = HeatMaps(900, 600, {"noise": heatmap}, ModelIdentity("random", "ab" * 32))
    files = Wanted(["noise"], raw=True).files(tmp_path / "IMG")

    write_raw(files, heatmap, made, "some/IMG.jpg")

    values = np.load(tmp_path / "IMG-noise.npy")
    assert values.dtype == np.float32
    assert np.array_equal(values, severity)
    facts = json.loads((tmp_path / "IMG-noise.json").read_text())
    assert facts == {
        "schema_version": 1,
        "photo": "some/IMG.jpg",
        "defect": "noise",
        "shape": [2, 3],
        "range": [0.0, 1.0],
        "photo_size": [900, 600],
        "stride": [300, 300],
        "origin": [150, 150],
        "window": 900,
        "scale": 0.107,
        "sampled": False,
        "model": {"name": "random", "sha256": "ab" * 32},
    }

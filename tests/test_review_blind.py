"""The blind pass: ratings that tune reads, kept as they are made, and a page that shows no score."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from browser import PATIENCE_S, Browsing, browser
from PIL import Image

from photodefect.errors import DataError, TransferError
from photodefect.ranking.tune import read_ratings
from photodefect.review.blind import Ratings, blind_order


def test_ratings_are_what_tune_reads(tmp_path: Path) -> None:
    ratings = Ratings(tmp_path / "ratings.csv")
    for name, word in (("a, b.jpg", "keep"), ("c.jpg", "reject"), ("d.jpg", "reject"), ("c.jpg", "keep")):
        ratings.rate(str(tmp_path / name), word)
    ratings.rate(str(tmp_path / "d.jpg"), None)
    read = {Path(it.path).name: it.liking for it in read_ratings(tmp_path / "ratings.csv")}
    assert read == {"a, b.jpg": 1.0, "c.jpg": 1.0}
    again = Ratings(tmp_path / "ratings.csv")
    assert len(again) == 2
    assert again.of(str(tmp_path / "c.jpg")) == "keep"
    assert again.of(str(tmp_path / "d.jpg")) is None


@pytest.mark.parametrize("text", ["", "path,stars\na.jpg,3\n", "path,keep\na.jpg,perhaps\n", "not a table"])
def test_another_file_is_never_written_over(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(text)
    with pytest.raises(DataError, match="name another file"):
        Ratings(file)
    assert file.read_text() == text


def test_a_folder_and_a_file_in_none_are_refused(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none" / "ratings.csv"):
        with pytest.raises(DataError, match="name a file in a folder"):
            Ratings(file)


def test_a_rating_that_cannot_be_written_is_told_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings = Ratings(tmp_path / "ratings.csv")
    ratings.rate("a.jpg", "keep")
    before = (tmp_path / "ratings.csv").read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("photodefect.review.blind.os.fsync", full)
    with pytest.raises(TransferError, match="No space left on device"):
        ratings.rate("b.jpg", "reject")
    assert (tmp_path / "ratings.csv").read_text() == before
    assert ratings.of("b.jpg") is None
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.csv"]


def test_ratings_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    ratings = Ratings(tmp_path / "ratings.csv")
    names = [f"{number}.jpg" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: ratings.rate(name, "keep"), names))
    assert all(ratings.of(name) == "keep" for name in names)
    assert len(read_ratings(tmp_path / "ratings.csv")) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.csv"]


def test_each_shot_is_shown_once_in_an_order_that_tells_nothing_and_stays() -> None:
    paths = [f"{number:02}.jpg" for number in range(20)] + ["01.cr2"]
    order = blind_order(paths)
    assert order == blind_order(paths)
    assert len(order) == 20
    assert "01.jpg" not in order
    assert order != sorted(order)


def test_a_person_judges_by_two_keys_and_goes_on_another_time(samples: Path, tmp_path: Path) -> None:
    folder, ratings = tmp_path / "photos", tmp_path / "ratings.csv"
    folder.mkdir()
    names = ("bulb.jpg", "city.jpg", "dog.jpg", "haze.jpg")
    for name in names:
        shutil.copy(samples / name, folder)
    command = [sys.executable, "-m", "photodefect", "review", folder, "--blind", "--ratings", ratings, "--no-browser"]

    def start() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        return process, found[0]

    def end(process: subprocess.Popen[str]) -> str:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
        return said

    with browser(tmp_path / "profile") as driver:
        page = Browsing(driver)
        process, address = start()
        driver.get(address)
        page.wait(lambda: page.one("#progress").text == "1 of 4 · 0 judged")
        page.wait(lambda: page.script("return document.getElementById('photo').naturalWidth > 0"))
        shown = page.one("body").text
        assert not any(name in driver.page_source for name in names)
        assert "severe" not in shown.lower()
        page.press("z")
        with Image.open(blind_order([str(folder / name) for name in names])[0]) as first:
            width = first.width
        page.wait(lambda: page.script("return document.getElementById('photo').naturalWidth") == width)
        page.press("z", "p", "x")
        page.wait(lambda: ratings.exists() and len(read_ratings(ratings)) == 2)
        assert "2 ratings are in" in end(process)

        process, address = start()
        driver.get(address)
        page.wait(lambda: page.one("#progress").text == "3 of 4 · 2 judged")
        page.one("#keep").click()
        page.wait(lambda: "4 of 4" in page.one("#progress").text)
        page.one("#reject").click()
        page.wait(lambda: page.one("#end").is_displayed())
        page.wait(lambda: len(read_ratings(ratings)) == 4)
        end(process)
    assert [it.liking for it in read_ratings(ratings)] == [1.0, 0.0, 1.0, 0.0]
    order = blind_order([str(folder / name) for name in names])
    assert [it.path for it in read_ratings(ratings)] == order

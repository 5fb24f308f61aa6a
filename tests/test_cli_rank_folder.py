"""``photodefect rank-folder`` as a person or a program calls it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter
from PIL.TiffImagePlugin import IFDRational
from scenes import exposed, focused, view
from typer.testing import CliRunner, Result

import photodefect
from photodefect.cli import app
from photodefect.defects import KEYS

pytestmark = pytest.mark.usefixtures("config")

ROOT = Path(photodefect.__file__).parents[1]
NAMES = ("dog", "bulb", "city", "guitar", "flowers")


def save(image: Image.Image, path: Path, time: str | None = None, mode: int | None = None) -> None:
    exif = image.getexif()
    if time is not None:
        details = exif.get_ifd(0x8769)
        details[0x9003] = time
        if mode is not None:
            details[0xA402] = mode
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=92, exif=exif)


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Five photos, two of them in a sub-folder, taken days apart."""
    photos = tmp_path / "photos"
    for day, name in enumerate(NAMES, start=1):
        image = Image.open(samples / f"{name}.jpg").convert("RGB").resize((300, 280))
        save(image, photos / ("sub" if day > 3 else "") / f"{name}.jpg", f"2024:05:0{day} 10:00:00")
    return photos


class Rank:
    """Calls the command in this process, with a model of random weights."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Result:
        options = ["--model", str(self.model), "--patches", "1", "--device", "cpu"]
        return CliRunner().invoke(app, ["rank-folder", *options, *map(str, arguments)], input=stdin)

    def records(self, *arguments: str | Path, stdin: bytes | None = None) -> list[dict[str, Any]]:
        result = self("--format", "json", *arguments, stdin=stdin)
        assert result.exit_code in (0, 1), result.stderr
        records: list[dict[str, Any]] = json.loads(result.stdout)
        return records

    def paths(self, *arguments: str | Path) -> list[str]:
        result = self("--format", "paths", *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout.splitlines()


@pytest.fixture
def rank(random_model: Path) -> Rank:
    return Rank(random_model)


def value_between(rank: Rank, folder: Path, key: str) -> tuple[float, list[float]]:
    """A severity that some photos are above and some below, and all of them."""
    values = sorted(abs(record["severity"][key]) for record in rank.records(folder))
    middle = (values[1] + values[2]) / 2
    return round(middle, 4), values


def test_all_photos_come_from_best_to_worst(rank: Rank, folder: Path) -> None:
    records = rank.records(folder)
    assert {Path(record["path"]).stem for record in records} == set(NAMES)
    rankings = [record["ranking"] for record in records]
    assert [ranking["rank"] for ranking in rankings] == [1, 2, 3, 4, 5]
    values = [ranking["overall"] for ranking in rankings]
    assert values == sorted(values)
    for record in records:
        sizes = [abs(value) for value in record["severity"].values()]
        assert record["ranking"]["overall"] == pytest.approx(0.8 * max(sizes) + 0.2 * sum(sizes) / 7, abs=1e-5)
        assert len(record["ranking"]["findings"]) == sum(size >= 0.3 for size in sizes)
        assert list(record["severity"]) == list(KEYS)


def test_the_current_folder_is_the_default(rank: Rank, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert sorted(rank.paths()) == ["bulb.jpg", "city.jpg", "dog.jpg", "sub/flowers.jpg", "sub/guitar.jpg"]


def test_photos_are_ranked_by_one_defect_whichever_way_it_went(rank: Rank, folder: Path) -> None:
    records = rank.records(folder, "--by", "saturation")
    values = [record["ranking"]["value"] for record in records]
    assert values == [record["severity"]["bad_saturation"] for record in records]
    assert [abs(value) for value in values] == sorted(abs(value) for value in values)
    assert rank.records(folder, "--by", "saturation", "--reverse") == records[::-1]


def test_weights_and_profiles_change_the_order(rank: Rank, folder: Path, tmp_path: Path) -> None:
    only = [option for key in KEYS if key != "haze" for option in ("--weight", f"{key}=0")]
    assert rank.paths(folder, *only) == rank.paths(folder, "--by", "haze")
    mine = tmp_path / "mine.toml"
    mine.write_text("[weights]\n" + "\n".join(f"{key} = 0" for key in KEYS if key != "haze"))
    assert rank.paths(folder, "--profile", mine) == rank.paths(folder, "--by", "haze")
    (folder / ".photodefect.toml").write_text(
        "[weights]\nnoise = 1\n" + mine.read_text().removeprefix("[weights]\n").replace("noise = 0\n", "")
    )
    records = rank.records(folder)
    for record in records:
        assert {finding["defect"] for finding in record["ranking"]["findings"]} <= {"haze", "noise"}


def test_limits_and_severe_defects_leave_photos_out_and_the_reason_is_told(rank: Rank, folder: Path) -> None:
    limit, values = value_between(rank, folder, "noise")
    kept = rank.records(folder, "--max", f"noise={limit}")
    assert sorted(abs(record["severity"]["noise"]) for record in kept) == values[:2]
    result = rank(
        folder,
        "--threshold",
        "1",
        "--threshold",
        f"noise={limit}",
        "--exclude-severe",
        "--show-excluded",
        "-f",
        "paths",
    )
    assert len(result.stdout.splitlines()) == 2
    assert "3 of 5 left out: 3 severe noise" in result.stderr
    assert result.stderr.count(": severe noise 0.") == 3
    quiet = rank(folder, "--max", f"noise={limit}", "-q", "-f", "paths")
    assert quiet.stderr == ""


def test_the_choice_can_be_turned_round(rank: Rank, folder: Path) -> None:
    everything = set(rank.paths(folder))
    best = rank.paths(folder, "--top", "2")
    rest = rank.records(folder, "--top", "2", "--excluded")
    assert set(best) | {record["path"] for record in rest} == everything
    assert len(best) == 2
    assert {record["ranking"]["left_out"] for record in rest} == {"not among the best 2"}


def test_excluded_photos_of_which_there_are_none_are_told(rank: Rank, folder: Path) -> None:
    result = rank(folder, "--excluded", "--format", "paths")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--excluded takes what was left out, and nothing was" in result.stderr


def test_the_first_and_the_best(rank: Rank, folder: Path) -> None:
    ordered = rank.paths(folder)
    assert rank.paths(folder, "--top", "2") == ordered[:2]
    assert rank.paths(folder, "--best", "60%") == ordered[:3]
    assert rank.paths(folder, "--best", "1") == ordered[:1]
    assert rank.paths(folder, "--top", "2", "--reverse") == ordered[::-1][:2]


def test_the_best_of_each_burst_is_kept_and_brackets_stay_whole(rank: Rank, samples: Path, tmp_path: Path) -> None:
    photos = tmp_path / "bursts"
    image = Image.open(samples / "city.jpg").convert("RGB").resize((320, 320))
    other = Image.open(samples / "dog.jpg").convert("RGB").resize((320, 320))
    for second in range(3):
        shifted = image.crop((second, second, 300 + second, 300 + second))
        # Seconds 0 and 2 are shaken.
        save(
            shifted.filter(ImageFilter.GaussianBlur(second % 2 == 0)),
            photos / f"burst{second}.jpg",
            f"2024:05:01 10:00:0{second}",
        )
        stepped = other.point(lambda value, step=second: min(255, value * (2 + step) // 3))  # type: ignore[misc]
        save(stepped, photos / f"bracket{second}.jpg", f"2024:05:01 11:00:0{second}", mode=2)
    every = rank.records(photos)
    bursts = {Path(record["path"]).stem: record["ranking"]["burst"] for record in every}
    assert {(name[:-1], burst["kind"], burst["size"]) for name, burst in bursts.items()} == {
        ("burst", "burst", 3),
        ("bracket", "bracket", 3),
    }
    kept = rank.paths(photos, "--best-per-burst")
    assert sorted(Path(path).stem for path in kept) == ["bracket0", "bracket1", "bracket2", "burst1"]
    assert rank.paths("--best-per-burst", photos) == kept
    assert len(rank.paths(photos, "--best-per-burst", "2")) == 5
    assert len(rank.paths(photos, "--best-per-burst", "1", "--thin-sequences")) == 2
    assert len(rank.paths(photos, "--best-per-burst", "--burst-gap", "0.5")) == 6


def test_sets_of_which_every_photo_is_needed_are_named_and_stay_whole(samples: Path, tmp_path: Path) -> None:
    photos = tmp_path / "series"
    scene = view(Image.open(samples / "city.jpg").convert("RGB").resize((480, 480)))
    other = view(Image.open(samples / "dog.jpg").convert("RGB").resize((480, 480)))
    for number in range(9, 14):
        save(focused(scene, (number - 9) / 4), photos / f"stack{number}.jpg", f"2024:05:01 10:00:0{number - 9}")
        save(
            exposed(other, 0.05 * (number % 2)),
            photos / f"lapse{number}.jpg",
            f"2024:05:01 11:00:{5 * number - 40:02d}",
        )
    command = [sys.executable, "-m", "photodefect", "rank-folder", str(photos), "--best-per-burst", "-q", "--no-hints"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    for kind, name in (("focus stack", "stack"), ("time lapse", "lapse")):
        lines = [line for line in done.stdout.splitlines() if "2024-05-01" in line or line.endswith("photos:")]
        place = next(row for row, line in enumerate(lines) if f"{kind} " in line)
        assert lines[place].endswith(", 5 photos:")
        assert all(f"/{name}" in line and " of 5)" in line for line in lines[place + 1 : place + 6])
    thinned = subprocess.run(
        [*command, "--thin-sequences", "--format", "paths"], env=environment, capture_output=True, text=True, check=True
    )
    assert len(thinned.stdout.splitlines()) == 2


def test_several_folders_are_one_ranking(rank: Rank, folder: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    (folder / "sub").rename(card)
    assert len(rank.records(folder)) == 3
    both = rank.records(folder, card)
    assert [record["ranking"]["rank"] for record in both] == [1, 2, 3, 4, 5]
    assert {Path(record["path"]).parent for record in both} == {folder, card}
    groups = json.loads(rank(folder, card, "--summary", "--format", "json").stdout)["by_folder"]
    assert {group["name"]: group["photos"] for group in groups} == {"card": 2, "photos": 3}
    assert "is not a folder" in rank(folder, card / "guitar.jpg").stderr


def test_several_folders_are_copied_with_their_sub_folders(rank: Rank, folder: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    (folder / "sub").rename(card)
    options = ["--top", "9", "--copy-to", tmp_path / "out", "--keep-folders", "--apply", "--journal", tmp_path / "j"]
    assert rank(folder, card, *options).exit_code == 0
    copied = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.jpg")}
    assert copied == {"card/flowers.jpg", "card/guitar.jpg", *(f"photos/{name}.jpg" for name in NAMES[:3])}
    inside = rank(folder, card, "--top", "9", "--copy-to", card / "out")
    assert inside.exit_code == 2


def test_only_photos_since_a_date_are_taken_and_the_others_told(rank: Rank, folder: Path) -> None:
    result = rank(folder, "--since", "2024-05-03", "--show-excluded", "--format", "paths")
    assert sorted(Path(path).stem for path in result.stdout.splitlines()) == ["city", "flowers", "guitar"]
    assert "2 of 5 left out: 2 older than 2024-05-03 00:00" in result.stderr
    assert f"  {folder}/dog.jpg: of 2024-05-01 10:00" in result.stderr
    assert len(rank.paths(folder, "--since", "2024-05-05T10:00")) == 1
    assert len(rank.paths(folder, "--since", "3d")) == 0


def test_a_photo_without_a_time_counts_by_that_of_its_file(rank: Rank, folder: Path) -> None:
    Image.open(folder / "dog.jpg").save(folder / "scan.jpg")
    os.utime(folder / "scan.jpg", (0, 1_600_000_000))  # 2020-09-13
    assert "scan" not in {Path(path).stem for path in rank.paths(folder, "--since", "2023-01-01")}
    os.utime(folder / "scan.jpg")
    assert [Path(path).stem for path in rank.paths(folder, "--since", "1d")] == ["scan"]


def test_only_photos_of_a_verdict_are_taken(rank: Rank, folder: Path) -> None:
    _, values = value_between(rank, folder, "noise")
    limits = [f"noise={(values[0] + values[1]) / 2:.5f}:{(values[3] + values[4]) / 2:.5f}"]
    judged = [option for text in ("1:1", *limits) for option in ("--threshold", text)]
    counts = [len(rank.paths(folder, *judged, "--only", verdict)) for verdict in ("good", "mild", "severe")]
    assert counts == [1, 3, 1]
    assert len(rank.paths(folder, *judged, "--only", "good", "--only", "severe")) == 2
    assert len(rank.paths(folder, *judged, "--only", "severe", "--excluded")) == 4


def test_the_table_dates_photos_and_groups_those_of_a_burst(rank: Rank, samples: Path, tmp_path: Path) -> None:
    image = Image.open(samples / "dog.jpg").convert("RGB").resize((300, 280))
    for number in range(3):
        frame = image.filter(ImageFilter.GaussianBlur(number))
        save(frame, tmp_path / "p" / f"frame{number}.jpg", f"2024:05:01 10:00:0{number}")
    save(Image.open(samples / "city.jpg").convert("RGB"), tmp_path / "p" / "city.jpg", "2024:05:02 11:30:00")
    lines = rank(tmp_path / "p", "--no-hints").stdout.splitlines()
    place = lines.index("       burst 1, 3 photos:")
    named = [line.split() for line in lines[place:] if "2024-05-0" in line][:3]
    assert {(Path(words[5]).stem, *words[3:5]) for words in named} == {
        (f"frame{number}", "2024-05-01", "10:00") for number in range(3)
    }
    assert [line for line in lines if "2024-05-02 11:30" in line and "city.jpg" in line]


def test_a_reason_for_failing_is_said_once(rank: Rank, folder: Path, tmp_path: Path) -> None:
    (folder / "empty.jpg").touch()
    shown = rank(folder)
    assert (shown.stdout + shown.stderr).count("the file is empty") == 1
    assert "1 photo failed; the table says why" in shown.stderr
    assert "  1 x the file is empty" in rank(folder, "-o", tmp_path / "table.txt").stderr
    assert "  1 x the file is empty" in rank(folder, "--format", "paths").stderr


def test_percentiles_are_those_of_the_folder_if_asked_for(rank: Rank, folder: Path) -> None:
    records = rank.records(folder, "--relative-to", "folder", "--by", "noise")
    assert [record["percentile"]["noise"] for record in records] == [0, 20, 40, 60, 80]


@pytest.mark.parametrize("name", ["table", "ndjson", "csv"])
def test_every_format_names_every_photo(rank: Rank, folder: Path, name: str) -> None:
    result = rank(folder, "--format", name)
    assert result.exit_code == 0
    assert all(f"{stem}.jpg" in result.stdout for stem in NAMES)
    assert "\x1b" not in result.output
    assert "5 photos: " in result.stderr
    if name == "ndjson":
        assert [json.loads(line)["ranking"]["rank"] for line in result.stdout.splitlines()] == [1, 2, 3, 4, 5]
    if name == "csv":
        assert [row["rank"] for row in csv.DictReader(io.StringIO(result.stdout))] == list("12345")
    if name == "table":
        assert rank(folder).stdout == result.stdout


def test_null_bytes_end_paths_for_xargs(rank: Rank, folder: Path) -> None:
    odd = folder / "two\nlines.jpg"
    (folder / "dog.jpg").rename(odd)
    result = rank(folder, "-0")
    names = result.stdout.split("\0")
    assert names.pop() == ""
    assert str(odd) in names
    assert len(names) == 5


def test_no_hints_leaves_them_out(rank: Rank, folder: Path) -> None:
    findings = [
        it
        for record in rank.records(folder, "--no-hints", "--threshold", "0.01")
        for it in record["ranking"]["findings"]
    ]
    assert findings
    assert {finding["hint"] for finding in findings} == {None}
    hinted = [it for record in rank.records(folder, "--threshold", "0.01") for it in record["ranking"]["findings"]]
    assert all(finding["hint"] for finding in hinted)
    assert len(hinted) == len(findings)


def test_the_same_view_gets_the_same_hint_from_every_camera(rank: Rank, samples: Path, tmp_path: Path) -> None:
    blurred = Image.open(samples / "roman-colosseum.jpg").convert("RGB").filter(ImageFilter.GaussianBlur(6))
    for camera, focal in (("full frame", 26.0), ("four thirds", 13.0), ("phone", 4.25)):
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({0x829A: IFDRational(1, 9), 0x920A: focal, 0xA405: 26})
        (tmp_path / "photos").mkdir(exist_ok=True)
        blurred.save(tmp_path / "photos" / f"{camera}.jpg", exif=exif)
    findings = [
        finding
        for record in rank.records(tmp_path / "photos", "--threshold", "undesired_blur=0.0001")
        for finding in record["ranking"]["findings"]
        if finding["defect"] == "undesired_blur"
    ]
    assert [(it["direction"], it["amount"]) for it in findings] == [(None, None)] * 3
    assert all("can't tell whether moved or out of focus; 1/9 s" in finding["hint"] for finding in findings)


def test_the_summary_is_of_the_whole_folder(rank: Rank, folder: Path) -> None:
    result = rank(folder, "--summary", "--format", "json", "--top", "1")
    values = json.loads(result.stdout)
    assert values["photos"] == 5
    assert [group["name"] for group in values["by_folder"]] == [".", "sub"]
    assert sum(values["overall"]) == 5
    assert values["passed_over"] == {}
    table = rank(folder, "--summary")
    assert table.exit_code == 0
    assert "sub-folder" in table.stdout
    assert "passed over" not in table.stdout
    refused = rank(folder, "--summary", "--format", "csv")
    assert refused.exit_code == 2


def test_the_summary_counts_what_was_passed_over(rank: Rank, folder: Path) -> None:
    shutil.copy(folder / "dog.jpg", folder / "dog.jpg_original")
    (folder / "sub").rename(folder / "My.photoslibrary")
    options = (folder, "--summary", "--exclude", "bulb.*")
    values = json.loads(rank(*options, "--format", "json").stdout)
    assert values["photos"] == 2
    assert values["passed_over"] == {"photo_library": 1, "backup": 1, "excluded": 1}
    told = "passed over: 1 photo library, 1 backup of a photo, 1 file or folder by --exclude"
    assert told in rank(*options).stdout
    assert rank(*options, "-q").stderr == ""
    nothing = rank(folder, "--exclude", "*.jpg")
    assert nothing.exit_code == 3
    assert "passed over: 1 photo library" in " ".join(nothing.stderr.split())


def test_paths_from_a_list_are_ranked(rank: Rank, folder: Path) -> None:
    names = f"{folder}/dog.jpg\n{folder}/city.jpg\n"
    records = rank.records("--files-from", "-", stdin=names.encode())
    assert {Path(record["path"]).stem for record in records} == {"dog", "city"}
    nulls = rank.records("--files-from", "-", "--null", stdin=names.replace("\n", "\0").encode())
    assert nulls == records


def test_a_list_that_an_editor_saved_in_utf_16_is_read(rank: Rank, folder: Path) -> None:
    names = "\r\n".join(str(path) for path in sorted(folder.glob("*.jpg")))
    listed = rank.records("--files-from", "-", stdin=names.encode("utf-16"))
    assert {record["path"] for record in listed} == set(names.split("\r\n"))


def test_a_damaged_photo_is_reported_and_the_rest_ranked(rank: Rank, folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    result = rank(folder, "--format", "ndjson")
    assert result.exit_code == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["ranking"] is None for record in records] == [False] * 5 + [True]
    assert records[-1]["path"].endswith("broken.jpg")
    assert "1 photo failed" in result.stderr
    assert "broken" not in rank(folder, "--format", "paths").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--best", "110%"], "more than all photos"),
        (["--best", "0"], "no photo at all"),
        (["--best", "many"], "is not a percentage"),
        (["--top", "0"], "--top"),
        (["--top", "3", "--best", "5%"], "give one of them"),
        (["--by", "blurr"], "did you mean undesired_blur?"),
        (["--min", "noise"], "is not DEFECT=VALUE"),
        (["--max", "saturation=-0.3"], "both directions are compared by"),
        (["--max", "noise=1.5"], "severities end at 1"),
        (["--weight", "noise=-1"], "a weight is from 0 to 1000"),
        (["--weight", "noise"], "is not DEFECT=WEIGHT"),
        (["--best-per-burst", "0"], "--best-per-burst"),
        (["--print0", "--format", "csv"], "writes more than these"),
        (["--profile", "weddings"], "no profile is called 'weddings'"),
        (["--format", "xml"], "--format"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(rank: Rank, folder: Path, arguments: list[str], words: str) -> None:
    result = rank(folder, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


def test_a_profile_with_an_unknown_key_is_refused_with_file_and_key(rank: Rank, folder: Path) -> None:
    (folder / ".photodefect.toml").write_text("[treshold]\nnoise = 1\n")
    result = rank(folder)
    assert result.exit_code == 2
    assert f"{folder}/.photodefect.toml: there is no setting 'treshold'; did you mean thresholds?" in result.stderr


def test_a_folder_without_photos_is_nothing_to_do(rank: Rank, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no photo")
    result = rank(empty)
    assert result.exit_code == 3
    assert "no photo in" in result.stderr


def test_what_is_no_folder_is_refused(rank: Rank, folder: Path, tmp_path: Path) -> None:
    assert "is not a folder" in rank(folder / "dog.jpg").stderr
    missing = rank(tmp_path / "nowhere")
    assert missing.exit_code == 2
    assert "no such file or folder" in missing.stderr


def test_a_model_that_is_not_there_has_its_own_exit_code(folder: Path) -> None:
    result = CliRunner().invoke(app, ["rank-folder", str(folder), "--model", "none"])
    assert result.exit_code == 4


def test_output_goes_to_a_file_that_is_never_a_photo(rank: Rank, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "ranking.json"
    result = rank(folder, "--format", "json", "--output", target)
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(json.loads(target.read_text())) == 5
    assert rank(folder, "--output", target).exit_code == 2
    before = (folder / "dog.jpg").read_bytes()
    assert "originals are never written to" in rank(folder, "--output", folder / "dog.jpg", "--force").stderr
    assert (folder / "dog.jpg").read_bytes() == before


def test_ranking_changes_nothing_in_the_folder(rank: Rank, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    rank(folder, "--exclude-severe", "--summary")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_verbose_names_the_profiles_and_the_model(rank: Rank, folder: Path) -> None:
    (folder / ".photodefect.toml").write_text("hints = false\n")
    result = rank(folder, "--verbose")
    assert f"profile {folder}/.photodefect.toml" in result.stderr
    assert "model random 0" in result.stderr


def test_the_help_page_is_there_without_loading_decoders_or_torch() -> None:
    script = (
        "import sys; from photodefect.cli import app\n"
        "try: app(['rank-folder', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'PIL', 'scipy', 'tomlkit'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--best-per-burst" in done.stdout

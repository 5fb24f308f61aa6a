"""``photodefect aggregate-votes`` as a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.labels.table import read_labels

VOTES = """\
path,worker,noise,haze,obvious_noise
known.jpg,careful,1,0,1
known.jpg,careless,0,0,1
photos/a.jpg,careful,0.5,0,
photos/a.jpg,careless,1,1,
photos/b.jpg,careless,1,1,
"""


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    table = tmp_path / "votes.csv"
    table.write_text(VOTES)
    return table


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["aggregate-votes", *map(str, arguments)])


def test_votes_become_a_labelled_set_and_stderr_says_what_was_dropped(votes: Path, tmp_path: Path) -> None:
    target = tmp_path / "labels.csv"
    result = run(votes, "-o", target)
    assert result.exit_code == 1, "no vote is left for photos/b.jpg"
    photos = read_labels(target, need_images=False).photos
    assert [(photo.name, photo.severities["noise"]) for photo in photos] == [("known.jpg", 1.0), ("photos/a.jpg", 0.5)]
    assert photos[1].workers == ("careful",)
    assert result.stdout == ""
    assert "2 photos labelled by 1 of 2 workers" in result.stderr
    assert "careless (0.00), with 6 votes" in result.stderr
    assert "photos with fewer than 5 votes on some defect: known.jpg (1), photos/a.jpg (1)" in result.stderr
    assert "1 photos left out, as no vote is left: photos/b.jpg" in result.stderr


def test_without_an_output_file_the_labels_go_to_stdout(votes: Path) -> None:
    result = run(votes, "--quiet")
    assert result.stdout.splitlines()[0].startswith("path,bad_exposure,")
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == ""


def test_a_photo_in_two_spellings_is_one_row_that_reads_back(votes: Path, tmp_path: Path) -> None:
    half_right = VOTES.replace("known.jpg,careless,0,", "known.jpg,careless,0.5,")
    votes.write_text(half_right.replace("photos/a.jpg,careless", "./photos/a.jpg,careless"))
    target = tmp_path / "labels.csv"
    run(votes, "-o", target, "--min-accuracy", "0.5")
    _, photo, _ = read_labels(target, need_images=False).photos
    assert (photo.name, photo.workers) == ("photos/a.jpg", ("careful", "careless"))


def test_a_lower_limit_keeps_more_workers(votes: Path) -> None:
    result = run(votes, "--min-accuracy", "0.01", "--min-votes", "1")
    assert "left out as inaccurate: careless" in result.stderr
    votes.write_text(VOTES.replace("known.jpg,careless,0,0,1", "known.jpg,careless,0.5,0,1"))
    result = run(votes, "--min-accuracy", "0.5", "--min-votes", "1")
    assert result.exit_code == 0
    assert "3 photos labelled by 2 of 2 workers" in result.stderr
    assert "fewer than" not in result.stderr


def test_a_wrong_vote_is_told_with_its_row_and_nothing_is_written(votes: Path, tmp_path: Path) -> None:
    votes.write_text(VOTES + "photos/c.jpg,careful,0.25,0,\n")
    target = tmp_path / "labels.csv"
    result = run(votes, "-o", target)
    assert result.exit_code == 2
    assert "row 7: a vote for noise is '0.25'" in result.stderr
    assert list(tmp_path.iterdir()) == [votes]


def test_the_votes_and_what_is_obvious_are_never_the_target(votes: Path, tmp_path: Path) -> None:
    obvious, link = tmp_path / "obvious.csv", tmp_path / "link.csv"
    obvious.write_text("path,noise\nknown.jpg,1\n")
    link.symlink_to(votes)
    for target, held in ((votes, "the votes"), (link, "the votes"), (obvious, "what is obvious")):
        before = target.read_text()
        for force in ([], ["--force"]):
            result = run(votes, "--obvious", obvious, "-o", target, *force)
            assert result.exit_code == 2
            message = f"{target} holds {held} and is never written to. Name another file."
            assert message in result.stderr
        assert target.read_text() == before


def test_an_escape_sequence_in_a_name_never_reaches_the_terminal_raw(votes: Path) -> None:
    votes.write_text(VOTES.replace("photos/b.jpg", "\x1b[31mb.jpg"))
    result = run(votes)
    assert "\\x1b[31mb.jpg" in result.stderr
    assert "\x1b" not in result.stderr

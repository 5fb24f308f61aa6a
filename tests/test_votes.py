from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.defects import KEYS
from photodefect.errors import DataError
from photodefect.labels.votes import RawVotes, aggregate, judge_workers, read_votes


def write(folder: Path, *lines: str, name: str = "votes.csv") -> Path:
    table = folder / name
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def test_ground_truth_is_the_accuracy_weighted_mean_of_section_3(tmp_path: Path) -> None:
    # On the obvious photo: right (accuracy 1), half a step off (0.5 < 0.6, out), right, 0.2 off (0.8), right.
    table = write(
        tmp_path,
        "path,worker,noise,obvious_noise",
        "known.jpg,a,1,1",
        "known.jpg,b,0.5,1",
        "known2.jpg,c,1,0.8",
        "a.jpg,a,1,",
        "a.jpg,b,0,",
        "a.jpg,c,0.5,",
    )
    truth = aggregate(read_votes(table), votes_wanted=2)
    photo = next(photo for photo in truth.photos if photo.name == "a.jpg")
    assert photo.severities["noise"] == pytest.approx((1 * 1 + 0.8 * 0.5) / 1.8)
    assert photo.workers == ("a", "c")
    assert photo.votes == {"noise": (1.0, 0.5)}
    assert math.isnan(photo.severities["haze"])
    assert {w.name: (pytest.approx(w.accuracy), w.kept) for w in truth.workers} == {
        "a": (1.0, True),
        "b": (0.5, False),
        "c": (0.8, True),
    }
    assert truth.dropped_votes == 2


def test_a_worker_who_is_exactly_as_accurate_as_demanded_is_kept() -> None:
    obvious = {(f"{n}.jpg", "noise"): 0.4 for n in range(3)}
    votes = {at: {"w": 0.0} for at in obvious}
    (worker,) = judge_workers(RawVotes(votes, obvious, tuple(at[0] for at in obvious)), 0.6)
    assert worker.kept
    (worker,) = judge_workers(RawVotes(votes, obvious, tuple(at[0] for at in obvious)), 0.61)
    assert not worker.kept


def test_the_long_layout_says_the_same_as_the_wide_one(tmp_path: Path) -> None:
    wide = write(
        tmp_path,
        "photo,worker,bad_saturation,haze,obvious_haze",
        "a.jpg,w1,-0.5,0.5,0.5",
        "a.jpg,w2,,1,0.5",
        name="wide.csv",
    )
    long = write(
        tmp_path,
        "path,worker,defect,vote,obvious",
        "a.jpg,w1,bad_saturation,-0.5,",
        "a.jpg,w1,haze,0.5,0.5",
        "a.jpg,w2,Haze,1,",
        name="long.csv",
    )
    assert read_votes(wide) == read_votes(long)


def test_votes_saved_with_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    plain = write(tmp_path, "path,worker,noise,obvious_noise", '"a, b.jpg",w,0.5,0.75', name="plain.csv")
    table = write(tmp_path, "path;worker;noise;obvious_noise", "a, b.jpg;w;0,5;0,75")
    assert read_votes(table) == read_votes(plain)


def test_what_is_obvious_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    votes = write(tmp_path, "path,worker,noise,haze", "a.jpg,w,1,0", "b.jpg,w,0,0")
    obvious = write(tmp_path, "path,haze,noise", "a.jpg,0.5,1", "other.jpg,1,", name="obvious.csv")
    raw = read_votes(votes, obvious)
    assert raw.obvious == {("a.jpg", "haze"): 0.5, ("a.jpg", "noise"): 1.0, ("other.jpg", "haze"): 1.0}
    (worker,) = judge_workers(raw)
    assert (worker.obvious, worker.accuracy) == (2, 0.75)


def test_spellings_of_one_path_are_one_photo_in_the_votes_and_in_what_is_obvious(tmp_path: Path) -> None:
    plain = write(tmp_path, "path,worker,noise,haze", "a.jpg,v,1,0", "a.jpg,w,0,0.5", "b/c.jpg,v,0,0", name="plain.csv")
    votes = write(tmp_path, "path,worker,noise,haze", "a.jpg,v,1,0", "./a.jpg,w,0,0.5", "b//d/../c.jpg,v,0,0")
    obvious = write(tmp_path, "path,noise", "./b/../a.jpg,1", "./b/c.jpg,0", name="obvious.csv")
    known = write(tmp_path, "path,noise", "a.jpg,1", "b/c.jpg,0", name="known.csv")
    spelled, straight = read_votes(votes, obvious), read_votes(plain, known)
    assert spelled.photos == ("a.jpg", "b//d/../c.jpg"), "the first spelling is kept"
    assert spelled.votes["a.jpg", "noise"] == straight.votes["a.jpg", "noise"] == {"v": 1.0, "w": 0.0}
    assert judge_workers(spelled) == judge_workers(straight)
    assert [worker.accuracy for worker in judge_workers(spelled)] == [1.0, 0.0]


def test_without_anything_obvious_all_votes_weigh_the_same(tmp_path: Path) -> None:
    table = write(tmp_path, "path,worker,noise", *(f"a.jpg,w{n},{v}" for n, v in enumerate([0, 0, 0.5, 0.5, 1])))
    truth = aggregate(read_votes(table))
    assert truth.photos[0].severities["noise"] == pytest.approx(0.4)
    assert not truth.sparse


def test_a_worker_who_saw_nothing_obvious_weighs_as_much_as_the_others_on_average() -> None:
    votes = {("o", "noise"): {"a": 1.0, "b": 0.5}, ("p", "noise"): {"a": 0.0, "b": 0.0, "new": 1.0}}
    truth = aggregate(RawVotes(votes, {("o", "noise"): 0.8}, ("o", "p")))
    # Accuracies .8 and .7, so that the newcomer has .75 of 2.25.
    assert truth.photos[1].severities["noise"] == pytest.approx(0.75 / 2.25)


def test_photos_with_few_votes_are_listed_and_those_without_any_left_out() -> None:
    votes = {("o", "noise"): {"good": 1.0, "bad": 0.0}, ("p", "noise"): {"bad": 1.0}}
    truth = aggregate(RawVotes(votes, {("o", "noise"): 1.0}, ("o", "p", "q")), votes_wanted=2)
    assert [photo.name for photo in truth.photos] == ["o"]
    assert truth.sparse == {"o": 1}
    assert truth.empty == ("p", "q")


def test_nothing_is_left_when_all_workers_are_inaccurate() -> None:
    with pytest.raises(DataError, match=r"all 1 workers are less accurate than 0\.6"):
        aggregate(RawVotes({("o", "noise"): {"w": 0.0}}, {("o", "noise"): 1.0}, ("o",)))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,noise", "a.jpg,1"), r"row 1: no column 'worker'"),
        (("file,worker,noise", "a.jpg,w,1"), r"row 1: no column 'path'"),
        (("path,worker", "a.jpg,w"), r"row 1: no column of votes \(it has 'path', 'worker'\)"),
        (("path,worker,defect", "a.jpg,w,noise"), r"row 1: no column 'vote'"),
        (("path,worker,noise", "a.jpg,w,1", "a.jpg,v,0.7"), r"row 3: a vote for noise is '0.7'.*one of 0, 0.5, 1"),
        (("path,worker,bad_saturation", "a.jpg,w,-2"), r"row 2: .* one of -1, -0.5, 0, 0.5, 1"),
        (("path,worker,noise,haze", "a.jpg,w,,", "b.jpg,w,,nan"), r"votes\.csv holds no votes"),
        (("path,worker,defect,vote", "a.jpg,w,noise,"), r"votes\.csv holds no votes"),
        (("path,worker,noise", "a.jpg,w,1", "a.jpg,w,1"), r"row 3: worker 'w' voted on noise .* in row 2 already"),
        (("path,worker,noise", "a.jpg,w,1", "./a.jpg,w,1"), r"row 3: worker 'w' voted on noise of 'a.jpg' in row 2"),
        (("path,worker,noise,obvious_noise", "a.jpg,w,1,1", "./a.jpg,v,1,0"), r"row 3: noise of 'a.jpg' is said to be"),
        (("path,worker,noise", ",w,1"), r"row 2: '' is no name of a photo"),
        (("path,worker,noise", "a.jpg,,1"), r"row 2: '' is no name of a worker"),
        (("path,worker,noise", "a.jpg,v;w,1"), r"row 2: 'v;w' is no name of a worker"),
        (("path,worker,defect,vote", "a.jpg,w,grain,1"), r"row 2: 'grain' is no defect"),
        (("path,worker,noise,obvious_noise", "a.jpg,w,1,2"), r"row 2: noise is 2, outside 0..1"),
        (("path,worker,noise,obvious_noise", "a.jpg,w,1,1", "a.jpg,v,1,0"), r"row 3: .* obviously 0, and 1 elsewhere"),
    ],
)
def test_wrong_votes_say_which_row_and_what(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_votes(write(tmp_path, *lines))


def test_a_file_of_obvious_photos_that_nobody_voted_on_is_a_mistake(tmp_path: Path) -> None:
    votes = write(tmp_path, "path,worker,noise", "photos/a.jpg,w,1")
    obvious = write(tmp_path, "path,noise", "a.jpg,1", name="obvious.csv")
    with pytest.raises(DataError, match=r"obvious\.csv: nobody voted on any of its photos"):
        read_votes(votes, obvious)


def test_a_row_of_obvious_severities_needs_a_photo(tmp_path: Path) -> None:
    votes = write(tmp_path, "path,worker,noise", "a.jpg,w,1")
    obvious = write(tmp_path, "path,noise", "a.jpg,1", ",0", name="obvious.csv")
    with pytest.raises(DataError, match=r"obvious\.csv, row 3: '' is no name of a photo"):
        read_votes(votes, obvious)


ballots = st.dictionaries(
    st.tuples(st.sampled_from(["p", "q", "r"]), st.sampled_from(KEYS)),
    st.dictionaries(st.sampled_from("vwxyz"), st.sampled_from([0.0, 0.5, 1.0]), min_size=1),
    min_size=1,
)


@given(ballots, st.dictionaries(st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(KEYS)), st.floats(0, 1)))
def test_ground_truth_lies_between_the_votes_that_count_and_none_is_lost(
    votes: dict[tuple[str, str], dict[str, float]], obvious: dict[tuple[str, str], float]
) -> None:
    raw = RawVotes(votes, obvious, ("p", "q", "r"))
    kept = {worker.name for worker in judge_workers(raw) if worker.kept}
    if not kept:
        return
    truth = aggregate(raw)
    assert sorted([photo.name for photo in truth.photos] + list(truth.empty)) == ["p", "q", "r"]
    counted = sum(not math.isnan(v) for photo in truth.photos for vs in (photo.votes or {}).values() for v in vs)
    assert counted + truth.dropped_votes == sum(len(given) for given in votes.values())
    for photo in truth.photos:
        for key in KEYS:
            left = [vote for worker, vote in votes.get((photo.name, key), {}).items() if worker in kept]
            if left:
                assert min(left) - 1e-12 <= photo.severities[key] <= max(left) + 1e-12
            else:
                assert math.isnan(photo.severities[key])

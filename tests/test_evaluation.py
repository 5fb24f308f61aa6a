from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.evaluation.annotators import compare_annotators
from photodefect.evaluation.benchmark import run_benchmark
from photodefect.evaluation.benchmark_manifest import Entry, Kind, read_manifest
from photodefect.evaluation.calibration import calibration
from photodefect.evaluation.predictions import Matched, Prediction, Predictions, from_records, match, read_predictions
from photodefect.evaluation.report import Evaluation, evaluate
from photodefect.evaluation.spearman import (
    Estimate,
    bins_of,
    bootstrap_mean,
    bootstrap_spearman,
    cross_class_spearman,
    share_above,
    spearman,
)
from photodefect.labels.table import LabelledPhoto
from photodefect.records import Diagnosis, PhotoFailure
from photodefect.reports.csv import CsvWriter
from photodefect.reports.evaluation_page import NO_NUMBER, write_page
from photodefect.reports.evaluation_table import write_evaluation
from photodefect.reports.json import JsonWriter
from photodefect.reports.ndjson import NdjsonWriter

EXPOSURE = BY_KEY["bad_exposure"]
SATURATION = BY_KEY["bad_saturation"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Rank correlation


def test_spearman_is_the_papers_formula_without_ties() -> None:
    a, b = rng(1).permutation(12).astype(float), rng(2).permutation(12).astype(float)
    by_formula = 1 - 6 * ((a - b) ** 2).sum() / (12**3 - 12)
    assert spearman(a, b) == pytest.approx(by_formula)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=30))
def test_spearman_equals_scipys_with_ties_and_is_undefined_where_one_side_is_constant(
    pairs: list[tuple[int, int]],
) -> None:
    a, b = np.array(pairs, dtype=float).T
    constant = len(set(a)) == 1 or len(set(b)) == 1
    assert spearman(a, b) == (None if constant else pytest.approx(stats.spearmanr(a, b).statistic))


def test_a_bootstrap_resample_is_ranked_as_if_its_photos_were_written_out() -> None:
    truth, predicted = rng(3).integers(0, 5, 40) / 10, rng(4).integers(0, 9, 40) / 10
    estimate = bootstrap_spearman(truth, predicted, rng(5), 200)
    assert estimate is not None
    draws = rng(5).multinomial(40, np.full(40, 1 / 40), size=200)
    written_out = [stats.spearmanr(np.repeat(truth, n), np.repeat(predicted, n)).statistic for n in draws]
    assert estimate.low == pytest.approx(np.quantile(written_out, 0.025))
    assert estimate.high == pytest.approx(np.quantile(written_out, 0.975))
    assert estimate.value == pytest.approx(stats.spearmanr(truth, predicted).statistic)


def test_resamples_that_repeat_one_value_have_no_correlation_and_stay_out_of_the_interval() -> None:
    truth, predicted = np.array([0.0, 0.5, 1.0]), np.array([0.2, 0.2, 0.4])
    draws = rng(5).multinomial(3, np.full(3, 1 / 3), size=400)
    written_out = [(np.repeat(truth, n), np.repeat(predicted, n)) for n in draws]
    defined = [stats.spearmanr(a, b).statistic for a, b in written_out if np.ptp(a) and np.ptp(b)]
    assert 0 < len(defined) < 400
    estimate = bootstrap_spearman(truth, predicted, rng(5), 400)
    assert estimate is not None
    assert estimate.low == pytest.approx(np.quantile(defined, 0.025))
    assert estimate.low > 0


def test_an_interval_of_nothing_but_undefined_resamples_is_its_value() -> None:
    seed = next(n for n in range(99) if rng(n).multinomial(2, [0.5, 0.5]).min() == 0)
    estimate = bootstrap_spearman(np.array([0.0, 1.0]), np.array([0.1, 0.2]), rng(seed), 1)
    assert estimate == Estimate(pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_the_interval_of_a_mean_is_about_two_standard_errors_either_side() -> None:
    values = rng(6).normal(3, 2, 400)
    estimate = bootstrap_mean(values, rng(7), 4000)
    error = values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_without_resamples_an_interval_is_its_value() -> None:
    estimate = bootstrap_spearman(np.array([0.0, 0.5, 1]), np.array([0.1, 0.3, 0.2]), rng(), 0)
    assert estimate is not None
    assert estimate.value == estimate.low == estimate.high == pytest.approx(0.5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_share_above_counts_every_pair_and_ties_half(higher: list[int], lower: list[int]) -> None:
    pairs = [(h > low) + 0.5 * (h == low) for h in higher for low in lower]
    assert share_above(np.array(higher, float), np.array(lower, float)) == pytest.approx(np.mean(pairs))


# Across classes


def test_the_papers_bins_are_the_classes_and_the_authors_differ_for_saturation_alone() -> None:
    severities = np.array([0.0, 0.04, 0.06, 0.5, 1.0])
    assert bins_of(EXPOSURE, severities, "classes").tolist() == bins_of(EXPOSURE, severities, "authors").tolist()
    signed = np.array([-1.0, -0.91, -0.89, 0.0, 0.09, 0.11, 1.0])
    assert bins_of(SATURATION, signed, "classes").tolist() == [0, 1, 1, 10, 11, 11, 20]
    assert bins_of(SATURATION, signed, "authors").tolist() == [0, 0, 1, 5, 5, 6, 10]


def test_with_one_photo_a_class_the_cross_class_correlation_is_the_plain_one() -> None:
    truth, predicted = np.array(EXPOSURE.class_centres), rng(8).random(11)
    result = cross_class_spearman(EXPOSURE, truth, predicted, rng(), draws=50)
    assert result is not None
    assert result.mean == pytest.approx(stats.spearmanr(truth, predicted).statistic)
    assert result.deviation == pytest.approx(0)
    assert (result.bins, result.draws) == (11, 50)


def test_the_cross_class_correlation_averages_over_all_ways_to_draw_one_photo_a_class() -> None:
    truth = np.array([0.0, 0.0, 0.5, 0.5, 1.0])
    predicted = np.array([0.1, 0.6, 0.3, 0.8, 0.7])
    tuples = [(a, b, 0.7) for a in (0.1, 0.6) for b in (0.3, 0.8)]
    each = [stats.spearmanr((0, 1, 2), drawn).statistic for drawn in tuples]
    result = cross_class_spearman(EXPOSURE, truth, predicted, rng(9), draws=40_000)
    assert result is not None
    assert result.mean == pytest.approx(np.mean(each), abs=0.01)
    assert result.deviation == pytest.approx(np.std(each), abs=0.01)
    assert result.bins == 3


def test_ten_tuples_are_drawn_for_each_photo_and_the_seed_decides_which() -> None:
    truth, predicted = rng(10).random(60), rng(11).random(60)
    first = cross_class_spearman(EXPOSURE, truth, predicted, rng(1))
    assert first is not None
    assert first.draws == 600
    assert first == cross_class_spearman(EXPOSURE, truth, predicted, rng(1))
    assert first != cross_class_spearman(EXPOSURE, truth, predicted, rng(2))


def test_two_classes_are_too_few_for_a_cross_class_correlation() -> None:
    assert cross_class_spearman(EXPOSURE, np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.1, 0.2]), rng()) is None


def test_constant_predictions_have_no_correlation() -> None:
    truth, constant = np.array([0.0, 0.5, 1.0]), np.full(3, 0.4)
    assert cross_class_spearman(EXPOSURE, truth, constant, rng()) is None
    assert bootstrap_spearman(truth, constant, rng()) is None
    assert bootstrap_spearman(constant, truth, rng()) is None


def test_tuples_of_equal_predictions_stay_out_of_the_cross_class_correlation() -> None:
    truth, predicted = np.array([0.0, 0.5, 1.0, 1.0]), np.array([0.2, 0.2, 0.2, 0.6])
    result = cross_class_spearman(EXPOSURE, truth, predicted, rng(), draws=1000)
    assert result is not None
    assert result.mean == pytest.approx(stats.spearmanr((0, 1, 2), (0.2, 0.2, 0.6)).statistic)
    assert result.deviation == pytest.approx(0)
    assert 400 < result.draws < 600


# Calibration


def test_calibration_bins_by_prediction_and_weighs_bins_by_photos() -> None:
    predicted = np.array([0.02, 0.06, 0.3, 0.95, 1.0])
    truth = np.array([0.0, 0.2, 0.5, 0.8, 0.9])
    result = calibration(EXPOSURE, truth, predicted)
    assert [(one.low, one.high, one.photos) for one in result.bins] == [(0.0, 0.1, 2), (0.3, 0.4, 1), (0.9, 1.0, 2)]
    assert [one.predicted for one in result.bins] == pytest.approx([0.04, 0.3, 0.975])
    assert [one.truth for one in result.bins] == pytest.approx([0.1, 0.5, 0.85])
    assert result.expected_error == pytest.approx((2 * 0.06 + 0.2 + 2 * 0.125) / 5)
    assert result.absolute_error == pytest.approx((0.02 + 0.14 + 0.2 + 0.15 + 0.1) / 5)
    assert result.bias == pytest.approx((0.02 - 0.14 - 0.2 + 0.15 + 0.1) / 5)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50))
def test_perfect_predictions_are_calibrated_and_no_photo_is_lost(truth: list[float]) -> None:
    values = np.array(truth)
    result = calibration(SATURATION, values, values)
    assert result.expected_error == pytest.approx(0, abs=1e-12)
    assert sum(one.photos for one in result.bins) == len(truth)
    assert all(one.low - 1e-9 <= one.predicted <= one.high + 1e-9 for one in result.bins)


# Single annotators


def voted(votes: Sequence[float], workers: Sequence[str] | None) -> LabelledPhoto:
    names = None if workers is None else tuple(workers)
    return LabelledPhoto(Path("x"), dict.fromkeys(KEYS, math.nan), {"noise": tuple(votes)}, names)


def test_an_annotator_is_compared_with_the_mean_of_the_others_and_so_are_the_predictions() -> None:
    votes = rng(12).choice([0, 0.5, 1], size=(30, 3))
    predicted = rng(13).random(30)
    result = compare_annotators(BY_KEY["noise"], [voted(v, "abc") for v in votes], predicted)
    assert result is not None
    assert sorted(one.name for one in result.annotators) == ["a", "b", "c"]
    for one in result.annotators:
        place = "abc".index(one.name)
        others = np.delete(votes, place, axis=1).mean(1)
        assert one.own == pytest.approx(stats.spearmanr(votes[:, place], others).statistic)
        assert one.predicted == pytest.approx(stats.spearmanr(predicted, others).statistic)
    differences = [one.difference for one in result.annotators]
    assert differences == sorted(differences)
    assert result.beaten == np.mean(np.array(differences) > 0)


def test_an_annotators_photos_are_collected_by_name_wherever_the_vote_stands() -> None:
    photos = [voted((0, 0.5, 1), "abc"), voted((0.5, 1, 0), "cab"), voted((math.nan, 0.5, 1), "abc")]
    result = compare_annotators(BY_KEY["noise"], photos, np.array([0.1, 0.2, 0.3]), fewest_photos=2)
    assert result is not None
    assert {one.name: one.photos for one in result.annotators} == {"a": 2, "b": 3, "c": 3}


def test_a_photo_whose_workers_gave_no_votes_on_the_defect_is_skipped() -> None:
    photos = [voted((0, 0.5), "ab"), voted((0.5, 1), "ab"), voted((1, 0.5), "ab")]
    elsewhere = [LabelledPhoto(Path("y"), photos[0].severities, {"haze": (0.0, 1.0)}, ("a", "b"))]
    alone = compare_annotators(BY_KEY["noise"], photos, np.array([0.1, 0.2, 0.3]), fewest_photos=2)
    assert alone is not None
    assert alone == compare_annotators(
        BY_KEY["noise"], elsewhere + photos, np.array([0.9, 0.1, 0.2, 0.3]), fewest_photos=2
    )
    assert compare_annotators(BY_KEY["bad_exposure"], photos, np.zeros(3), fewest_photos=2) is None


def test_annotators_without_names_are_told_apart_by_place() -> None:
    photos = [voted(v, None) for v in rng(14).choice([0, 0.5, 1], size=(20, 2))]
    result = compare_annotators(BY_KEY["noise"], photos, rng(15).random(20))
    assert result is not None
    assert {one.name for one in result.annotators} == {"vote 1", "vote 2"}


def test_annotators_of_few_photos_or_whose_others_have_equal_means_are_left_out() -> None:
    votes = [(0, 0, 1), (0.5, 0.5, 0.5), (0.5, 1, 0)]
    photos = [voted(v, ("judge", "x", "y")) for v in votes] + [voted((0, 1), ("rare", "z"))]
    result = compare_annotators(BY_KEY["noise"], photos, rng(16).random(4), fewest_photos=3)
    assert result is not None
    assert sorted(one.name for one in result.annotators) == ["x", "y"]
    assert result.left_out == 3
    assert compare_annotators(BY_KEY["noise"], photos, rng(16).random(4), fewest_photos=9) is None


def test_who_always_votes_the_same_has_no_correlation_and_neither_have_constant_predictions() -> None:
    photos = [voted((0, v, w), ("same", "x", "y")) for v, w in ((0, 0.5), (0.5, 1), (1, 1))]
    result = compare_annotators(BY_KEY["noise"], photos, np.array([0.1, 0.2, 0.3]), fewest_photos=3)
    assert result is not None
    assert sorted(one.name for one in result.annotators) == ["x", "y"]
    assert result.left_out == 1
    assert compare_annotators(BY_KEY["noise"], photos, np.full(3, 0.2), fewest_photos=3) is None


# Predictions and how they are matched


def record(path: str, severity: float = 0.25) -> Diagnosis:
    scores = dict.fromkeys(KEYS, severity)
    patches = {defect.key: severity + 0.1 for defect in DEFECTS if defect.in_patches}
    return Diagnosis(path, severity=scores, holistic=scores, patches=patches)


FAILED = Diagnosis("broken.jpg", error=PhotoFailure("UnreadableError", "it is damaged"))


@pytest.mark.parametrize("writer", [CsvWriter, JsonWriter, NdjsonWriter])
def test_what_diagnose_writes_reads_back(tmp_path: Path, writer: type[CsvWriter | JsonWriter | NdjsonWriter]) -> None:
    target = tmp_path / "predictions"
    records = [record("a, b.jpg"), record("c\nd.jpg", 0.5), FAILED]
    with target.open("w", newline="", encoding="utf-8") as stream:
        out = writer(stream, True)
        for one in records:
            out.write(one)
        out.close()
    assert read_predictions(target).items == from_records(records, "").items


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_records_that_a_shell_saved_in_utf_16_are_read(tmp_path: Path, encoding: str) -> None:
    target = tmp_path / "predictions.ndjson"
    target.write_bytes((json.dumps(record("é.jpg", 0.25).to_dict(), ensure_ascii=False) + "\r\n").encode(encoding))
    (item,) = read_predictions(target).items
    assert (item.path, item.scores["combined"]) == ("é.jpg", dict(record("é.jpg", 0.25).severity or {}))


def test_predictions_saved_with_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    target = tmp_path / "predictions.csv"
    target.write_text("path;noise;bad_saturation\na.jpg;0,25;-0,5\n")
    (item,) = read_predictions(target).items
    assert item.scores == {"combined": {"noise": 0.25, "bad_saturation": -0.5}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "predictions is empty"),
        ("[]", "holds no predictions"),
        ("path,severity\na.jpg,1\n", "row 1: no column 'bad_exposure'"),
        ("file,noise\na.jpg,1\n", "row 1: no column 'path'"),
        ("path,noise\na.jpg,1.5\n", r"row 2: noise is 1\.5, outside 0\.\.1"),
        ("path,noise\na.jpg,0\n./a.jpg,1\n", r"row 3: './a\.jpg' is predicted in row 2 already"),
        ("path,noise\n,0\n", "row 2: no path"),
        ('{"schema_version": 1, "path": "a.jpg"', "line 1: not JSON .*cut off"),
        ("[1]", "record 1: not a record"),
        ('{"schema_version": 9}', "line 1: a record of version 9"),
        ('{"path": "a.jpg", "schema_version": 1}', "line 1: the record lacks 'width'"),
        (json.dumps(record("a.jpg").to_dict() | {"severity": 3}), "line 1: 3 where severities"),
        (json.dumps(record("a.jpg").to_dict() | {"severity": {"grain": 0.5}}), "line 1: 'grain': 0.5 is not"),
        (json.dumps(record("a.jpg").to_dict() | {"severity": {"noise": "much"}}), "line 1: 'noise': 'much' is not"),
        (json.dumps(record("a.jpg").to_dict() | {"severity": {"noise": math.nan}}), "noise is nan, outside"),
        (json.dumps(record("a.jpg").to_dict() | {"path": None}), "the path is None, not text"),
    ],
)
def test_wrong_predictions_say_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    target = tmp_path / "predictions"
    target.write_text(text)
    with pytest.raises(DataError, match=message):
        read_predictions(target)


def items(*paths: str) -> tuple[Prediction, ...]:
    return tuple(Prediction(path, {"combined": {"noise": index / 10}}) for index, path in enumerate(paths))


def matched_paths(found: Matched) -> list[str | None]:
    return [None if item is None else item.path for item in found.items]


def test_photos_are_matched_by_path_whatever_the_order(tmp_path: Path) -> None:
    truths = [tmp_path / "images" / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    predictions = Predictions(items("images/c.jpg", "other.jpg", "./images/a.jpg"), "p.csv", tmp_path)
    found = match(truths, predictions, tmp_path / "images", tmp_path / "t.csv")
    assert matched_paths(found) == ["./images/a.jpg", None, "images/c.jpg"]
    assert found.extra == ("other.jpg",)
    np.testing.assert_array_equal(found.scores("combined", "noise"), [0.2, np.nan, 0.0])


@pytest.mark.parametrize("start", ["images", "predictions", "here"])
def test_relative_paths_may_start_at_the_images_at_the_predictions_or_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    for folder in ("images", "predictions", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = {"images": "sub/a.jpg", "predictions": "../images/sub/a.jpg", "here": "../images/sub/a.jpg"}
    folder = tmp_path / "predictions" if start == "predictions" else tmp_path / "elsewhere"
    predictions = Predictions(items("x.jpg", paths[start]), "p.csv", folder)
    found = match([Path("../images/sub/a.jpg")], predictions, Path("../images"), Path("t.csv"))
    assert matched_paths(found) == [paths[start]]


def test_absolute_paths_and_linked_folders_match(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    predictions = Predictions(items(str(tmp_path / "link/a.jpg")), "p.csv", Path("/"))
    found = match([tmp_path / "real/a.jpg"], predictions, tmp_path, tmp_path / "t.csv")
    assert matched_paths(found) == [str(tmp_path / "link/a.jpg")]


def test_one_start_holds_for_the_whole_file_so_that_no_photo_is_mistaken_for_its_namesake(tmp_path: Path) -> None:
    truths = [tmp_path / "a/1.jpg", tmp_path / "a/2.jpg", tmp_path / "1.jpg"]
    predictions = Predictions(items("1.jpg", "2.jpg"), "p.csv", tmp_path / "a")
    found = match(truths, predictions, tmp_path, tmp_path / "t.csv")
    assert matched_paths(found) == ["1.jpg", "2.jpg", None]


def test_urls_match_by_file_name_and_paths_never_do(tmp_path: Path) -> None:
    predictions = Predictions(items("elsewhere/a.jpg"), "p.csv", tmp_path)
    truths = [tmp_path / "a.jpg"]
    assert matched_paths(match(truths, predictions, tmp_path, tmp_path / "t.csv", by_name=True)) == ["elsewhere/a.jpg"]
    with pytest.raises(DataError, match=r"No photo of .*t\.csv is predicted in p\.csv.*Name the folder"):
        match(truths, predictions, tmp_path, tmp_path / "t.csv")


def test_two_predictions_of_one_url_are_refused(tmp_path: Path) -> None:
    predictions = Predictions(items("x/a.jpg", "y/a.jpg"), "p.csv", tmp_path)
    with pytest.raises(DataError, match=r"'x/a\.jpg' and 'y/a\.jpg' are the same photo"):
        match([tmp_path / "a.jpg"], predictions, tmp_path, tmp_path / "t.csv", by_name=True)


# The whole evaluation


def labelled_and_matched(number: int = 60) -> tuple[list[LabelledPhoto], Matched]:
    """Photos with votes, and predictions that are right but for some noise; the last two have none."""
    random = rng(17)
    photos, predictions = [], []
    for index in range(number):
        votes = {
            d.key: tuple(random.choice([-1, -0.5, 0, 0.5, 1] if d.signed else [0, 0.5, 1], 5).tolist()) for d in DEFECTS
        }
        severities = {key: float(np.mean(given)) for key, given in votes.items()}
        photos.append(LabelledPhoto(Path(f"{index}.jpg"), severities, votes, tuple("vwxyz"), f"{index}.jpg"))
        scores = {
            source: {
                d.key: float(np.clip(severities[d.key] + random.normal(0, 0.1), d.lowest, 1))
                for d in DEFECTS
                if source != "patches" or d.in_patches
            }
            for source in ("combined", "holistic", "patches")
        }
        predictions.append(Prediction(f"{index}.jpg", scores))
    last = Prediction(f"{number - 1}.jpg", {}, "it is damaged")
    return photos, Matched((*predictions[:-2], None, last), ("extra.jpg",))


def test_an_evaluation_holds_holistic_patches_and_combined_side_by_side() -> None:
    photos, matched = labelled_and_matched()
    result = evaluate(photos, matched, truth="t.csv", origin="p.csv", resamples=20, draws=100)
    assert list(result.table) == ["holistic", "patches", "combined"]
    assert "bad_composition" not in result.table["patches"]
    truth = np.array([photo.severities["haze"] for photo in photos[:-2]])
    for source, row in result.table.items():
        expected = stats.spearmanr(truth, matched.scores(source, "haze")[:-2]).statistic
        assert row["haze"].spearman is not None
        assert row["haze"].spearman.value == pytest.approx(expected)
        assert row["haze"].photos == 58
    values = [cell["spearman"]["value"] for cell in result.to_dict()["table"]["combined"]["defects"].values()]
    assert result.mean("combined", with_composition=True) == pytest.approx(np.mean(values))
    assert result.mean("combined", with_composition=False) == pytest.approx(np.mean(values[:-1]))
    assert result.mean("patches", with_composition=True) is None
    assert result.unpredicted == {"58.jpg": "not predicted", "59.jpg": "it is damaged"}
    assert result.unlabelled == ("extra.jpg",)
    assert set(result.calibration) == set(result.annotators) == set(KEYS)


def test_an_evaluation_is_the_same_for_the_same_seed_and_plain_json() -> None:
    photos, matched = labelled_and_matched()
    first, again, other = (
        evaluate(photos, matched, truth="t", origin="p", seed=seed, resamples=20, draws=100) for seed in (1, 1, 2)
    )
    assert json.dumps(first.to_dict(), allow_nan=False) == json.dumps(again.to_dict(), allow_nan=False)
    assert first.to_dict()["table"] != other.to_dict()["table"]


def test_equal_scores_of_two_sources_have_equal_correlations_as_composition_in_table_1() -> None:
    photos, matched = labelled_and_matched()
    known = [item for item in matched.items if item is not None and item.scores]
    same = [Prediction(one.path, dict.fromkeys(("holistic", "combined"), one.scores["holistic"])) for one in known]
    result = evaluate(photos[: len(same)], Matched(tuple(same)), truth="t", origin="p", resamples=20, draws=100)
    assert result.table["holistic"] == result.table["combined"]


def test_masked_labels_are_left_out_and_a_defect_without_labels_is_not_evaluated() -> None:
    photos, matched = labelled_and_matched()
    masked = [
        LabelledPhoto(p.path, {**p.severities, "noise": math.nan, "haze": p.severities["haze"] if n % 2 else math.nan})
        for n, p in enumerate(photos)
    ]
    result = evaluate(masked, matched, truth="t", origin="p", resamples=0, draws=10)
    assert "noise" not in result.table["combined"]
    assert result.table["combined"]["haze"].photos == 29
    assert result.mean("combined", with_composition=True) is None
    assert not result.annotators


def constant_on(keys: Sequence[str]) -> Evaluation:
    """Combined scores that are 0.25 on these defects."""
    photos, matched = labelled_and_matched()
    items = [
        item and Prediction(item.path, {"combined": item.scores["combined"] | dict.fromkeys(keys, 0.25)})
        for item in matched.items[:-2]
    ]
    return evaluate(photos[:-2], Matched(tuple(items)), truth="t", origin="p", resamples=20, draws=100)


def test_a_defect_without_a_correlation_is_left_out_of_the_means_and_null_in_json() -> None:
    result = constant_on(["haze"])
    table = json.loads(json.dumps(result.to_dict()))["table"]["combined"]
    haze = table["defects"].pop("haze")
    assert haze["spearman"] is haze["cross_class"] is haze["cross_class_authors"] is None
    assert haze["undefined"] == "all predictions are 0.25"
    others = table["defects"].values()
    assert {one["undefined"] for one in others} == {None}
    assert table["mean"] == pytest.approx(np.mean([one["spearman"]["value"] for one in others]))
    assert table["cross_class_mean"] == pytest.approx(np.mean([one["cross_class"]["mean"] for one in others]))
    assert "haze" in result.calibration
    assert "haze" not in result.annotators


def test_without_any_correlation_there_is_no_mean() -> None:
    result = constant_on(KEYS)
    assert result.mean("combined", with_composition=True) is None
    assert result.mean_cross_class("combined", with_composition=True) is None
    assert len(result.undefined) == 7


def test_labels_that_are_all_the_same_are_told_as_the_reason() -> None:
    photos, matched = labelled_and_matched()
    clear = [LabelledPhoto(photo.path, {**photo.severities, "haze": -0.0}, name=photo.name) for photo in photos]
    result = evaluate(clear, matched, truth="t", origin="p", resamples=0, draws=10)
    assert result.undefined == (
        "Haze (holistic, patches, combined): no rank correlation, as all labels are 0. It is left out of the means.",
    )


def test_table_and_page_show_a_dash_and_the_reason_where_there_is_no_correlation() -> None:
    result = constant_on(["haze"])
    stream = io.StringIO()
    write_evaluation(stream, result)
    row = next(line for line in stream.getvalue().splitlines() if line.startswith("Haze "))
    assert row.split() == ["Haze", "-", "-", "-", "-"]
    reason = "Haze (combined): no rank correlation, as all predictions are 0.25. It is left out of the means."
    assert reason in stream.getvalue().splitlines()
    text = page_of(evaluation=result)
    assert f"<p>{reason}</p>" in text
    assert text.count(f"<td>{NO_NUMBER}</td>") == 3


def test_nothing_to_compare_is_an_error() -> None:
    photos, _ = labelled_and_matched(4)
    with pytest.raises(DataError, match="share fewer than 3 photos"):
        evaluate(photos, Matched((None,) * 4), truth="t", origin="p")


class _Page(HTMLParser):
    """Collects what a page refers to, and checks that tags close."""

    VOID = ("meta", "rect", "line", "circle", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def page_of(**parts: object) -> str:
    stream = io.StringIO()
    write_page(stream, **parts)  # type: ignore[arg-type]
    return stream.getvalue()


def test_the_page_is_whole_has_its_plots_inside_and_fetches_nothing() -> None:
    photos, matched = labelled_and_matched()
    evaluation = evaluate(photos, matched, truth="<b>&.csv", origin="p\x1b.csv", resamples=20, draws=100)
    text = page_of(evaluation=evaluation, benchmark=small_benchmark())
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.tags.count("figure") == 14, "seven reliability plots, seven of annotators"
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"src", "href"} & set(page.attributes)
    assert "&lt;b&gt;&amp;.csv" in text
    assert "\x1b" not in text


def test_a_reliability_plot_puts_each_bin_where_its_means_are() -> None:
    photos, matched = labelled_and_matched()
    evaluation = evaluate(photos, matched, truth="t", origin="p", resamples=0, draws=10)
    text = page_of(evaluation=evaluation)
    start = text.index("<svg")
    plot = ElementTree.fromstring(text[start : text.index("</svg>") + 6])
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in plot.iter("circle")]
    expected = [(200 * b.predicted, 200 - 200 * b.truth) for b in evaluation.calibration["bad_exposure"].bins]
    assert dots == [(pytest.approx(x, abs=0.01), pytest.approx(y, abs=0.01)) for x, y in expected]


# Benchmarks


def entry(set_: str, scene: str, level: float, kind: Kind, defect: str = "noise") -> Entry:
    name = f"{set_}/{scene}/{level}.jpg"
    return Entry(name, Path(name), set_, scene, defect, level, kind, "dev")


def predicted(**scores: float | None) -> Prediction:
    known = {key: value for key, value in scores.items() if value is not None}
    return Prediction("", {"combined": {key: 0.0 for key in KEYS if key not in scores} | known})


ROWS: list[tuple[Entry, Prediction | None]] = [
    # A ladder of two scenes, and a third that can't be judged as one photo has no prediction.
    (entry("ladder", "s1", 0, "ladder"), predicted(noise=0.1, haze=0.3)),
    (entry("ladder", "s1", 1, "ladder"), predicted(noise=0.3, haze=0.2)),
    (entry("ladder", "s1", 2, "ladder"), predicted(noise=0.2, haze=0.1)),
    (entry("ladder", "s2", 0, "ladder"), predicted(noise=0.4, haze=0.3)),
    (entry("ladder", "s2", 1, "ladder"), predicted(noise=0.5, haze=0.2)),
    (entry("ladder", "s2", 2, "ladder"), predicted(noise=0.6, haze=0.1)),
    (entry("ladder", "s3", 0, "ladder"), predicted(noise=0.9)),
    (entry("ladder", "s3", 1, "ladder"), predicted(noise=None)),
    # Pairs: one right, one tied.
    (entry("pairs", "p1", 0, "pair"), predicted(noise=0.1)),
    (entry("pairs", "p1", 1, "pair"), predicted(noise=0.2)),
    (entry("pairs", "p2", 0, "pair"), predicted(noise=0.3)),
    (entry("pairs", "p2", 3, "pair"), predicted(noise=0.3)),
    # A pool, whose negatives are one of its own and three good photographs.
    (entry("pool", "x", 1, "pool"), predicted(noise=0.5)),
    (entry("pool", "y", 2, "pool"), predicted(noise=0.2)),
    (entry("pool", "z", 0, "pool"), predicted(noise=0.1)),
    (entry("good_a", "g1", 0, "pool"), predicted(noise=0.0)),
    (entry("good_a", "g2", 0, "pool"), predicted(noise=0.4, bad_saturation=-0.6)),
    (entry("good_b", "g3", 0, "pool"), predicted(noise=0.2)),
    (entry("good_b", "g3", 0, "pool", "haze"), predicted(noise=0.2)),
    (entry("pool", "gone", 4, "pool"), None),
]


def small_benchmark(**options: object) -> object:
    entries, predictions = zip(*ROWS, strict=True)
    return run_benchmark(entries, Matched(predictions), manifest="m.csv", origin="p.csv", resamples=50, **options)  # type: ignore[arg-type]


def test_a_benchmark_equals_a_case_worked_by_hand() -> None:
    result = small_benchmark(groups={"pai": "digital"})
    by_set = {one.set: one for one in result.sets}  # type: ignore[attr-defined]
    ladder, pairs, pool = by_set["ladder"], by_set["pairs"], by_set["pool"]
    assert set(by_set) == {"ladder", "pairs", "pool"}
    # s1: ranks 1 3 2 against 1 2 3 give 1 - 6 * 2 / 24 = 0.5; s2 gives 1.
    assert (ladder.metric, ladder.score.value, ladder.scenes, ladder.photos) == ("rho", 0.75, 2, 8)
    assert ladder.far == 1.0
    levels, scores = [0, 1, 2, 0, 1, 2], [0.1, 0.3, 0.2, 0.4, 0.5, 0.6]
    assert ladder.across == pytest.approx(stats.spearmanr(levels, scores).statistic)
    assert (pairs.metric, pairs.score.value, pairs.group) == ("accuracy", 0.75, "digital")
    # 0.2 and 0.3 against 0.1 and 0.3: won, lost, won, tied.
    assert pairs.across == pytest.approx(2.5 / 4)
    # 0.5 beats all of 0.1, 0, 0.4, 0.2; 0.2 beats two and ties one.
    assert (pool.metric, pool.score.value, pool.scenes) == ("AUC", pytest.approx(6.5 / 8), 6)
    assert result.unpredicted == {"pool/gone/4.jpg": "not predicted"}  # type: ignore[attr-defined]


def test_a_ladder_of_equal_scores_counts_0_as_with_the_benchmarks_own_scorer() -> None:
    flat, steep = [(0, 0.4), (1, 0.4), (2, 0.4)], [(0, 0.1), (1, 0.2), (2, 0.3)]
    entries = [entry("l", scene, level, "ladder") for scene, steps in (("f", flat), ("s", steep)) for level, _ in steps]
    matched = Matched(tuple(predicted(noise=score) for _, score in flat + steep))
    (one,) = run_benchmark(entries, matched, manifest="m", origin="p", resamples=0).sets
    assert one.score.value == pytest.approx((0 + 1) / 2)
    (one,) = run_benchmark(entries[:3], Matched(matched.items[:3]), manifest="m", origin="p", resamples=0).sets
    assert (one.score.value, one.across) == (0, 0)


def test_specificity_says_how_the_other_scores_follow_the_levels() -> None:
    ladder, pairs = small_benchmark().specificity  # type: ignore[attr-defined]
    assert ladder.follows["noise"] == pytest.approx(0.75)
    assert ladder.follows["haze"] == pytest.approx(-2 / 3), "-1 in two scenes, constant in the third"
    assert ladder.follows["bad_exposure"] == 0
    assert ladder.cross_talk == pytest.approx(2 / 3 / 6)
    assert pairs.follows["noise"] == pytest.approx(0.5)


def test_good_photographs_count_once_and_by_absolute_severity() -> None:
    good = small_benchmark().good  # type: ignore[attr-defined]
    assert good["noise"].photos == 3
    assert (good["noise"].severe, good["noise"].mild, good["noise"].median) == (0, pytest.approx(1 / 3), 0.2)
    assert (good["bad_saturation"].severe, good["bad_saturation"].median) == (pytest.approx(1 / 3), 0)


def test_a_signed_ladder_is_judged_with_and_without_its_sign() -> None:
    levels = (-1, -0.5, 0, 0.5, 1)
    entries = [entry("sat", "s", level, "ladder", "bad_saturation") for level in levels]
    matched = Matched(tuple(predicted(bad_saturation=abs(level)) for level in levels))
    signed, absolute = run_benchmark(entries, matched, manifest="m", origin="p", resamples=0).sets
    assert (signed.metric, absolute.metric) == ("signed rho", "absolute rho")
    assert signed.score.value == pytest.approx(0)
    assert absolute.score.value == pytest.approx(1)


def test_the_summary_is_the_mean_over_sets_by_group() -> None:
    entries = [entry(f"{name}{scene}", scene, level, "pair") for name in "ab" for scene in "xy" for level in (0, 1)]
    noise = [0, 1, 0, 1, 1, 0, 0, 1]
    matched = Matched(tuple(predicted(noise=value) for value in noise))
    options = {"manifest": "m", "origin": "p", "resamples": 0}
    summary = run_benchmark(entries, matched, groups={"b": "digital"}, **options).summary  # type: ignore[arg-type]
    assert [(one.group, one.mean, one.sets) for one in summary] == [("digital", 0.5, 2), ("real", 1.0, 2)]


MANIFEST = "path,set,scene,defect,level,kind,split"


def test_a_manifest_is_read_by_split_with_paths_from_its_own_folder(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(f"{MANIFEST}\na/1.jpg,a,s,noise,0.5,ladder,dev\na/2.jpg,a,s,noise,1,ladder,hidden\n")
    (first,) = read_manifest(table, "dev")
    assert first == Entry("a/1.jpg", tmp_path / "a/1.jpg", "a", "s", "noise", 0.5, "ladder", "dev")
    assert len(read_manifest(table)) == 2
    with pytest.raises(DataError, match=r"no row is of the split 'test'\. There are 'dev', 'hidden'"):
        read_manifest(table, "test")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.jpg,a,s,grain,0.5,ladder,dev", "row 2: 'grain' is no defect"),
        ("1.jpg,a,s,noise,0.5,stairs,dev", "row 2: the kind is 'stairs'"),
        ("1.jpg,a,s,noise,much,ladder,dev", "row 2: the level is 'much'"),
        ("1.jpg,a,s,noise,-1,ladder,dev", "row 2: the level is '-1'"),
        ("1.jpg,a,s,noise,nan,ladder,dev", "row 2: the level is 'nan'"),
        (",a,s,noise,1,ladder,dev", "row 2: a path and a set are needed"),
    ],
)
def test_a_wrong_manifest_says_which_row_and_what(tmp_path: Path, row: str, message: str) -> None:
    table = tmp_path / "m.csv"
    table.write_text(f"{MANIFEST}\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_manifest(table)

"""Labelled photos, and clean ones that are degraded as they are needed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import UnreadableError
from photodefect.labels.table import read_labels
from photodefect.training import photo_sets
from photodefect.training.photo_sets import LabelledPhotos, SyntheticPhotos


@pytest.fixture
def sources(samples: Path, tmp_path: Path) -> list[Path]:
    """Two small photos, and one in black and white."""
    paths = []
    for name, mode in (("dog", "RGB"), ("taipei-city", "RGB"), ("canyon-wren", "L")):
        image = Image.open(samples / f"{name}.jpg")
        image.thumbnail((200, 200))
        paths.append(tmp_path / f"{name}.png")
        image.convert(mode).save(paths[-1])
    return paths


def synthetic(sources: list[Path], *, seed: int = 0, variants: int = 4, check: bool = False) -> SyntheticPhotos:
    return SyntheticPhotos(sources, variants=variants, rebalanced=0.5, seed=seed, check=check)


def test_a_variant_depends_on_its_photo_and_the_seed_alone(sources: list[Path]) -> None:
    photos, fewer = synthetic(sources), synthetic(sources[1:])
    assert len(photos.severities) == 12
    assert photos.path(4) == sources[1] == fewer.path(0)
    first = photos.load(4)
    photos.load(2)
    for again in (photos.load(4), fewer.load(0)):
        assert np.array_equal(again.pixels, first.pixels)
        assert np.array_equal(again.severities, first.severities, equal_nan=True)
    assert not np.array_equal(synthetic(sources, seed=1).severities, photos.severities)
    assert len({photos.severities[index].tobytes() for index in range(4)}) > 1


def test_severities_lie_in_their_ranges_and_variants_of_a_photo_stay_together(sources: list[Path]) -> None:
    photos = synthetic(sources, variants=40)
    for column, defect in enumerate(DEFECTS):
        assert photos.severities[:, column].min() >= defect.lowest
        assert photos.severities[:, column].max() <= 1
    assert photos.digests == [digest for digest in dict.fromkeys(photos.digests) for _ in range(40)]
    assert photos.representative.reshape(3, 40).sum(1).tolist() == [20, 20, 20]
    severe = np.abs(photos.severities).max(1) > 0.5
    assert severe[~photos.representative].mean() > 2 * severe[photos.representative].mean(), "people's are mild"


def test_black_and_white_is_fully_unsaturated_and_has_no_white_balance(sources: list[Path]) -> None:
    photos = synthetic(sources)
    severities = dict(zip(KEYS, photos.load(8).severities, strict=True))
    assert severities["bad_saturation"] == -1
    assert math.isnan(severities["bad_white_balance"])


def test_a_source_that_is_not_clean_is_left_out_with_a_reason(tmp_path: Path) -> None:
    dark = tmp_path / "dark.png"
    Image.new("RGB", (128, 128), (4, 4, 5)).save(dark)
    photo = synthetic([dark], check=True).load(0)
    assert "dark" in photo.unfit
    assert np.isnan(photo.severities).all()
    assert synthetic([dark], check=False).load(0).unfit == ""


def test_a_source_that_is_too_small_is_left_out_even_without_a_check(tmp_path: Path) -> None:
    Image.new("RGB", (20, 300)).save(tmp_path / "strip.png")
    assert "smaller than 64" in synthetic([tmp_path / "strip.png"]).load(0).unfit


def test_of_large_sources_some_variants_are_reduced_and_some_are_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grating of one pixel survives in a part at original resolution and nowhere else."""
    monkeypatch.setattr(photo_sets, "WORK_PIXELS", 128 * 128)
    grating = np.zeros((512, 512, 3), dtype=np.uint8)
    grating[:, ::2] = 200
    reduced = photo_sets._reduced(grating)
    part = photo_sets._part(grating, np.random.default_rng(0))
    assert reduced.shape == part.shape == (128, 128, 3)
    assert np.ptp(reduced[:, 8:-8]) < 20
    assert np.ptp(part) == 200
    Image.fromarray(grating).save(tmp_path / "grating.png")
    photos = synthetic([tmp_path / "grating.png"])
    composition = [photos.load(index).severities[KEYS.index("bad_composition")] for index in range(4)]
    assert np.isnan(composition).tolist() == [False, True, False, True], "a part says nothing about the whole frame"


def test_a_damaged_source_is_an_error_of_that_photo(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(UnreadableError):
        synthetic([tmp_path / "broken.jpg"]).load(0)


def test_a_labelled_set_gives_pixels_severities_and_votes(sources: list[Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    zeros = ",0" * (len(KEYS) - 1)
    labels.write_text(
        f"path,{','.join(KEYS)},bad_exposure_votes\n"
        f"{sources[0].name},0.3{zeros},0;0.5;0.5;0.5;0\n"
        f"{sources[1].name},{zeros},\n"
    )
    photos = LabelledPhotos(read_labels(labels))
    assert photos.severities[0].tolist() == [0.3, 0, 0, 0, 0, 0, 0]
    assert math.isnan(photos.severities[1, 0])
    assert photos.votes(BY_KEY["bad_exposure"]) == [(0.0, 0.5, 0.5, 0.5, 0.0), ()]
    assert photos.votes(BY_KEY["noise"]) is None
    assert photos.load(1).pixels.shape == np.asarray(Image.open(sources[1])).shape


def test_another_label_makes_it_another_set(sources: list[Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    row = f"{sources[0].name}" + ",0" * len(KEYS) + "\n"
    labels.write_text(f"path,{','.join(KEYS)}\n{row}")
    before = LabelledPhotos(read_labels(labels)).identity
    assert LabelledPhotos(read_labels(labels)).identity == before
    labels.write_text(f"path,{','.join(KEYS)}\n{row.replace(',0', ',0.1', 1)}")
    assert LabelledPhotos(read_labels(labels)).identity != before


def test_another_vote_makes_it_another_set(sources: list[Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    zeros = ",0" * (len(KEYS) - 1)

    def identity(votes: str) -> str:
        labels.write_text(f"path,{','.join(KEYS)},bad_exposure_votes\n{sources[0].name},0.2{zeros},{votes}\n")
        return LabelledPhotos(read_labels(labels)).identity

    assert identity("0;0;0;0;1") == identity("0;0;0;0;1")
    assert len({identity(votes) for votes in ("0;0;0;0;1", "0;0;0;0.5;0.5", "")}) == 3


def test_other_rules_for_sources_make_it_another_set(sources: list[Path]) -> None:
    assert synthetic(sources, check=True).identity != synthetic(sources, check=False).identity

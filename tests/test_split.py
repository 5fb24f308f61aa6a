"""Holding photos out for validation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.errors import DataError
from photodefect.training.split import held_out, photo_digest


@given(
    digests=st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=40).filter(lambda it: len(set(it)) > 1),
    share=st.floats(0.01, 0.6),
)
def test_copies_stay_together_and_the_share_is_of_different_photos(digests: list[str], share: float) -> None:
    different = len(set(digests))
    expected = max(1, round(share * different))
    if expected >= different:
        with pytest.raises(DataError):
            held_out(digests, share)
        return
    held = held_out(digests, share)
    validation = {digest for digest, out in zip(digests, held, strict=True) if out}
    training = {digest for digest, out in zip(digests, held, strict=True) if not out}
    assert not validation & training
    assert len(validation) == expected


@given(order=st.permutations(list("abcdefgh")))
def test_the_order_of_the_photos_does_not_matter(order: list[str]) -> None:
    chosen = {digest for digest, out in zip(order, held_out(order, 0.25), strict=True) if out}
    assert chosen == {"a", "b"}, "digests are as good as random, so the lowest ones are taken"


def test_without_a_share_nothing_is_held_out() -> None:
    assert not held_out(["a"], 0.0).any()


def test_a_single_photo_can_not_be_split_and_the_error_says_what_to_do() -> None:
    with pytest.raises(DataError, match="--validation 0"):
        held_out(["a", "a"], 0.1)


def test_the_digest_is_of_the_content_not_of_the_name(samples: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another name.png"
    shutil.copy(samples / "dog.jpg", copy)
    assert photo_digest(copy) == photo_digest(samples / "dog.jpg")
    assert photo_digest(copy) != photo_digest(samples / "bulb.jpg")
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.chmod(0o644)
    copy.write_bytes(content)
    assert photo_digest(copy) != photo_digest(samples / "dog.jpg")


def test_files_that_can_not_be_read_differ_by_their_paths(tmp_path: Path) -> None:
    digests = [photo_digest(tmp_path / name) for name in ("a", "b")]
    assert digests[0] != digests[1]
    assert np.array_equal(digests, [photo_digest(tmp_path / name) for name in ("a", "b")])

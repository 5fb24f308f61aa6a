"""Holding photos out for validation: whole photos, never single samples of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.errors import DataError

_READ: Final = 1 << 16


def photo_digest(path: Path) -> str:
    """What tells a file's content from others: a hash over its size, its first and its last 64 KB.

    The same photo has the same digest wherever it lies and whatever it is called. A file that can't be read has one
    of its path; decoding says what is wrong with it.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            digest.update(size.to_bytes(8, "little"))
            stream.seek(0)
            digest.update(stream.read(_READ))
            stream.seek(max(0, size - _READ))
            digest.update(stream.read(_READ))
    except OSError:
        digest.update(os.fsencode(path))
    return digest.hexdigest()


def held_out(digests: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Choose the validation photos.

    The choice depends on the digests alone: not on names, order or seed. Samples of the same photo are on the same
    side, and so are copies of it.

    Args:
        digests: of the photo that each item comes from, (N,).
        share: of the different photos to hold out; above 0 it is one at least.

    Returns:
        (N,) True where held out.

    Raises:
        DataError: nothing would be left to train on.
    """
    different = sorted(set(digests))
    count = max(1, round(share * len(different))) if share > 0 else 0
    if count >= len(different):
        raise DataError(
            f"{len(different)} different photos can't be split for training and validation; add photos, "
            "or train without validation (--validation 0)"
        )
    chosen = set(different[:count])
    return np.array([digest in chosen for digest in digests], dtype=np.bool_)

"""Write a labelled set of synthetic defects: pictures and their severities, in the layout that training reads."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from photodefect.defects import KEYS
from photodefect.errors import DataError, PhotoError
from photodefect.photos.colour_spaces import Pixels
from photodefect.photos.decode import Decoder, decode_pixels
from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import source_quality, why_not_clean

LABELS: Final = "labels.csv"
IMAGES: Final = "images"
_QUALITY: Final = 95
_LEAST_SIDE: Final = 64


@dataclass(frozen=True)
class Source:
    """A photograph that was looked at as a source.

    Attributes:
        path: the file.
        problem: why it can't be a source, or None.
        unreadable: the problem is an error, not a judgement.
    """

    path: Path
    problem: str | None = None
    unreadable: bool = False


def load_source(path: Path, long_side: int, decoder: Decoder = decode_pixels) -> Pixels:
    """Decode a photograph and reduce it to a long side of at most ``long_side``: (H, W, 3) uint8.

    Args:
        path: of the photograph.
        long_side: in pixels.
        decoder: reads it.

    Raises:
        PhotoError: it can't be decoded, or is too small; the message names it.
    """
    try:
        image = Image.fromarray(decoder(path))
    except PhotoError as error:
        raise type(error)(f"{path}: {error}") from error
    image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    if min(image.size) < _LEAST_SIDE:
        raise PhotoError(f"{path}: {image.width}x{image.height} pixels are too few to degrade")
    return np.asarray(image)


def examine(
    paths: Sequence[Path], long_side: int, decoder: Decoder = decode_pixels, *, threads: int = 1
) -> Iterator[Source]:
    """Look at photographs: which are clean enough to be sources?

    Args:
        paths: of the photographs.
        long_side: as in :func:`load_source`.
        decoder: likewise; called by the threads.
        threads: that look at so many at once.

    Yields:
        What is to be said of each, in the order given.
    """

    def look(path: Path) -> Source:
        try:
            return Source(path, why_not_clean(source_quality(load_source(path, long_side, decoder))))
        except PhotoError as error:
            return Source(path, str(error), unreadable=True)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="sources")
    try:
        yield from pool.map(look, paths)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C they end when the decoder does


def check_new_folder(folder: Path) -> None:
    """See that nothing is in the way of a new set.

    Raises:
        DataError: something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and not an empty folder; name a new one, nothing is overwritten")


def new_folder(folder: Path) -> None:
    """Make the folder of a set; one that exists must be empty.

    Raises:
        DataError: something is there already, or the folder can't be made.
    """
    check_new_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} can't be made: {error.strerror or error}") from error


def write_set(
    sources: Sequence[Path],
    folder: Path,
    *,
    count: int,
    seed: int,
    rebalanced: float,
    long_side: int,
    decoder: Decoder = decode_pixels,
) -> Iterator[Path]:
    """Write ``count`` degraded photographs and ``labels.csv`` into an empty folder.

    Every picture has its row at once, so that a run that is cut short leaves a smaller, whole set. The same
    arguments give the same set.

    Args:
        sources: clean photographs, used in turn.
        folder: an empty folder.
        count: pictures to write.
        seed: of severities, kinds of defects and cameras.
        rebalanced: share of pictures with one defect drawn evenly over its range, 0..1; the others have severities
            as people's photographs have them.
        long_side: photographs are reduced to this first, in pixels.
        decoder: reads them.

    Yields:
        Each picture as it is written.

    Raises:
        PhotoError: a source can't be decoded any more.
        OSError: a file can't be written.
    """
    images = folder / IMAGES
    images.mkdir()
    digits = len(str(max(count - 1, 1)))
    with (folder / LABELS).open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", *KEYS])
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            wanted = draw_severities(rng, rebalanced=bool(rng.random() < rebalanced))
            degraded = degrade(load_source(sources[index % len(sources)], long_side, decoder), wanted, rng)
            path = images / f"{index:0{digits}d}.jpg"
            with path.open("xb") as image:
                Image.fromarray(degraded.pixels).save(image, "JPEG", quality=_QUALITY, subsampling=0)
            cells = [degraded.severities[key] for key in KEYS]
            writer.writerow([f"{IMAGES}/{path.name}", *("" if math.isnan(cell) else f"{cell:.4f}" for cell in cells)])
            stream.flush()
            yield path

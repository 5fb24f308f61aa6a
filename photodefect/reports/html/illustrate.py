"""From photos to what their page needs: the diagnosis and the pictures of each."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from photodefect.diagnosis import Diagnoser
from photodefect.heatmap import heatmaps
from photodefect.records import Diagnosis
from photodefect.reports.html.pictures import Pictures, make_pictures


def illustrate(
    diagnoser: Diagnoser, paths: Iterable[str | os.PathLike[str]], *, maps: bool = True
) -> Generator[tuple[Diagnosis, Pictures | None], None, None]:
    """Diagnose photos and make their pictures, lazily and in the order given.

    Args:
        diagnoser: makes the diagnoses; its model makes the heat maps.
        paths: the photos.
        maps: make heat maps.

    Yields:
        A record a path, and its pictures unless it failed. A photo whose pictures can't be made has failed.
    """
    # By path, since photos are worked on side by side; a list, since a path may be given twice. Lists stay
    # when they are empty: another thread may be about to fill the same one.
    made: defaultdict[str, list[Pictures]] = defaultdict(list)

    def draw(path: str, pixels: NDArray[np.uint8]) -> None:
        severity = heatmaps(diagnoser.model, pixels).maps if maps else None
        pictures = make_pictures(pixels, severity)
        made[path].append(pictures)

    with closing(diagnoser.diagnose(paths, look=draw)) as diagnoses:
        for diagnosis in diagnoses:
            pictures = made[diagnosis.path].pop() if made[diagnosis.path] else None
            yield diagnosis, pictures if diagnosis.error is None else None

"""The blind pass: a person keeps or rejects photos without seeing a score, and ``tune`` learns from it."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from werkzeug.exceptions import BadRequest
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from photodefect.errors import DataError, TransferError
from photodefect.files.unfinished import part_of
from photodefect.photos.shots import shots
from photodefect.review.access import Access
from photodefect.review.app import PageApp, as_answer, body_of
from photodefect.review.pictures import PictureMaker

COLUMNS: Final = ("path", "keep")
WORDS: Final = ("keep", "reject")

_RULES: Final = (
    Rule("/api/blind", endpoint="blind"),
    Rule("/api/rate", endpoint="rate", methods=["POST"]),
)


class Ratings:
    """A CSV of ratings as ``tune`` reads it; it is written whole with each rating, so that it is never half.

    Args:
        file: made with the first rating; ratings that are in it already stay.

    Raises:
        DataError: it is there and holds something else, or can't be read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._kept: dict[str, str] = {}
        # Two keys pressed quickly are two requests at once, each of which writes all that it knows.
        self._writing = Lock()
        if file.is_dir() or not file.absolute().parent.is_dir():
            raise DataError(f"{file} can't hold ratings: name a file in a folder that is there")
        if not os.path.lexists(file):
            return
        try:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise DataError(f"{file} can't be read: {error.strerror or error}") from error
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if not rows or tuple(rows[0]) != COLUMNS or any(len(row) != 2 or row[1] not in WORDS for row in rows[1:]):
            raise DataError(f"{file} is there and holds something else than ratings of a blind pass; name another file")
        self._kept = dict(rows[1:])

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, path: str) -> str | None:
        """``keep``, ``reject``, or None for a photo that isn't rated."""
        return self._kept.get(os.path.abspath(path))  # noqa: PTH100

    def rate(self, path: str, word: str | None) -> None:
        """Keep a rating, or take it back; when this returns it is on the disk.

        Raises:
            TransferError: the file can't be written; it is as it was.
        """
        with self._writing:
            self._rate(path, word)

    def _rate(self, path: str, word: str | None) -> None:
        ratings = {name: kept for name, kept in self._kept.items() if name != os.path.abspath(path)}  # noqa: PTH100
        if word is not None:
            ratings[os.path.abspath(path)] = word  # noqa: PTH100
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *ratings.items()])
        part = part_of(self.file)
        try:
            with part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(stream.getvalue())
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise TransferError(f"{self.file}: the rating can't be kept: {error.strerror or error}") from error
        self._kept = ratings


def blind_order(paths: Sequence[str]) -> list[str]:
    """One file of each shot, shuffled the same way each time: neighbours would be judged by each other."""
    order = list(dict.fromkeys(shots(paths).values()))
    random.Random(0).shuffle(order)
    return order


class BlindApp(PageApp):
    """The page of the blind pass.

    Args:
        access: who may ask.
        photos: in the order in which they are shown.
        ratings: what the person says.
        pictures: makes them.
    """

    def __init__(self, access: Access, photos: Sequence[str], ratings: Ratings, pictures: PictureMaker) -> None:
        super().__init__(access, page="blind.html", rules=_RULES)
        self._photos = photos
        self._ratings = ratings
        self.show(pictures, lambda number: photos[number])

    def _blind(self, _request: Request) -> Response:
        return as_answer(
            {"file": str(self._ratings.file), "ratings": [self._ratings.of(path) for path in self._photos]}
        )

    def _rate(self, request: Request) -> Response:
        body = body_of(request)
        number, word = body.get("photo"), body.get("keep")
        if type(number) is not int or not 0 <= number < len(self._photos) or word not in (*WORDS, None):
            raise BadRequest("this is not a rating")
        self._ratings.rate(self._photos[number], word)
        return as_answer({"rated": len(self._ratings)})

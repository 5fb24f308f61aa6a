"""The pictures of photos: made when they are looked at, in processes of their own, and kept."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from photodefect.defects import PATCH_DEFECTS
from photodefect.diagnosis.picture_cache import PictureCache
from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.limits import (
    MAPPING_S,
    available_cores,
    default_workers,
    memory_limit,
    time_limit,
)
from photodefect.diagnosis.workers.pool import ProcessWorkers
from photodefect.diagnosis.workers.tasks import Task
from photodefect.errors import PhotoError, UnreadableError
from photodefect.files.fingerprint import Fingerprint, fingerprint
from photodefect.review.drawing import PREVIEW, THUMBNAIL, WHOLE, DrawMaps, MapOf, sharpest_place

if TYPE_CHECKING:
    from photodefect.diagnosis.diagnoser import Diagnoser

JPEGS: Final = {"thumbnail": THUMBNAIL, "preview": PREVIEW, "full": WHOLE}
_KEPT: Final = frozenset(("thumbnail", "preview"))
"""A whole photo takes as much as hundreds of thumbnails: the browser keeps those of the last minutes."""

MAPPED: Final = tuple(defect.key for defect in PATCH_DEFECTS)
"""Keys of the defects that have a heat map."""

_VERSION: Final = 3
"""Grows when a picture would be made otherwise than before."""


class PictureMaker:
    """Makes pictures, and keeps most of them.

    Args:
        cache: of pictures that were made before; closed with this.
        diagnoser: whose model makes heat maps; None for no maps.
    """

    def __init__(self, cache: PictureCache, diagnoser: Diagnoser | None) -> None:
        self._cache = cache
        self._workers = ProcessWorkers(Decoding(), default_workers(), memory_limit())
        self._maps: DrawMaps | None = None
        self._model, mapping = "", 0
        if diagnoser is not None and diagnoser.folder is not None:
            self._maps = DrawMaps(replace(diagnoser.settings, threads=available_cores(), score=True))
            self._model = diagnoser.manifest.identity.sha256
            mapping = memory_limit() if diagnoser.device == "cpu" else 0  # a GPU's driver maps a lot
        self._mappers = ProcessWorkers(Decoding(threads=available_cores()), 1, mapping)
        self._drawing: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def picture(self, path: str, kind: str) -> bytes:
        """A JPEG of a photo: ``thumbnail``, ``preview`` or ``full``.

        Raises:
            KeyError: there is no such kind.
            PhotoError: the photo can't be read; the message says why.
        """
        drawing = JPEGS[kind]
        if kind not in _KEPT:
            made: bytes = self._draw(self._workers, path, drawing)
            return made
        return self._kept(path, f"{kind} {drawing.side}", lambda: self._draw(self._workers, path, drawing))

    def sharpest(self, path: str) -> list[float]:
        """Where a photo is sharpest: x and y, 0..1; errors as of :meth:`picture`."""
        text = self._kept(path, "sharpest", lambda: self._draw(self._workers, path, sharpest_place))
        place: list[float] = json.loads(text)
        return place

    def maps(self, path: str) -> dict[str, dict[str, Any]]:
        """What is to be known of each heat map, by defect key; all are made if they aren't there.

        Raises:
            PhotoError: as of :meth:`picture`.
            ModelError: the model's files are damaged.
        """
        return {key: json.loads(self._map(path, key, "facts")) for key in MAPPED}

    def map_picture(self, path: str, key: str) -> bytes:
        """A heat map as a PNG to lay over the photo; errors as of :meth:`maps`.

        Raises:
            KeyError: the defect has no map.
        """
        picture = self._map(path, key, "picture") if key in MAPPED else b""
        if not picture:
            raise KeyError(key)
        return picture

    def _map(self, path: str, key: str, part: str) -> bytes:
        maps = self._maps
        if maps is None:
            raise KeyError(key)

        def draw() -> bytes:
            made: Mapping[str, MapOf] = self._draw(self._mappers, path, maps, seconds=MAPPING_S)
            state = _state(path)
            for defect, drawn in made.items():
                self._cache.keep(_key(path, state, f"{self._model} facts {defect}"), _facts(drawn))
                self._cache.keep(_key(path, state, f"{self._model} picture {defect}"), drawn.picture)
            return made[key].picture if part == "picture" else _facts(made[key])

        return self._kept(path, f"{self._model} {part} {key}", draw, together=self._model)

    def _kept(self, path: str, kind: str, draw: Callable[[], bytes], *, together: str = "") -> bytes:
        """A picture that is kept, or else made; two who ask at once wait for the same one.

        Args:
            path: of the photo.
            kind: of the picture.
            draw: makes it.
            together: what all pictures are called that are made at once; empty for the kind itself.
        """
        key = _key(path, _state(path), kind)
        found = self._cache.find(key)
        if found is not None:
            return found
        name = f"{path}\0{together or kind}"
        with self._lock:
            drawing = self._drawing.setdefault(name, threading.Lock())
        try:
            with drawing:
                found = self._cache.find(key)
                if found is None:
                    found = draw()
                    self._cache.keep(key, found)
                return found
        finally:
            with self._lock:
                self._drawing.pop(name, None)

    def _draw(self, workers: ProcessWorkers, path: str, job: Callable[[Any], Any], *, seconds: float = 0.0) -> Any:  # noqa: ANN401  what the job makes
        task = Task(path, job=job, limit_s=time_limit(path, 0), job_s=seconds)
        try:
            outcome = workers.submit(task).result()
        except CancelledError as error:
            raise PhotoError("the review is over") from error
        if outcome.fatal is not None:
            raise outcome.fatal
        if outcome.failure is not None:
            raise PhotoError(outcome.failure.message)
        return outcome.made

    def close(self) -> None:
        """End the processes at once; whoever waits for a picture gets none."""
        self._workers.close()
        self._mappers.close()
        self._cache.close()


def _facts(drawn: MapOf) -> bytes:
    facts = {"there": bool(drawn.picture), "note": drawn.note, "place": drawn.place, "severity": drawn.severity}
    return json.dumps(facts).encode()


def _state(path: str) -> Fingerprint:
    """The state of a photo's file.

    Raises:
        UnreadableError: it is gone.
    """
    try:
        found = fingerprint(Path(path))
    except OSError as error:
        raise UnreadableError(f"it is out of reach: {error.strerror or error}") from error
    if found is None:
        raise UnreadableError("there is no such file any more: it was moved or deleted")
    return found


def _key(path: str, state: Fingerprint, kind: str) -> str:
    place = os.fsencode(os.path.abspath(path)).hex()  # noqa: PTH100  names needn't be Unicode
    return f"{_VERSION} {kind} {state.size} {state.mtime_ns} {place}"

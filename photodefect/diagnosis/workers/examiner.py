"""The work on one photo, in whichever process: read it, look it up in the cache, decode, crop and score it."""

from __future__ import annotations

import contextlib
import ctypes
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from photodefect.diagnosis.cache_file import CacheReader
from photodefect.diagnosis.content import Stamp, content_key
from photodefect.diagnosis.findings import known_finding
from photodefect.diagnosis.settings import Decoding, Settings
from photodefect.diagnosis.workers.tasks import NeedsPreparation, Outcome, PixelJob, SeesInputs, TakesViews, Task
from photodefect.errors import ModelError, PhotoError, TooLargeError
from photodefect.photos.files import read_photo
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    from photodefect.diagnosis.picture_cache import KeptPictures, PictureCache
    from photodefect.diagnosis.scoring import Inputs
    from photodefect.engines import Engine
    from photodefect.photos.photo import Memory, Photo

_TOO_LARGE: Final = PhotoFailure(
    TooLargeError.__name__, "reading it takes more memory than there is, or than the limit of a worker allows"
)


class _Found(NamedTuple):
    """What a task's photo is, and what is left to do.

    Attributes:
        data: its file.
        content: the key of that.
        stamp: of the file, if it shows when its content changes.
        known: results that the cache has, by kind.
        scoring: how it is scored; None if its finding is known or not wanted.
        made: what is kept of what the job makes.
        wants_job: the job is to be done.
    """

    data: bytes
    content: bytes
    stamp: Stamp | None
    known: dict[str, str]
    scoring: Settings | None
    made: Any
    wants_job: bool

    @property
    def is_wanted(self) -> bool:
        """Whether pixels are needed."""
        return self.scoring is not None or self.wants_job


class Examiner:
    """Works on photos, one after the other. Decoders and networks are loaded when the first photo needs them.

    Args:
        settings: how photos are decoded and scored. Findings take :class:`Settings`, which name a model.
        engine: computes the scores; None to open the one that the settings name.
        working: called with the seconds that what comes next may take: before a photo is decoded, when all that takes
            long the first time is done, and before its job if that has a time of its own.
        reuse_memory: put a photo's pixels where those of the one before were. What a job makes of them must not be
            used any more by then.
    """

    def __init__(
        self,
        settings: Decoding,
        engine: Engine | None = None,
        working: Callable[[float], None] = lambda _: None,
        *,
        reuse_memory: bool = False,
    ) -> None:
        self._settings = settings
        self._scoring = settings if isinstance(settings, Settings) else None
        self._engine = engine
        self._working = working
        self._cache = None if settings.cache is None else CacheReader(settings.cache)
        self._reuse_memory = reuse_memory
        self._memory: Memory | None = None
        self._pictures: PictureCache | None = None

    def examine(self, task: Task) -> Outcome:
        """Do a task. What goes wrong is in the outcome, never raised."""
        try:
            return self._examine(task)
        except PhotoError as error:
            return Outcome(failure=PhotoFailure(type(error).__name__, str(error)))
        except ModelError as error:
            return Outcome(fatal=error)
        except MemoryError:
            return Outcome(failure=_TOO_LARGE)
        # The one place that takes any exception: decoders and metadata readers meet files that nobody foresaw, and a
        # run over a thousand photos must not end at the one that finds a bug. It is never silent: the photo's record
        # says so and the log has the traceback.
        except Exception as error:  # noqa: BLE001
            if "can't allocate memory" in str(error):  # torch's way of saying so
                return Outcome(failure=_TOO_LARGE)
            message = f"{type(error).__name__}: {error}"
            return Outcome(failure=PhotoFailure("InternalError", message), traceback=traceback.format_exc())

    def load(self, task: Task) -> Engine | None:
        """Load all that takes long the first time, and that a task takes, but touch no pixel of its photo.

        No file stays open, so that the process may fork afterwards.

        Returns:
            What computes the scores; None if the task needs none, or if it can't be opened, which :meth:`examine` will
            say of the same task.
        """
        scoring, wants_job = self._scoring if task.kind else None, task.job is not None
        # If the photo can't be read, others can.
        with contextlib.suppress(Exception):
            found = self._look_up(task)
            scoring, wants_job = found.scoring, found.wants_job
        with contextlib.suppress(Exception):
            if scoring is not None or wants_job:
                self._load(task, scoring, wants_job=wants_job)
        if self._cache is not None:
            self._cache.close()
        if self._pictures is not None:
            self._pictures.close()
        self._cache = self._pictures = None
        return self._engine

    def _look_up(self, task: Task) -> _Found:
        """Read a photo's file, and look up what is known of its content."""
        path = Path(task.path)
        before = _stamp(path)
        data = read_photo(path)
        content = content_key(data, path.suffix)
        # A file that is being written has no content to be known by.
        stamp = before if before is not None and before == _stamp(path) and before.settled() else None
        beside = task.beside
        wanted = [kind for kind in (task.kind, task.job_kind, "" if beside is None else beside.kind) if kind]
        known = {} if self._cache is None else self._cache.find_content(content, wanted)
        if task.kind and known_finding(known.get(task.kind), self._settings.max_pixels) is None:
            known.pop(task.kind, None)
        to_score = bool(task.kind) and task.kind not in known
        scoring = self._scoring if to_score else None
        if to_score and scoring is None:
            raise TypeError("a finding is wanted of a worker that has no model")
        made = None if task.kept is None else self._recall(task.kept, content)
        wants_job = task.job is not None and made is None and task.job_kind not in known
        return _Found(data, content, stamp, known, scoring, made, wants_job)

    def _load(self, task: Task, scoring: Settings | None, *, wants_job: bool) -> None:
        """Import and open what a task takes; that is half a second or more, once."""
        import photodefect.photos.decode  # noqa: PLC0415
        import photodefect.photos.exif  # noqa: PLC0415

        if scoring is not None:
            import photodefect.diagnosis.scoring  # noqa: PLC0415, F401
            from photodefect.core.warp import prepare  # noqa: PLC0415

            prepare()
            if scoring.score and self._engine is None:
                self._engine = scoring.choice.open(scoring.threads)
                _give_back_memory()
        for job in (task.job if wants_job else None, None if task.beside is None else task.beside.function):
            if isinstance(job, NeedsPreparation):
                job.prepare()

    def _examine(self, task: Task) -> Outcome:
        found = self._look_up(task)
        data, known, scoring, made = found.data, found.known, found.scoring, found.made
        content, stamp, recalled, wants_job = found.content, found.stamp, found.made is not None, found.wants_job
        if not found.is_wanted:
            return Outcome(made=made, recalled=recalled, known=known, content=content, stamp=stamp)
        self._load(task, scoring, wants_job=wants_job)
        from photodefect.photos.decode import Memory, decode_bytes  # noqa: PLC0415
        from photodefect.photos.exif import read_capture  # noqa: PLC0415

        if scoring is not None:
            from photodefect.diagnosis.scoring import inputs_by, score  # noqa: PLC0415
        if self._reuse_memory and self._memory is None:
            self._memory = Memory()
        self._working(task.limit_s)
        capture = None if scoring is None else read_capture(data)
        photo = decode_bytes(data, Path(task.path).suffix, max_pixels=self._settings.max_pixels, memory=self._memory)
        del data, found
        inputs = finding = None
        if scoring is not None:
            inputs = inputs_by(scoring, photo.view, capture=capture, provenance=photo.provenance)
        if wants_job and task.job is not None:
            if task.job_s:
                self._working(task.longest(photo.width * photo.height))
            made = _make(task.job, photo, inputs)
        text, trace, beside = "", "", task.beside
        if beside is not None and beside.kind not in known:
            text, trace = _make_beside(beside, photo, inputs)
        del photo  # the largest thing that there is
        if inputs is not None and scoring is not None and self._engine is not None:
            (finding,) = score(self._engine, scoring.choice.manifest, [inputs])
            inputs = None
        return Outcome(finding, inputs, made, recalled, text, known, content, stamp, traceback=trace)

    def _recall(self, kept: KeptPictures, content: bytes) -> Any:  # noqa: ANN401  what a job makes
        """What is kept of a content, whatever its file is called now; None if nothing is."""
        from photodefect.diagnosis.picture_cache import PictureCache  # noqa: PLC0415

        if self._pictures is None:
            self._pictures = PictureCache(kept.file)
        return kept.find(self._pictures, content)


def _make(function: Callable[[Any], Any], photo: Photo, inputs: Inputs | None) -> Any:  # noqa: ANN401
    """What a job's function makes of a photo, whose inputs may be known."""
    if isinstance(function, SeesInputs):
        from photodefect.core.inputs import holistic_input  # noqa: PLC0415

        return function.see(photo.view, holistic_input(photo.view) if inputs is None else inputs.holistic)
    return function(photo.view if isinstance(function, TakesViews) else photo.pixels)


def _make_beside(job: PixelJob[Any], photo: Photo, inputs: Inputs | None) -> tuple[str, str]:
    """What is made beside, as text, and the traceback of an error, which costs nothing else of the photo."""
    try:
        return job.encode(_make(job.function, photo, inputs)), ""
    except Exception:  # noqa: BLE001  as of a whole photo
        return "", traceback.format_exc()


def _stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path.stat())
    except (OSError, ValueError):
        return None


def _give_back_memory() -> None:
    """Give the system what was only needed while networks were loaded: fifty megabytes, which glibc would keep."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

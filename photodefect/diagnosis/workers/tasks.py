"""What workers are given, tasks and jobs on pixels, and what they answer, outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeVar, runtime_checkable

from photodefect.diagnosis.findings import Finding
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photodefect.diagnosis.content import Stamp
    from photodefect.diagnosis.picture_cache import KeptPictures
    from photodefect.diagnosis.scoring import Inputs
    from photodefect.errors import PhotodefectError

T = TypeVar("T")

TIME_LIMIT_OPTION: Final = "--time-limit allows more"
"""What to do about a photo that takes too long, with a command that has this option."""


@dataclass(frozen=True)
class PixelJob(Generic[T]):
    """Something else to be made of a photo's pixels while they are there, in the process that decoded them.

    Attributes:
        function: takes pixels, (height, width, 3), uint8, sRGB, upright. It and what it returns must be picklable:
            a function of a module, or an instance of a dataclass of one.
        kind: what the cache keeps the results as; it names function and version. Empty if they aren't kept.
        encode: a result as text, for the cache; picklable likewise.
        decode: the inverse.
        seconds: that it may take for each megapixel, and a minute, beside the time for the photo itself; 0 if it is
            done within that.
    """

    function: Callable[[NDArray[np.uint8]], T]
    kind: str = ""
    encode: Callable[[T], str] = json.dumps
    decode: Callable[[str], T] = json.loads
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PictureJob(PixelJob[T]):
    """A job whose results are too large for the cache of results: they are kept as bytes, with other pictures.

    Attributes:
        kept_as: names all that they depend on beside the photo's content.
        to_bytes: a result, for the file of pictures.
        from_bytes: the inverse, picklable; it raises DataError if it is no such result.
    """

    kept_as: str
    to_bytes: Callable[[T], bytes]
    from_bytes: Callable[[bytes], T]


@runtime_checkable
class NeedsPreparation(Protocol):
    """What a job's function may be that takes long the first time, which shall not count as the photo's time."""

    def prepare(self) -> None:
        """Load whatever the next calls need; called before each."""


@runtime_checkable
class TakesViews(Protocol):
    """What a job's function may be that makes do with pixels where they lie.

    Attributes:
        takes_views: true. What it is called with isn't contiguous if the file holds the photo turned.
    """

    takes_views: ClassVar[bool]

    def __call__(self, pixels: NDArray[np.uint8]) -> Any:  # noqa: ANN401  what the job makes
        """Make it, of (height, width, 3), uint8, sRGB, upright."""


@runtime_checkable
class SeesInputs(Protocol):
    """What a job's function may be that makes do with pixels where they lie and with what the networks see.

    It is called in place of the function: no pixel of a photo taken upright has to be moved for it, and the whole photo
    isn't reduced once more.
    """

    def see(self, view: NDArray[np.uint8], holistic: NDArray[np.uint8]) -> Any:  # noqa: ANN401  what the job makes
        """Make it.

        Args:
            view: (height, width, 3), uint8, sRGB, upright; not contiguous if the file holds the photo turned.
            holistic: the photo's :func:`~photodefect.core.inputs.holistic_input`.
        """


@dataclass(frozen=True)
class Task:
    """What is wanted of one photo.

    Attributes:
        path: of the photo.
        kind: of the finding that is wanted; empty if it is known.
        job: the function of a :class:`PixelJob`, or None.
        job_kind: its kind.
        limit_s: how long the work may take once the networks are loaded.
        job_s: seconds of the :class:`PixelJob`; 0 if it is done within ``limit_s``.
        remedy: what a person can do about a photo that takes longer; empty if there is nothing.
        beside: what else to make, as a text for the cache, if the photo is decoded anyway.
        kept: where what the job makes may be already; None if it isn't kept.
    """

    path: str
    kind: str = ""
    job: Callable[[Any], Any] | None = None
    job_kind: str = ""
    limit_s: float = 0.0
    job_s: float = 0.0
    remedy: str = ""
    beside: PixelJob[Any] | None = None
    kept: KeptPictures | None = None

    def longest(self, pixels: int) -> float:
        """Seconds that the work may take from when a photo of so many pixels is decoded."""
        return self.limit_s + (60 + self.job_s * pixels / 1e6 if self.job_s else 0)


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        finding: what was found, if it was wanted, and computed there.
        inputs: of the networks, if they are computed elsewhere.
        made: what the job made.
        recalled: that was kept already.
        beside: the text of what was made beside; empty if nothing was.
        known: results that the cache had of the same content, by kind.
        content: the key of the file's content; empty if it wasn't read.
        stamp: of the file, if it shows when its content changes.
        failure: why there is nothing.
        traceback: of an error that nobody foresaw.
        fatal: an error that ends the run.
    """

    finding: Finding | None = None
    inputs: Inputs | None = None
    made: Any = None
    recalled: bool = False
    beside: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    stamp: Stamp | None = None
    failure: PhotoFailure | None = None
    traceback: str = ""
    fatal: PhotodefectError | None = None

"""Every error that photodefect raises on purpose.

::

    PhotodefectError
    ├── PhotoError           one photo can't be diagnosed; the others can
    │   ├── UnreadableError  missing, unreadable, empty or damaged
    │   ├── UnsupportedError not a photo, or a format whose decoder is not installed
    │   └── TooLargeError    more pixels than the limit allows
    ├── ModelError           a model or its weights can't be used (exit code 4)
    ├── DataError            labels, votes, predictions or a profile are wrong; names file and row (exit code 2)
    └── NothingToDoError     no photo was found (exit code 3)
"""

from __future__ import annotations


class PhotodefectError(Exception):
    """Base of all errors that photodefect raises on purpose; the message is written for people."""


class PhotoError(PhotodefectError):
    """One photo can't be diagnosed. The message says what is wrong with it and what to do."""


class UnreadableError(PhotoError):
    """The file is missing, unreadable, empty or damaged."""


class UnsupportedError(PhotoError):
    """The file is not a photo, or its format needs a decoder that is not installed."""


class TooLargeError(PhotoError):
    """The photo has more pixels than the limit allows."""


class ModelError(PhotodefectError):
    """A model or its weights are missing, damaged or of another kind than needed."""


class DataError(PhotodefectError):
    """Labels, votes, predictions or a profile can't be used. The message names the file and the row."""


class NothingToDoError(PhotodefectError):
    """There is nothing to process."""

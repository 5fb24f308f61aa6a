"""All errors that photodefect raises on purpose.

::

    PhotodefectError
    ├── PhotoError           one photo can't be diagnosed; the others can
    │   ├── UnreadableError  missing, unreadable, empty or damaged
    │   ├── UnsupportedError not a photo, or a format whose decoder is not installed
    │   ├── TooLargeError    more pixels, or more memory, than the limits allow
    │   ├── TimedOutError    reading it took longer than the limit allows
    │   └── DecoderDiedError the process that read it died
    ├── ModelError           a model or its weights can't be used (exit code 4)
    ├── DataError            labels, votes, predictions, a profile, a target or a journal are wrong; names file and row
    │                        (exit code 2)
    ├── TransferError        copying, linking, moving or undoing had to stop: a full disk, no permission (exit code 1)
    ├── SidecarError         one sidecar can't be merged into, and is left as it is (exit code 1)
    ├── TeamError            processes that train together lost each other (exit code 1)
    ├── ToldElsewhereError   another process of the team tells the person why it ends (exit code 1)
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
    """The photo has more pixels, or takes more memory, than the limits allow."""


class TimedOutError(PhotoError):
    """Reading and diagnosing the photo took longer than the limit allows."""


class DecoderDiedError(PhotoError):
    """The process that read the photo died: a decoder crashed, or the system ended it."""


class ModelError(PhotodefectError):
    """A model or its weights are missing, damaged or of another kind than needed."""


class DataError(PhotodefectError):
    """What a person gave beside photos can't be used: labels, a profile, a target. The message names file and row."""


class TransferError(PhotodefectError):
    """Copying, linking, moving or giving back had to stop. The message says where, why, and what was done before."""


class SidecarError(PhotodefectError):
    """A sidecar can't be read as XMP or must not be written. It is left as it is; the others can be written."""


class TeamError(PhotodefectError):
    """Processes that train together can't reach each other, or one of them failed. The message says how to go on."""


class ToldElsewhereError(PhotodefectError):
    """This process ends because its team does; another one tells the person why."""


class NothingToDoError(PhotodefectError):
    """There is nothing to process."""

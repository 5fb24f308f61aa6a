"""Whether the packages that a cluster needs are installed, which come with the extra ``ray``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from photodefect.errors import DataError

_PACKAGES: Final = ("ray", "pyarrow", "fsspec")


def require_extra(*packages: str, what: str) -> None:
    """Make sure that packages are installed.

    Args:
        packages: some of those of the extra; all if none is named.
        what: what needs them, for people.

    Raises:
        DataError: one isn't installed; the message says how to install it.
    """
    missing = [name for name in packages or _PACKAGES if find_spec(name) is None]
    if missing:
        raise DataError(f'{what} needs {", ".join(missing)}: pip install "photodefect[ray]"')

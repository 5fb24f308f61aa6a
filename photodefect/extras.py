"""Packages that come with an extra: what to install where one is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from photodefect.errors import DataError


def require(extra: str, *packages: str, what: str, error: type[Exception] = DataError) -> None:
    """Import packages that not everybody has, or say what to install.

    Args:
        extra: of photodefect, which brings them.
        packages: names of what is to be imported.
        what: what needs them, for people.
        error: what is raised.

    Raises:
        Exception: one of them isn't there, or is broken; it is an ``error``.
    """
    require_installed(extra, *(package.partition(".")[0] for package in packages), what=what, error=error)
    for package in packages:
        try:
            import_module(package)
        except ModuleNotFoundError as problem:
            raise error(_advice(extra, what, problem.name or package)) from problem
        # A shared library of it may be missing, or another package that it was built for.
        except (ImportError, OSError, RuntimeError) as problem:
            raise error(
                f"{what} needs {package}, which is installed, but can't be imported ({problem}); install it again"
            ) from problem


def require_installed(extra: str, *packages: str, what: str, error: type[Exception] = DataError) -> None:
    """Like :func:`require`, without importing them, for what is imported later or elsewhere."""
    if missing := [package for package in dict.fromkeys(packages) if find_spec(package) is None]:
        raise error(_advice(extra, what, ", ".join(missing)))


def _advice(extra: str, what: str, missing: str) -> str:
    return f'{what} needs {missing}: pip install "photodefect[{extra}]"'

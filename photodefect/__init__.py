"""photodefect: how severe seven photographic defects are, where they sit, and which photos to keep."""

from photodefect._version import __version__

__all__ = ["__version__"]

"""Takes torch's place in a process that has this folder on its PYTHONPATH, as where it isn't installed."""

from __future__ import annotations

raise ImportError("there is no torch here")

"""Folders of files for tests: what is in them, to compare, and trees of any shape."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

NOBODY = 65534


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """All that is in a folder: files by content, links by what they say (after an arrow), folders as None."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def contents(folder: Path) -> list[bytes]:
    """What the files in a folder contain, whatever they are called."""
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def grow(folder: Path, files: dict[str, bytes]) -> None:
    """Make files; names may hold folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


_STEMS = st.sampled_from(
    [
        *["a", "A", "b", "a (2)", "a(1)", "a_01", "a.MP", "a.RAW-01.COVER", "IMG_1234", "IMG_E1234", "ä"],
        *["a\N{COMBINING DIAERESIS}", "\udcff", "a\nb", "straße"],
    ]
)
_ENDINGS = st.sampled_from(
    [
        *[".jpg", ".JPG", ".cr2", ".xmp", ".jpg.xmp", ".cr2.xmp", ".png", ".txt", ".mov", ".mp", ".aae"],
        *[".json", ".jpg.json", ".jpg(1).json", ".jpg.suppl(1).json"],
    ]
)
_FOLDERS = st.sampled_from(["", "sub/", "sub/deep/", "other/"])

trees = st.dictionaries(
    st.builds(lambda folder, stem, ending: folder + stem + ending, _FOLDERS, _STEMS, _ENDINGS),
    st.binary(max_size=6),
    min_size=1,
    max_size=14,
)
"""Files by name, many of them of one name in several folders, or alike but for case or ways of writing an accent."""


def photos_in(files: dict[str, bytes]) -> list[str]:
    """The names that are photos'."""
    return sorted(name for name in files if name.lower().endswith((".jpg", ".cr2", ".png")))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run a block without the rights of root, to whom nothing is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)

"""Where models lie: those that come with photodefect, by name, and folders. Nothing here needs torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from photodefect.core.network.manifest import MANIFEST_FILE, Manifest
from photodefect.errors import ModelError

DEFAULT_MODEL: Final = "compact"


def shipped_models_folder() -> Path:
    """The folder of the models that come with photodefect: in the package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped_models() -> list[str]:
    """Names of the models that come with photodefect, sorted."""
    return sorted(manifest.parent.name for manifest in shipped_models_folder().glob(f"*/{MANIFEST_FILE}"))


def find_model(name_or_dir: str | Path) -> Path:
    """The folder of a model.

    Args:
        name_or_dir: the name of a model that comes with photodefect, or the path of a model folder. A bare name is
            a shipped one if there is such a one: a folder of the same name where a person happens to stand doesn't
            change what a command does (``./name`` means the folder).

    Raises:
        ModelError: there is no such model.
    """
    text = str(name_or_dir)
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    is_bare = isinstance(name_or_dir, str) and not any(separator in text for separator in separators)
    shipped = shipped_models()
    if is_bare and text in shipped:
        return shipped_models_folder() / text
    folder = Path(text).expanduser()
    if not text or not folder.exists():
        have = f"the models that come with photodefect are: {', '.join(shipped)}" if shipped else "none is installed"
        raise ModelError(f"no model folder {text!r}, and no model of that name ({have})")
    if not folder.is_dir():
        raise ModelError(f"{folder}: a model is a folder with {MANIFEST_FILE} and two weight files, not a file")
    return folder


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a model folder; the weight files are not looked at.

    Raises:
        ModelError: it is missing, unreadable or wrong.
    """
    file = folder / MANIFEST_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(f"{file}: missing, so {folder} is not a model folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: can't be read: {error}") from error
    return Manifest.from_json(text, file)

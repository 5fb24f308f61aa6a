"""Where profiles lie, and which of them apply to a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import platformdirs

from photodefect.errors import DataError
from photodefect.ranking.profiles.profile import Profile
from photodefect.ranking.profiles.settings import Settings, merged, read_settings, to_profile

FOLDER_FILE: Final = ".photodefect.toml"
"""The profile of a folder of photos."""

USER_FILE: Final = "profile.toml"
"""A person's own profile, in their configuration folder."""

NAMED_FOLDER: Final = "profiles"
"""Folder of a person's named profiles, in their configuration folder."""

SUFFIX: Final = ".toml"


@dataclass(frozen=True)
class Layers:
    """The profile that holds, and what it is made of.

    Attributes:
        profile: all layers together.
        settings: each with its source.
        files: profiles that were read, the weakest first.
    """

    profile: Profile
    settings: Settings
    files: tuple[Path, ...]


def user_folder() -> Path:
    """The person's configuration folder, which need not exist."""
    return platformdirs.user_config_path("photodefect", appauthor=False)


def named_profiles() -> dict[str, Path]:
    """Profiles by name: those that come with photodefect, and the person's own, which go first."""
    folders = (Path(__file__).parent, user_folder() / NAMED_FOLDER)
    return {file.stem: file for folder in folders for file in sorted(folder.glob(f"*{SUFFIX}"))}


def find_profile(name_or_file: str) -> Path:
    """The file that ``--profile`` means: what looks like a path is one, else it is a name.

    Raises:
        DataError: there is none.
    """
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    if name_or_file.endswith(SUFFIX) or any(separator in name_or_file for separator in separators):
        return Path(name_or_file).expanduser()
    named = named_profiles()
    if name_or_file in named:
        return named[name_or_file]
    near = get_close_matches(name_or_file, named, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(named)}"
    own = user_folder() / NAMED_FOLDER
    raise DataError(f"no profile is called {name_or_file!r}; {hint} (own ones are files in {own}, or give a file)")


def gather(
    folders: Sequence[Path],
    chosen: str | None = None,
    options: Settings | None = None,
    presets: Settings | None = None,
) -> Layers:
    """Put together the profile that holds for photos.

    Args:
        folders: folders of photos; the file :data:`FOLDER_FILE` of each is read.
        chosen: what ``--profile`` says.
        options: settings given on the command line.
        presets: settings that a choice on the command line brings along; profiles go before them.

    Returns:
        From weak to strong: defaults, presets, the person's profile, that of the folder, the chosen one, options.

    Raises:
        DataError: a profile is wrong, or the chosen one isn't there.
    """
    candidates = [user_folder() / USER_FILE, *(folder / FOLDER_FILE for folder in folders)]
    files = [file for file in candidates if file.is_file()]
    if chosen is not None:
        files.append(find_profile(chosen))
    settings = merged([presets or {}, *(read_settings(file) for file in files), options or {}])
    return Layers(to_profile(settings), settings, tuple(files))

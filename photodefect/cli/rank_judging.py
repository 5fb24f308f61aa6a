"""The options of ``rank-folder`` that say how photos are judged, and the profile that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from photodefect.cli.options import threshold_option

if TYPE_CHECKING:
    from photodefect.cli.sidecars import RejectAs
    from photodefect.ranking.profiles.locations import Layers
    from photodefect.ranking.profiles.settings import Settings

_PANEL: Final = "Judging"
_JUDGING: Final = partial(typer.Option, rich_help_panel=_PANEL)


@dataclass(frozen=True)
class Judging:
    """How photos are judged, where it differs from the profiles."""

    profile: Annotated[
        str | None,
        _JUDGING(
            "--profile",
            metavar="NAME|FILE",
            help="Profile with thresholds, weights and further settings. It overrides .photodefect.toml in the folder.",
        ),
    ] = None
    weight: Annotated[
        list[str] | None,
        _JUDGING(
            "--weight",
            metavar="DEFECT=WEIGHT",
            help="Weight of a defect in overall severity; 0 ignores the defect altogether. Repeatable.",
        ),
    ] = None
    threshold: Annotated[list[str] | None, threshold_option(_PANEL)] = None
    relative_to: Annotated[
        Literal["reference", "folder"],
        _JUDGING("--relative-to", help="What percentiles compare a photo with: the reference photos, or this folder."),
    ] = "reference"
    hints: Annotated[
        bool | None,
        _JUDGING(
            "--hints/--no-hints",
            help="Say how each defect can be corrected. On unless the profile says otherwise.",
            show_default=False,
        ),
    ] = None

    def layers(self, roots: Sequence[Path], reject_as: RejectAs | None, presets: Settings | None = None) -> Layers:
        """The profile that holds.

        Args:
            roots: the folder to rank, if there is one; its own profile counts.
            reject_as: ``--reject-as``, which a profile has as well.
            presets: settings that ``--for`` brings along.

        Raises:
            typer.BadParameter: a value can't be read.
            DataError: a profile is wrong.
        """
        from photodefect.cli.limits import threshold_settings, weight_settings  # noqa: PLC0415
        from photodefect.ranking.profiles.locations import gather  # noqa: PLC0415
        from photodefect.ranking.profiles.settings import Setting  # noqa: PLC0415

        options = weight_settings(self.weight or [])
        if self.hints is not None:
            options["hints"] = Setting(self.hints, "--hints" if self.hints else "--no-hints")
        if reject_as is not None:
            options["reject.as"] = Setting(reject_as, "--reject-as")
        if self.threshold:
            options |= threshold_settings(self.threshold, gather(roots, self.profile).profile)
        return gather(roots, self.profile, options, presets)

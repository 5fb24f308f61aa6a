"""The command line, with one file per command.

A command is a function in ``photodefect/cli/<command>.py`` of the same name (``import-caffe`` is ``import_caffe`` in
``import_caffe.py``) and one line in :data:`COMMANDS`. Its module is imported when the command is called or its own
help is asked for, so that ``photodefect --help`` is there at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Annotated, Any, Final, cast

import typer
import typer.core
import typer.main

from photodefect._version import __version__
from photodefect.cli.dependent_options import refuse_alone
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.guard import guarded
from photodefect.cli.impossible_values import refuse_empty, refuse_urls
from photodefect.cli.interrupts import endings_as_interrupts
from photodefect.cli.optional_values import with_values
from photodefect.printable import printable, styles_wanted

COMMANDS: Final = MappingProxyType(
    {
        "diagnose": "Say how severe seven defects are in photos.",
        "watch": "Diagnose photos as they arrive in a folder.",
        "heatmap": "Show where in the frame each defect sits.",
        "report": "Make a page that shows photos with their severities and heat maps.",
        "rank-folder": "Rank the photos of folders from best to worst, and thin them.",
        "unmark": "Take all of photodefect's marks back from the sidecars of a folder.",
        "review": "Look at photos in the browser, compare them and mark them.",
        "undo": "Take back what was copied, linked, moved or written to sidecars.",
        "cache": "Show, check or delete the results that are kept from run to run.",
        "profile": "Show which thresholds, weights and other settings apply, and where they come from.",
        "tune": "Fit a profile to your own ratings.",
        "train": "Train a model on labelled photos, or on clean photos that it degrades itself.",
        "evaluate": "Compare predictions with ground truth as the paper does.",
        "aggregate-votes": "Turn the raw votes of many people into ground truth.",
        "synthesize": "Make labelled photos with graded synthetic defects.",
        "import-caffe": "Turn the authors' Caffe files into a model.",
    }
)
"""Every command and what it is for, in the order of the help page."""

_CHOICES: Final = re.compile(r"([:,])\n\t")

_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


class _LazyCommand(typer.core.TyperCommand):
    """Stands for a command in lists; the command itself is imported when it is called."""

    def make_context(  # typer's own signature names classes of its private modules
        self,
        info_name: str | None,
        args: list[str],
        parent: Any = None,  # noqa: ANN401
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        refuse_empty(args)
        refuse_urls(args)
        optional = getattr(import_module(_module(self.name or "")), "OPTIONAL_VALUES", {})
        context = _load(self.name or "").make_context(info_name, with_values(args, optional), parent=parent, **extra)
        refuse_alone(context)
        return context


class _Commands(typer.core.TyperGroup):
    """The group of :data:`COMMANDS`."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as typer passes them
        settings["commands"] = {name: _LazyCommand(name, help=COMMANDS[name]) for name in available_commands()}
        super().__init__(**settings)

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - typer's own names private classes
        with _printable_usage_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        with _printable_usage_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Have typer's errors, which repeat what was typed, printed so that a terminal doesn't obey it.

    Typer sets the choices of an argument on lines of their own, which would be escaped as well.
    """
    try:
        yield
    except Exception as error:
        said = getattr(error, "format_message", None)
        if said is not None:  # a ClickException, whose class is in different places in different versions
            vars(error)["format_message"] = lambda: printable(_CHOICES.sub(r"\1 ", said()))
        raise


def available_commands() -> list[str]:
    """The commands of :data:`COMMANDS` whose file is there."""
    return [name for name in COMMANDS if find_spec(_module(name))]


def _module(command: str) -> str:
    return f"{__name__}.{command.replace('-', '_')}"


def _load(command: str) -> typer.core.TyperCommand:
    """Import a command and make it one of typer's."""
    function = getattr(import_module(_module(command)), command.replace("-", "_"))
    single = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    single.command(command, context_settings=_CONTEXT)(guarded(function))
    return cast(typer.core.TyperCommand, typer.main.get_command(single))


app = typer.Typer(
    cls=_Commands,
    context_settings=_CONTEXT,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        sys.stdout.write(f"photodefect {__version__}\n")
        raise typer.Exit


@app.callback()
def _photodefect(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Photo triage: how severe seven photographic defects are, where they sit, and which photos to keep."""


def main() -> None:
    """Run the command line."""
    if not styles_wanted():
        import typer.rich_utils  # noqa: PLC0415  takes a while; else typer imports it for help and errors alone

        typer.rich_utils.COLOR_SYSTEM = None
    try:
        with endings_as_interrupts():
            app(prog_name="photodefect")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)

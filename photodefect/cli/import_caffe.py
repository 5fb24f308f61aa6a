"""``photodefect import-caffe``: turn the authors' Caffe files into a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photodefect.cli.console import note
from photodefect.errors import DataError, ModelError
from photodefect.extras import require


def import_caffe(
    holistic: Annotated[
        Path, typer.Argument(metavar="HOLISTIC", help="Network for whole photos: weights_holistic.caffemodel.")
    ],
    patches: Annotated[Path, typer.Argument(metavar="PATCH", help="Network for patches: weights_patch.caffemodel.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL_DIR", help="Folder for the model.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing model.")] = False,
) -> None:
    """Turn the authors' Caffe files into a model.

    The paper's authors give the two files out for non-commercial research.
    Commands that have --model take the result: --model MODEL_DIR.
    """
    require("caffe", "torch", "google.protobuf", what="import-caffe", error=ModelError)
    from photodefect.core.network.caffe_import import manifest_for, read_network  # noqa: PLC0415  imports torch
    from photodefect.core.network.model import save_model  # noqa: PLC0415  imports torch

    for file in (holistic, patches):
        if not file.exists():
            raise DataError(f"{file}: there is no such file")
    if output.exists() and not output.is_dir():
        raise DataError(f"{output} is a file; --output takes a folder")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise DataError(f"{output} is there already and not empty; --force replaces the model in it")
    manifest = manifest_for({"holistic": holistic, "patches": patches})
    save_model(output, manifest, read_network(holistic, "holistic"), read_network(patches, "patches"))
    note(f"{output} is a model now: photodefect diagnose --model {output} ...")

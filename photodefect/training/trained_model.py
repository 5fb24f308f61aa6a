"""The model that a run writes: trained networks, calibrated and with a reference distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.folders import find_model, read_manifest
from photodefect.core.network.manifest import MANIFEST_FILE, Calibration, Manifest, Normalization
from photodefect.core.network.model import Model, load_tensors, save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import KINDS, NETWORKS, Kind, build_network
from photodefect.defects import KEYS
from photodefect.errors import ModelError
from photodefect.training.calibration import reference_quantiles
from photodefect.training.checkpoint import checkpoints
from photodefect.training.listener import Listener
from photodefect.training.loop import Split
from photodefect.training.photo_sets import SyntheticPhotos
from photodefect.training.run_folder import WORK_FOLDER, without_counters
from photodefect.training.samples import SampleReader
from photodefect.training.settings import Settings
from photodefect.training.validation import fitted_calibrations, predict

LEAST_REFERENCE: Final = 20
"""Fewer validation photos than this say nothing about percentiles."""


def write_model(
    settings: Settings,
    weights: Mapping[Kind, Mapping[str, Tensor]],
    output: Path,
    name: str,
    *,
    reader: SampleReader,
    split: Split,
    device: torch.device,
    listener: Listener,
) -> Manifest:
    """Write the model of a run, calibrated on the photos held out as far as they tell enough.

    Args:
        settings: of the run.
        weights: state of each network.
        output: the folder of the run and the model.
        name: what people will call the model.
        reader: of the photos.
        split: which of them were trained on and which held out.
        device: computes the predictions on the latter.
        listener: told which defects are calibrated anew, and which as before.

    Raises:
        ModelError: weights aren't finite numbers, as training diverged.
        OSError: the folder can't be written.
    """
    manifest = _begun_manifest(settings, output, name)
    networks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        network = build_network(settings.network, kind, manifest.normalization.to_dict())
        try:
            load_tensors(network, without_counters(weights[kind]), f"{kind} network")
        except ModelError as error:
            raise ModelError(f"{error}. Training diverged: take a smaller --learning-rate.") from error
        networks[kind] = network.eval().to(device)
    learnt = _learnt_keys(settings, output, manifest, reader.photos.severities[split.training])
    members = [int(member) for member in split.validation if reader.photos.representative[member]]
    calibrated = [key for key in learnt if key in manifest.calibration]
    fitted: dict[str, Calibration] = {}
    if len(members) >= LEAST_REFERENCE:
        predictions = predict(Model(manifest, networks["holistic"], networks["patches"]), reader, members, device)
        # What synthesis calls severe is not all that people do; the model that comes with photodefect allows for it.
        if not isinstance(reader.photos, SyntheticPhotos):
            fitted = fitted_calibrations(predictions, calibrated)
        calibration = {**manifest.calibration, **fitted}
        reference = {
            key: reference_quantiles(calibration.get(key), predictions.raw[key])
            for key in learnt
            if len(predictions.members)
        }
        manifest = replace(manifest, calibration=calibration, reference={**manifest.reference, **reference})
    if fitted:
        listener.say(f"calibrated anew on the photos held out: {', '.join(fitted)}")
    kept = [key for key in calibrated if key not in fitted]
    if kept:
        listener.say(f"calibrated as before, as the photos held out tell too little: {', '.join(kept)}")
    return save_model(output, manifest, networks["holistic"].cpu(), networks["patches"].cpu())


def _begun_manifest(settings: Settings, output: Path, name: str) -> Manifest:
    """What a model says of its scores before they are looked at: as the one says that it comes from."""
    if (output / MANIFEST_FILE).exists():
        begun = read_manifest(output)
    elif settings.init not in ("imagenet", "random"):
        begun = read_manifest(find_model(settings.init))
    else:
        normalization = Normalization.from_mapping(NETWORKS[settings.network].default_normalization)
        begun = Manifest(name, "1", settings.network, normalization)
    return replace(begun, name=name, version="1", networks={})


def _learnt_keys(
    settings: Settings, output: Path, manifest: Manifest, severities: NDArray[np.float64]
) -> tuple[str, ...]:
    """Keys of the defects whose scores aren't those of the initial model any more, but for what the trunk learnt."""
    if settings.init in ("imagenet", "random"):
        return KEYS
    trained = [kind for kind in KINDS if kind in settings.kinds or checkpoints(output / WORK_FOLDER / kind)]
    return tuple(
        key
        for key, labels in zip(KEYS, severities.T, strict=True)
        if not np.isnan(labels).all() and any(getattr(manifest.combination[key], kind) > 0 for kind in trained)
    )

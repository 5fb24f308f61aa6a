"""Engines: the same scores from whatever computes them, and the choice among them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.engines import choose_engine
from photodefect.engines import devices as devices_module
from photodefect.engines.devices import may_have_gpu
from photodefect.errors import ModelError
from photodefect.inputs import holistic_input, patch_inputs
from photodefect.network.model import load_model
from photodefect.photos.decode import decode

PHOTOS = ("city.jpg", "dog.jpg", "haze.jpg", "guitar.jpg", "bulb.jpg")


@pytest.fixture(scope="module")
def inputs(samples: Path) -> dict[str, NDArray[np.uint8]]:
    """Network inputs of real photographs by kind of network."""
    photos = [decode(samples / name).pixels for name in PHOTOS]
    patches = [patch_inputs(pixels, count=2, seed=3) for pixels in photos]
    return {"holistic": np.stack([holistic_input(pixels) for pixels in photos]), "patches": np.concatenate(patches)}


def test_the_torch_engine_gives_the_networks_severities(
    random_model: Path, inputs: dict[str, NDArray[np.uint8]]
) -> None:
    model = load_model(random_model)
    engine = choose_engine(random_model, engine="torch", device="cpu").open(threads=torch.get_num_threads())
    for kind, network in (("holistic", model.holistic), ("patches", model.patches)):
        with torch.inference_mode():
            wanted = network.severities(torch.from_numpy(inputs[kind]).permute(0, 3, 1, 2))
        scores = engine.scores("holistic" if kind == "holistic" else "patches", inputs[kind])
        assert list(scores) == [defect.key for defect in (DEFECTS if kind == "holistic" else PATCH_DEFECTS)]
        for key, values in scores.items():
            np.testing.assert_allclose(values, wanted[key].numpy(), atol=1e-6)


def test_a_choice_goes_to_workers_and_opens_the_same_engine_there(random_model: Path) -> None:
    choice = choose_engine(random_model, device="cpu")
    assert pickle.loads(pickle.dumps(choice)) == choice


def test_a_wrong_engine_precision_or_device_is_refused(random_model: Path) -> None:
    with pytest.raises(ValueError, match="an engine is one of auto, "):
        choose_engine(random_model, engine="abacus")
    with pytest.raises(ValueError, match="a precision is one of auto, "):
        choose_engine(random_model, precision="fp7")
    with pytest.raises(ValueError, match="a device is one of auto, "):
        choose_engine(random_model, device="gpu")


def test_a_device_that_is_not_there_is_a_clear_error(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="no cuda device"):
        choose_engine(random_model, device="cuda")


def test_a_gpu_is_looked_for_where_torch_and_the_system_may_have_one(
    random_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices_module, "version", lambda _: "2.13.0")
    monkeypatch.setattr(devices_module.sys, "platform", "linux")
    monkeypatch.setattr(devices_module, "_DRIVERS", (str(tmp_path / "none"),))
    assert not may_have_gpu()
    monkeypatch.setattr(devices_module, "_DRIVERS", (str(tmp_path),))
    assert may_have_gpu()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_engine(random_model).device == "cuda"
    monkeypatch.setattr(devices_module, "version", lambda _: "2.13.0+cpu")
    assert not may_have_gpu()
    assert choose_engine(random_model).device == "cpu"

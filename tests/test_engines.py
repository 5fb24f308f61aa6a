"""Engines: the same scores from whatever computes them, and the choice among them."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.googlenet import initialize
from photodefect.core.network.manifest import Manifest, Normalization
from photodefect.core.network.model import load_model, save_model
from photodefect.core.network.registry import GOOGLENET_NORMALIZATION, KINDS, NETWORKS, build_network
from photodefect.core.network.weights import parse_weights
from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.diagnosis.scoring import make_inputs, score
from photodefect.engines import choice as choice_module
from photodefect.engines import choose_engine, graph_files, torch_engine
from photodefect.engines import devices as devices_module
from photodefect.engines.devices import may_have_gpu
from photodefect.engines.export import export
from photodefect.engines.torch_engine import TorchEngine
from photodefect.errors import ModelError
from photodefect.photos.decode import decode

SIDE = NETWORKS["lite0"].patch_side

PHOTOS = ("city.jpg", "dog.jpg", "haze.jpg", "guitar.jpg", "bulb.jpg")


@pytest.fixture(scope="module")
def inputs(samples: Path) -> dict[str, NDArray[np.uint8]]:
    """Inputs of the compact networks, of real photographs, by kind of network."""
    photos = [decode(samples / name).pixels for name in PHOTOS]
    patches = [patch_inputs(pixels, count=2, seed=3, side=SIDE) for pixels in photos]
    return {"holistic": np.stack([holistic_input(pixels) for pixels in photos]), "patches": np.concatenate(patches)}


@pytest.fixture(scope="module")
def papers_inputs(samples: Path) -> dict[str, NDArray[np.uint8]]:
    """Inputs of the paper's networks, likewise."""
    photos = [holistic_input(decode(samples / name).pixels) for name in PHOTOS]
    return {"holistic": np.stack(photos), "patches": np.stack(photos)}


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


def googlenet(folder: Path, normalization: Normalization) -> Path:
    """A model of the paper's network whose scores differ from photo to photo."""
    networks = [build_network("googlenet", kind) for kind in KINDS]
    for seed, network in enumerate(networks):
        generator = torch.Generator().manual_seed(seed)
        initialize(network, generator)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    assert module.running_mean is not None
                    assert module.running_var is not None
                    module.running_mean.normal_(0, 0.1, generator=generator)
                    module.running_var.uniform_(0.5, 2, generator=generator)
            network.eval()
            for key, logits in network(torch.randint(0, 256, (1, 3, 224, 224), generator=generator)).items():
                classes = network.column(key).get_submodule("classes")
                assert isinstance(classes, torch.nn.Conv2d)
                classes.weight /= logits.std()  # shares neither flat nor saturated
    save_model(folder, Manifest("paper", "0", "googlenet", normalization), *networks)
    return folder


@pytest.mark.parametrize("name", ["compact", "random", "googlenet", "other normalization"])
def test_onnx_runtime_gives_the_scores_of_torch_for_every_defect(
    name: str,
    random_model: Path,
    tmp_path: Path,
    inputs: dict[str, NDArray[np.uint8]],
    papers_inputs: dict[str, NDArray[np.uint8]],
    request: pytest.FixtureRequest,
) -> None:
    if name in ("googlenet", "other normalization"):
        inputs = papers_inputs
    theirs = Normalization.from_mapping(GOOGLENET_NORMALIZATION)
    other = Normalization("rgb", (120.0, 110.0, 100.0), 0.9)
    models = {
        "compact": lambda: "compact",
        "random": lambda: random_model,
        "googlenet": lambda: googlenet(tmp_path, theirs),
        "other normalization": lambda: googlenet(tmp_path, other),
    }
    model = models[name]()
    request.addfinalizer(lambda: shutil.rmtree(tmp_path))  # a hundred megabytes
    reference, engine = (choose_engine(model, engine=it, device="cpu").open() for it in ("torch", "onnx"))
    for kind in KINDS:
        wanted, scores = reference.scores(kind, inputs[kind]), engine.scores(kind, inputs[kind])
        assert list(scores) == list(wanted)
        for key, values in scores.items():
            np.testing.assert_allclose(values, wanted[key], rtol=0, atol=1e-3, err_msg=f"{kind} {key}")
            assert np.ptp(values) > 1e-3, "scores that are all alike show nothing"


def test_an_input_has_its_score_in_whatever_batch(inputs: dict[str, NDArray[np.uint8]]) -> None:
    engine = choose_engine("compact", engine="onnx").open()
    together = engine.scores("patches", inputs["patches"])
    for index, one in enumerate(inputs["patches"]):
        for key, values in engine.scores("patches", one[np.newaxis]).items():
            assert values == pytest.approx(together[key][index : index + 1], abs=1e-5)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_photos_scored_together_get_what_each_gets_alone(engine: str, samples: Path) -> None:
    choice = choose_engine("compact", engine=engine, device="cpu")
    opened = choice.open()
    photos = [
        make_inputs(decode(samples / name).pixels, patches=count, placement="random", side=SIDE)
        for name, count in (("city.jpg", 1), ("dog.jpg", 3), ("haze.jpg", 2))
    ]
    for photo, together in zip(photos, score(opened, choice.manifest, photos), strict=True):
        (alone,) = score(opened, choice.manifest, [photo])
        assert together.severity == pytest.approx(alone.severity, abs=1e-5)


def test_the_graphs_that_come_with_photodefect_are_those_of_its_networks(tmp_path: Path) -> None:
    made = export(tmp_path)
    assert {file.name for file in made} == {file.name for file in graph_files.FOLDER.iterdir()}
    for file in made:
        if file.suffix == ".onnx":
            here, shipped = (
                onnx.load(path, load_external_data=False) for path in (file, graph_files.FOLDER / file.name)
            )
            assert here.graph == shipped.graph, f"{file.name}: run python -m photodefect.engines.export"
        else:
            assert json.loads(file.read_text()) == json.loads((graph_files.FOLDER / file.name).read_text())


def test_a_processors_scores_need_no_torch() -> None:
    code = (
        "import sys, numpy; from photodefect.engines import choose_engine\n"
        "choose_engine('compact', device='cpu').open().scores('holistic', numpy.zeros((1, 224, 224, 3), numpy.uint8))\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_network_without_a_graph_is_left_to_torch(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice_module, "has_graphs", lambda _: False)
    assert choose_engine(random_model, device="cpu").engine == "torch"
    with pytest.raises(ModelError, match="no graph of its network, lite0; take the engine torch"):
        choose_engine(random_model, engine="onnx")


def test_a_gpu_does_not_round_convolutions_to_ten_bits(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Measured on one: up to 0.055 away from a processor's scores with TF32, which torch allows, and 2e-4 without.
    loaded = load_model(random_model)
    monkeypatch.setattr(torch_engine, "load_model", lambda *_: loaded)
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        with torch.backends.cudnn.flags(allow_tf32=True):
            torch.backends.cuda.matmul.allow_tf32 = True
            TorchEngine.load(random_model, "cuda", 1)
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def test_onnx_runtime_serves_processors_only(random_model: Path) -> None:
    assert choose_engine(random_model, engine="onnx").device == "cpu"
    with pytest.raises(ValueError, match="onnx computes on cpu, not on cuda"):
        choose_engine(random_model, engine="onnx", device="cuda")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_damaged_weight_file_is_named(random_model: Path, tmp_path: Path, engine: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(random_model, folder)
    file = folder / "patches.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"patches.safetensors: damaged"):
        choose_engine(folder, engine=engine, device="cpu").open()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_any_floating_point_type_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.tensor([[1.5, -0.25, 3.0]]).to(dtype)
    data = safetensors.torch.save({"it": tensor})
    read = parse_weights(data, {"it": (1, 3)}, tmp_path)
    np.testing.assert_array_equal(read["it"], [[1.5, -0.25, 3.0]])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "it lacks tensor 'it'"),
        ({"it": torch.ones(2), "that": torch.ones(1)}, "it has the unknown tensor 'that'"),
        ({"it": torch.ones(3)}, r"tensor 'it' has shape \(3,\), not \(2,\)"),
        ({"it": torch.tensor([1.0, torch.nan])}, "tensor 'it' holds something that is not a finite number"),
        ({"it": torch.ones(2, dtype=torch.int32)}, "tensor 'it' holds something that is not a finite number"),
    ],
)
def test_weights_that_do_not_fit_are_named(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_weights(safetensors.torch.save(tensors), {"it": (2,)}, Path("weights"))


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
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0")
    monkeypatch.setattr(devices_module.sys, "platform", "linux")
    monkeypatch.setattr(devices_module, "_DRIVERS", (str(tmp_path / "none"),))
    assert not may_have_gpu()
    monkeypatch.setattr(devices_module, "_DRIVERS", (str(tmp_path),))
    assert may_have_gpu()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_engine(random_model).device == "cuda"
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0+cpu")
    assert not may_have_gpu()
    assert choose_engine(random_model).device == "cpu"

"""Heat maps by ONNX Runtime: torch's values, and no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from photodefect.core.network.model import load_model
from photodefect.defects import PATCH_DEFECTS
from photodefect.engines import EngineChoice, choose_engine
from photodefect.heatmap import Mapper, heatmaps, mapper_of, open_mapper
from photodefect.heatmap.onnx_mapper import OnnxMapper
from photodefect.heatmap.torch_mapper import TorchMapper, trunk_features
from photodefect.heatmap.window_means import window_means
from photodefect.photos.decode import decode

MAPPED = [defect.key for defect in PATCH_DEFECTS]
NO_TORCH = Path(__file__).parent / "no_torch"


@pytest.fixture(scope="module")
def mapper() -> OnnxMapper:
    opened = open_mapper(choose_engine("compact", device="cpu"))
    assert isinstance(opened, OnnxMapper)
    return opened


@pytest.fixture(scope="module")
def reference() -> TorchMapper:
    return TorchMapper(load_model("compact"))


@pytest.fixture(scope="module")
def pixels(samples: Path) -> NDArray[np.uint8]:
    """A real photograph whose sides are no multiples of 32."""
    return decode(samples / "city.jpg").pixels[:301, :530].copy()


def cells(mapper: Mapper, pixels: NDArray[np.uint8], window: int | None = None) -> dict[str, NDArray[np.float32]]:
    with mapper.workers(1) as workers:
        return mapper.cells(pixels, MAPPED, window, workers)


@pytest.mark.parametrize("window", [None, 1, 7])
def test_every_cell_has_torchs_value(
    mapper: OnnxMapper, reference: TorchMapper, pixels: NDArray[np.uint8], window: int | None
) -> None:
    wanted, found = cells(reference, pixels, window), cells(mapper, pixels, window)

    assert list(found) == MAPPED
    for key, values in found.items():
        assert values.shape == (10, 17)
        np.testing.assert_allclose(values, wanted[key], rtol=0, atol=1e-3, err_msg=key)
        assert np.ptp(values) > 5e-3, "values that are all alike show nothing"


def test_every_patch_has_torchs_score(mapper: OnnxMapper, reference: TorchMapper, pixels: NDArray[np.uint8]) -> None:
    patches = np.stack([pixels[:128, left : left + 128] for left in (0, 40, 90, 200, 300, 400)])

    with mapper.workers(2) as workers:
        wanted, found = (it.scores(patches, MAPPED, workers) for it in (reference, mapper))

    for key, values in found.items():
        np.testing.assert_allclose(values, wanted[key], rtol=0, atol=1e-3, err_msg=key)


def test_a_large_photos_maps_are_torchs(
    mapper: OnnxMapper, reference: TorchMapper, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photodefect.heatmap.maps.DENSE_PIXELS", 100_000)
    monkeypatch.setattr("photodefect.heatmap.maps.SAMPLES", 6)
    monkeypatch.setattr("photodefect.heatmap.maps.WORKING_SIDE", 300)

    wanted, found = heatmaps(reference, pixels), heatmaps(mapper, pixels, threads=2)

    assert {key for key, it in found.maps.items() if it.sampled} == {"noise", "undesired_blur"}
    for key, heatmap in found.maps.items():
        assert heatmap.facts() == wanted.maps[key].facts()
        np.testing.assert_allclose(heatmap.severity, wanted.maps[key].severity, rtol=0, atol=1e-3, err_msg=key)


@torch.inference_mode()
def test_tiles_give_what_the_whole_photo_gives(mapper: OnnxMapper, pixels: NDArray[np.uint8]) -> None:
    whole = trunk_features(load_model("compact").patches, pixels, side=1024)[0].numpy()

    with mapper.workers(2) as workers:
        tiled = mapper.trunk_features(pixels, workers, side=224)

    assert tiled.shape == whole.shape
    assert float(np.abs(tiled - whole).max()) <= 1e-4 * float(np.abs(whole).max())


@pytest.mark.parametrize("window", [1, 3, 5])
def test_means_of_windows_leave_out_what_is_beyond_the_edge(window: int) -> None:
    values = np.random.default_rng(0).random((4, 7, 3), dtype=np.float32)
    pool = torch.nn.AvgPool2d(window, 1, window // 2, count_include_pad=False)

    np.testing.assert_allclose(window_means(values, window), pool(torch.from_numpy(values)).numpy(), atol=1e-6)


def test_a_network_without_graphs_of_its_maps_is_mapped_by_torch(random_model: Path) -> None:
    assert isinstance(open_mapper(choose_engine(random_model, device="cpu")), OnnxMapper)
    assert isinstance(open_mapper(choose_engine(random_model, engine="torch", device="cpu")), TorchMapper)


def test_a_mapper_is_opened_once_in_a_process(random_model: Path) -> None:
    choice: EngineChoice = choose_engine(random_model, device="cpu")

    assert mapper_of(choice) is mapper_of(choose_engine(random_model, device="cpu"))
    assert mapper_of(mapper_of(choice)) is mapper_of(choice)


def without_torch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command where importing torch fails."""
    paths = [str(NO_TORCH), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [str(Path(sys.executable).with_name("photodefect")), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_torch_is_really_out_of_reach() -> None:
    environment = os.environ | {"PYTHONPATH": str(NO_TORCH)}
    run = subprocess.run([sys.executable, "-c", "import torch"], env=environment, capture_output=True, check=False)

    assert b"No module named 'torch'" in run.stderr


def test_heat_maps_need_no_torch(samples: Path, tmp_path: Path) -> None:
    run = without_torch(
        "heatmap", samples / "bulb.jpg", "-o", tmp_path, "--device", "cpu", "--json", "--raw", "--overlays"
    )

    assert run.returncode == 0, run.stderr
    assert list(json.loads(run.stdout)["maps"]) == MAPPED
    assert len(list(tmp_path.iterdir())) == 1 + 3 * len(MAPPED)


def test_a_report_with_heat_maps_needs_no_torch(samples: Path, tmp_path: Path) -> None:
    run = without_torch("report", samples / "bulb.jpg", "-o", tmp_path / "report", "--device", "cpu", "--maps")

    assert run.returncode == 0, run.stderr
    assert len(list(tmp_path.rglob("00001-*.png"))) == len(MAPPED)

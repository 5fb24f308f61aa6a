"""The networks by name."""

from __future__ import annotations

import pytest
import torch

from photodefect.core.network.registry import KINDS, NETWORKS, build_network
from photodefect.defects import KEYS, PATCH_DEFECTS


@pytest.mark.parametrize("name", NETWORKS)
def test_the_holistic_network_predicts_all_defects_and_the_patch_network_all_but_composition(name: str) -> None:
    assert tuple(build_network(name, "holistic").columns) == KEYS
    patches = build_network(name, "patches")
    assert [defect.key for defect in patches.defects] == [defect.key for defect in PATCH_DEFECTS]
    assert "bad_composition" not in patches.columns


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_network_gives_a_logit_a_class(name: str, kind: str) -> None:
    network = build_network(name, kind).eval()  # type: ignore[arg-type]
    with torch.inference_mode():
        logits = network(torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8))
    assert {key: tuple(value.shape) for key, value in logits.items()} == {
        defect.key: (2, 21 if defect.key == "bad_saturation" else 11) for defect in network.defects
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_a_larger_input_gives_a_map_with_a_cell_every_32_pixels(name: str) -> None:
    network = build_network(name, "patches").eval()
    with torch.inference_mode():
        features = network.features(torch.rand(1, 3, 256, 352) * 255)
        maps = network.map_logits(features, "noise")
    assert maps.shape == (1, 11, 8, 11)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_middle_of_the_map_of_a_single_window_is_the_networks_own_answer(name: str) -> None:
    network = build_network(name, "holistic").eval()
    with torch.inference_mode():
        features = network.features(torch.rand(1, 3, 224, 224) * 255)
        single = network.logits(features)
        for key in KEYS:
            middle = network.map_logits(features, key)[:, :, 3, 3]
            torch.testing.assert_close(middle, single[key], rtol=1e-4, atol=1e-4)


def test_a_normalization_takes_the_place_of_the_networks_own() -> None:
    rgb = torch.tensor([10.0, 20.0, 30.0]).reshape(1, 3, 1, 1)
    own = build_network("googlenet", "patches").normalization(rgb)
    assert own.flatten().tolist() == pytest.approx([30 - 97.36, 20 - 104.61, 10 - 109.47], abs=1e-4)
    other = {"channels": "rgb", "mean": [1, 2, 3], "scale": 0.5}
    changed = build_network("googlenet", "patches", other).normalization(rgb)
    assert changed.flatten().tolist() == [4.5, 9.0, 13.5]


@pytest.mark.parametrize(
    ("name", "kind", "normalization", "message"),
    [
        ("resnet", "holistic", None, "resnet"),
        ("googlenet", "whole", None, "whole"),
        ("googlenet", "holistic", {"mean": [0, 0, 0]}, "channels, scale"),
        ("googlenet", "holistic", {"channels": "hsv", "mean": [0, 0, 0], "scale": 1}, "hsv"),
    ],
)
def test_a_network_that_does_not_exist_is_refused(
    name: str, kind: str, normalization: dict[str, object] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_network(name, kind, normalization)  # type: ignore[arg-type]

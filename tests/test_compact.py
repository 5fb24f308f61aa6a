"""The compact network: what its columns see."""

from __future__ import annotations

import numpy as np
import torch

from photodefect.core.network.compact import CompactTrunk, describe
from photodefect.core.network.registry import KINDS, build_network
from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.training.compact_samples import shared_channels


def test_it_has_a_column_of_the_right_classes_for_every_defect() -> None:
    for kind, defects in (("holistic", DEFECTS), ("patches", PATCH_DEFECTS)):
        network = build_network("lite0", kind).eval()  # type: ignore[arg-type]
        with torch.inference_mode():
            logits = network(torch.zeros(2, 3, 224, 224, dtype=torch.uint8))
        assert {key: tuple(value.shape) for key, value in logits.items()} == {
            defect.key: (2, defect.class_count) for defect in defects
        }


def test_the_trunk_gives_as_many_channels_as_it_says() -> None:
    for kind in KINDS:
        trunk = CompactTrunk(kind).eval()
        with torch.inference_mode():
            cells = trunk(torch.zeros(1, 3, 64, 96), torch.zeros(1, 3, 64, 96))
        assert tuple(cells.shape) == (1, trunk.outputs, 2, 3)


def test_what_patches_show_is_part_of_what_whole_photos_show() -> None:
    networks = {kind: build_network("lite0", kind).eval() for kind in KINDS}
    networks["patches"].trunk.load_state_dict(networks["holistic"].trunk.state_dict(), strict=False)
    pixels = torch.randint(256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, part = (networks[kind].features(pixels)[0] for kind in KINDS)
    torch.testing.assert_close(whole[shared_channels(networks["holistic"].trunk, networks["patches"].trunk)], part)


def test_descriptors_are_means_deviations_and_statistics_as_they_are() -> None:
    values = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))  # 5 positions of 6 channels
    pooled = torch.cat([values.mean(0), values.square().mean(0), torch.tensor([0.5, 0.25])]).reshape(1, -1, 1, 1)
    descriptors = describe(pooled, 6).flatten()
    np.testing.assert_allclose(descriptors[:6], values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(descriptors[6:12], values.numpy().std(0), atol=1e-2)
    assert descriptors[12:].tolist() == [0.5, 0.25]

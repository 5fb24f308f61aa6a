"""The authors' trained weights: two Caffe files become a model.

A ``.caffemodel`` is a serialized protocol buffer: a network's layers by name, each with its arrays ("blobs"). The
message types are described here with no more than the fields that are read; the parser skips all others.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.layers import ConvNorm
from photodefect.core.network.manifest import Manifest, Normalization
from photodefect.core.network.model import load_tensors
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import GOOGLENET_NORMALIZATION, Kind, build_network
from photodefect.defects import BY_KEY, DEFECTS
from photodefect.errors import ModelError
from photodefect.extras import require

Blobs = list[NDArray[np.float32]]
"""The arrays of one layer."""

_STEM: Final = {"conv1": "conv1/7x7_s2", "conv2_reduce": "conv2/3x3_reduce", "conv2": "conv2/3x3"}

_IN_BLOCK: Final = {
    "one.conv": "1x1",
    "three.reduce": "3x3_reduce",
    "three.conv": "3x3",
    "double_three.reduce": "double3x3_reduce",
    "double_three.conv_a": "double3x3a",
    "double_three.conv_b": "double3x3b",
    "pool.projection": "pool_proj",
}

_FULLY_CONNECTED: Final = {"hidden": "loss3_new/classifier", "classes": "loss3_new_new/classifier_2"}


class _Field(NamedTuple):
    """A field of a message: its number and type in the format, and whether it repeats."""

    name: str
    number: int
    kind: str
    repeated: bool = False
    packed: bool = False


# Names are read as bytes: the format allows any, and only those that we look for matter.
_MESSAGES: Final[dict[str, tuple[_Field, ...]]] = {
    "BlobShape": (_Field("dim", 1, "INT64", repeated=True, packed=True),),
    "BlobProto": (
        _Field("num", 1, "INT32"),
        _Field("channels", 2, "INT32"),
        _Field("height", 3, "INT32"),
        _Field("width", 4, "INT32"),
        _Field("data", 5, "FLOAT", repeated=True, packed=True),
        _Field("shape", 7, "BlobShape"),
        _Field("double_data", 8, "DOUBLE", repeated=True, packed=True),
    ),
    "LayerParameter": (_Field("name", 1, "BYTES"), _Field("blobs", 7, "BlobProto", repeated=True)),
    # What layers were called until 2014.
    "V1LayerParameter": (_Field("name", 4, "BYTES"), _Field("blobs", 6, "BlobProto", repeated=True)),
    "NetParameter": (
        _Field("layers", 2, "V1LayerParameter", repeated=True),
        _Field("layer", 100, "LayerParameter", repeated=True),
    ),
}


class _BlobShape(Protocol):
    dim: Sequence[int]


class _BlobProto(Protocol):
    """What the parser makes of a blob."""

    num: int
    channels: int
    height: int
    width: int
    shape: _BlobShape
    data: Sequence[float]
    double_data: Sequence[float]


@functools.cache
def _net_parameter() -> tuple[Any, type[Exception]]:
    """The class of the format's outermost message, and the error that its parser raises."""
    require("caffe", "google.protobuf", what="reading Caffe files", error=ModelError)
    descriptor_pb2 = importlib.import_module("google.protobuf.descriptor_pb2")
    descriptor_pool = importlib.import_module("google.protobuf.descriptor_pool")
    message_factory = importlib.import_module("google.protobuf.message_factory")
    message = importlib.import_module("google.protobuf.message")
    package = "photodefect.caffe"
    description = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package=package, syntax="proto2")
    types = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in _MESSAGES.items():
        described = description.message_type.add(name=message_name)
        for field in fields:
            label = types.LABEL_REPEATED if field.repeated else types.LABEL_OPTIONAL
            added = described.field.add(name=field.name, number=field.number, label=label)
            if field.kind in _MESSAGES:
                added.type = types.TYPE_MESSAGE
                added.type_name = f".{package}.{field.kind}"
            else:
                added.type = getattr(types, f"TYPE_{field.kind}")
            if field.packed:
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(description)
    found = pool.FindMessageTypeByName(f"{package}.NetParameter")
    return message_factory.GetMessageClass(found), message.DecodeError


def read_blobs(file: Path) -> dict[str, Blobs]:
    """Read the layers of a ``.caffemodel`` that have weights.

    Args:
        file: its path.

    Returns:
        The blobs of each layer by layer name, in the file's order.

    Raises:
        ModelError: the file can't be read, is not a caffemodel, or is damaged.
    """
    message_class, decode_error = _net_parameter()
    net = message_class()
    try:
        net.ParseFromString(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file}: can't be read: {error.strerror or error}") from error
    except decode_error as error:
        raise ModelError(f"{file}: not a caffemodel, or a damaged one") from error
    layers: dict[str, Blobs] = {}
    for layer in (*net.layer, *net.layers):
        if not layer.blobs:
            continue
        name = layer.name.decode("utf-8", "backslashreplace")
        if name in layers:
            raise ModelError(f"{file}: layer {name!r} is there twice")
        layers[name] = [_array(blob, file, name) for blob in layer.blobs]
    if not layers:
        raise ModelError(f"{file}: not a caffemodel with weights: it holds no layer that has any")
    return layers


def _array(blob: _BlobProto, file: Path, layer: str) -> NDArray[np.float32]:
    values = blob.data or blob.double_data
    # Files from before 2015 give every shape as four sides.
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    if any(side <= 0 for side in shape) or math.prod(shape) != len(values):
        raise ModelError(f"{file}: layer {layer!r} is damaged: {len(values)} values for a blob of shape {shape}")
    return np.fromiter(values, np.float32, len(values)).reshape(shape)


class _Layers:
    """The layers of one file, taken one after the other, each with the blobs it should have."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.blobs = read_blobs(file)

    def check_names(self, wanted: Sequence[str], kind: Kind) -> None:
        """Raise ModelError unless the file holds exactly the layers ``wanted``."""
        missing = [name for name in wanted if name not in self.blobs]
        extra = [name for name in self.blobs if name not in set(wanted)]
        for what, names in (("lacks", missing), ("has the unknown", extra)):
            if names:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                whole_frame = tuple(f"_{defect.caffe_suffix}" for defect in DEFECTS if not defect.in_patches)
                swapped = all(name.endswith(whole_frame) for name in names)
                hint = "; the holistic file comes first, then the patch file" if swapped else ""
                raise ModelError(
                    f"{self.file}: not the paper's {kind} network: it {what} layer {names[0]!r}{more}{hint}"
                )

    def take(self, name: str, *shapes: tuple[int, ...]) -> list[Tensor]:
        """The blobs of a layer, which must have these shapes; old files put ones before them."""
        blobs = self.blobs[name]
        if len(blobs) != len(shapes):
            raise ModelError(f"{self.file}: layer {name!r} has {len(blobs)} blobs, not {len(shapes)}")
        tensors = []
        for blob, shape in zip(blobs, shapes, strict=True):
            ones = len(blob.shape) - len(shape)
            if ones < 0 or blob.shape != (1,) * ones + shape:
                raise ModelError(f"{self.file}: layer {name!r} has a blob of shape {blob.shape}, not {shape}")
            if not np.isfinite(blob).all():
                raise ModelError(f"{self.file}: layer {name!r} holds something that is not a finite number")
            tensors.append(torch.from_numpy(blob.reshape(shape)))
        return tensors


class _CaffeName(NamedTuple):
    """A layer's name, and what a column appends to it and to the names of its normalization."""

    base: str
    suffix: str = ""

    @property
    def layer(self) -> str:
        return f"{self.base}{self.suffix}"

    @property
    def norm(self) -> str:
        return f"{self.base}/bn{self.suffix}"

    @property
    def scale(self) -> str:
        return f"{self.base}/bn/sc{self.suffix}"


def _convolutions(network: MultiColumnNetwork) -> Iterator[tuple[str, ConvNorm, _CaffeName]]:
    """Every convolution of the network: where it is, itself, and what Caffe calls it."""
    for path, module in network.named_modules():
        if not isinstance(module, ConvNorm):
            continue
        owner, _, rest = path.partition(".blocks.")
        if rest:
            block, _, layer = rest.partition(".branches.")
            suffix = "" if owner == "trunk" else "_" + BY_KEY[owner.removeprefix("columns.")].caffe_suffix
            yield path, module, _CaffeName(f"inception_{block}/{_IN_BLOCK[layer]}", suffix)
        else:
            yield path, module, _CaffeName(_STEM[path.removeprefix("trunk.stem.")])


def _fully_connected(network: MultiColumnNetwork) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Every fully connected layer: where it is, its outputs and inputs, and what Caffe calls it."""
    for defect in network.defects:
        column = network.column(defect.key)
        for part, base in _FULLY_CONNECTED.items():
            convolution = column.get_submodule(part)
            if isinstance(convolution, torch.nn.Conv2d):
                shape = (convolution.out_channels, convolution.in_channels)
                yield f"columns.{defect.key}.{part}", shape, f"{base}_{defect.caffe_suffix}"


def read_network(file: Path, kind: Kind) -> MultiColumnNetwork:
    """Make the paper's network with the weights of a ``.caffemodel``.

    Args:
        file: the authors' ``weights_holistic.caffemodel`` or ``weights_patch.caffemodel``.
        kind: which of the two it is.

    Returns:
        The network ("googlenet" of the registry), not folded.

    Raises:
        ModelError: the file is not a caffemodel, or a layer is missing, unknown, or of another shape. The message
            names the file and the layer.
    """
    layers = _Layers(file)
    network = build_network("googlenet", kind)
    convolutions, fully_connected = list(_convolutions(network)), list(_fully_connected(network))
    names = [name for *_, caffe in convolutions for name in (caffe.layer, caffe.norm, caffe.scale)]
    layers.check_names([*names, *(name for *_, name in fully_connected)], kind)
    tensors: dict[str, Tensor] = {}
    for path, module, caffe in convolutions:
        count = module.conv.out_channels
        (tensors[f"{path}.conv.weight"],) = layers.take(caffe.layer, tuple(module.conv.weight.shape))
        mean, variance, factor = layers.take(caffe.norm, (count,), (count,), (1,))
        # Caffe stores running sums and what to divide them by.
        share = 1 / float(factor) if float(factor) != 0 else 0.0
        if bool((variance * share < 0).any()):
            raise ModelError(f"{file}: layer {caffe.norm!r} holds a negative variance")
        tensors[f"{path}.norm.running_mean"] = mean * share
        tensors[f"{path}.norm.running_var"] = variance * share
        tensors[f"{path}.norm.weight"], tensors[f"{path}.norm.bias"] = layers.take(caffe.scale, (count,), (count,))
    for path, (outputs, inputs), name in fully_connected:
        weight, tensors[f"{path}.bias"] = layers.take(name, (outputs, inputs), (outputs,))
        tensors[f"{path}.weight"] = weight.reshape(outputs, inputs, 1, 1)
    load_tensors(network, tensors, file)
    return network


def manifest_for(files: Mapping[Kind, Path], name: str = "googlenet") -> Manifest:
    """The manifest of a model imported from these files; its version tells them by their SHA-256.

    Raises:
        ModelError: a file can't be read.
    """
    digest = hashlib.sha256()
    for file in files.values():
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise ModelError(f"{file}: can't be read: {error.strerror or error}") from error
    return Manifest(
        name=name,
        version=f"caffe-{digest.hexdigest()[:12]}",
        network="googlenet",
        normalization=Normalization.from_mapping(GOOGLENET_NORMALIZATION),
    )

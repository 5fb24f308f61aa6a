"""A small builder of ONNX graphs, and torch's layers as nodes of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from photodefect.core.network.layers import ConvNorm

OPSET: Final = 17
IR_VERSION: Final = 8
"""What ONNX Runtime reads since 1.13."""

ELSEWHERE: Final = "weights"
"""What stands for the file of a tensor that is given when the graph is run."""

Attribute: TypeAlias = int | float | str | list[int] | list[float]

Value: TypeAlias = str
"""A tensor in a graph, by its name."""


class Graph:
    """A graph in the making.

    Args:
        network: whose weights it will run with. They are not in the graph but named by it, as in the weights' file.
    """

    def __init__(self, network: nn.Module) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}
        self._names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
        self._weights: dict[str, onnx.TensorProto] = {}

    def constant(self, value: ArrayLike, dtype: type[np.generic] = np.float32) -> Value:
        """A tensor that never changes; equal ones are stored once."""
        array: NDArray[Any] = np.asarray(value, dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return self._constants[key].name

    def weight(self, tensor: Tensor) -> Value:
        """A tensor of the network, given when the graph is run."""
        return self.given(self._names[id(tensor)], tuple(tensor.shape))

    def given(self, name: str, shape: tuple[int, ...], data_type: int = TensorProto.FLOAT) -> Value:
        """A tensor that is given when the graph is run, by its name."""
        if name not in self._weights:
            place = onnx.StringStringEntryProto(key="location", value=ELSEWHERE)
            self._weights[name] = TensorProto(
                name=name, dims=shape, data_type=data_type, data_location=TensorProto.EXTERNAL, external_data=[place]
            )
        return name

    def __call__(self, op: str, *inputs: Value, **attributes: Attribute) -> Value:
        """Add a node of one output."""
        return self.many(op, inputs, 1, **attributes)[0]

    def many(self, op: str, inputs: Sequence[Value], outputs: int, **attributes: Attribute) -> list[Value]:
        """Add a node of several outputs."""
        name = f"{op}_{len(self._nodes)}"
        names = [name if outputs == 1 else f"{name}.{index}" for index in range(outputs)]
        node = helper.make_node(op, list(inputs), names, name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self._nodes.append(node)
        return names

    def model(self, inputs: onnx.ValueInfoProto, *results: tuple[Value, onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The whole of it.

        Args:
            inputs: what it takes.
            results: which values it gives, and as what.
        """
        for index, (value, result) in enumerate(results):
            name = f"result.{index}" if index else "result"
            self._nodes.append(helper.make_node("Identity", [value], [result.name], name))
        tensors = [*self._constants.values(), *self._weights.values()]
        graph = helper.make_graph(self._nodes, "photodefect", [inputs], [result for _, result in results], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="photodefect")
        model.ir_version = IR_VERSION
        return model

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors that the graph has to be given."""
        return tuple(self._weights)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the network's tensors that the graph names."""
        return {name: tuple(self._weights[name].dims) for name in self._names.values() if name in self._weights}


def chain(graph: Graph, layers: nn.Module, x: Value) -> Value:
    """One torch layer after the other."""
    for layer in layers.children():
        x = layer_of(graph, layer, x)
    return x


def layer_of(graph: Graph, layer: nn.Module, x: Value) -> Value:
    """A torch layer as nodes.

    Raises:
        TypeError: there is no rule for it.
    """
    for kind, rule in _RULES.items():
        if isinstance(layer, kind):
            return rule(graph, layer, x)
    raise TypeError(f"no rule makes a graph of {type(layer).__name__}")


def convolution(
    graph: Graph,
    conv: nn.Conv2d,
    x: Value,
    extra_padding: tuple[int, int, int, int] | None = None,
    weight: Value | None = None,
) -> Value:
    """A convolution; ``extra_padding`` is (left, right, top, bottom), ``weight`` stands for its own."""
    down, across = (int(side) for side in conv.padding)
    left, right, top, bottom = extra_padding or (0, 0, 0, 0)
    weights = [graph.weight(conv.weight) if weight is None else weight]
    if conv.bias is not None:
        weights.append(graph.weight(conv.bias))
    return graph(
        "Conv",
        x,
        *weights,
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=[down + top, across + left, down + bottom, across + right],
        group=conv.groups,
    )


def conv_norm(graph: Graph, layer: ConvNorm, x: Value, weight: Value | None = None) -> Value:
    """Convolution, batch normalisation (which ONNX Runtime merges into it when it loads the graph), activation.

    ``weight`` stands for that of the convolution.
    """
    x = convolution(graph, layer.conv, x, layer.extra_padding, weight)
    norm = layer.norm
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        vectors = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        x = graph("BatchNormalization", x, *(graph.weight(it) for it in vectors), epsilon=norm.eps)
    return layer_of(graph, layer.activation, x)


def _pool(graph: Graph, pool: nn.MaxPool2d | nn.AvgPool2d, x: Value) -> Value:
    kernel, stride, padding = (
        [side, side] if isinstance(side, int) else list(side) for side in (pool.kernel_size, pool.stride, pool.padding)
    )
    shape: dict[str, Attribute] = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": padding * 2,
        "ceil_mode": int(pool.ceil_mode),
    }
    if isinstance(pool, nn.MaxPool2d):
        return graph("MaxPool", x, **shape)
    return graph("AveragePool", x, count_include_pad=int(pool.count_include_pad), **shape)


_RULES: Final[Mapping[type[nn.Module], Callable[[Graph, Any, Value], Value]]] = {
    ConvNorm: conv_norm,
    nn.Conv2d: convolution,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    nn.ReLU6: lambda graph, _, x: graph("Clip", x, graph.constant(0.0), graph.constant(6.0)),
    nn.ReLU: lambda graph, _, x: graph("Relu", x),
    nn.Identity: lambda _graph, _layer, x: x,
    nn.Dropout: lambda _graph, _layer, x: x,
    nn.Sequential: chain,
}

"""The authors' Caffe files: what they compute is what the imported model computes.

No trained file may be copied here, so the tests write their own: random weights on the released definition, encoded
by hand in the wire format of protocol buffers, and the same definition as an ONNX graph in Caffe's semantics, run by
ONNX Runtime. Neither shares a line with the code under test.
"""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from photodefect.cli import app
from photodefect.cli.import_caffe import import_caffe
from photodefect.core.network import caffe_import
from photodefect.core.network.caffe_import import read_blobs, read_network
from photodefect.core.network.model import load_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.engines import choose_engine
from photodefect.errors import DataError, ModelError

Array = NDArray[np.float32]

# The wire format: https://protobuf.dev/programming-guides/encoding/


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def blob(values: Array, legacy: bool = False) -> bytes:
    data = chunk(5, values.astype("<f4").tobytes())
    if legacy:
        sides = (1,) * (4 - values.ndim) + values.shape
        return b"".join(number(field, side) for field, side in enumerate(sides, 1)) + data
    return data + chunk(7, chunk(1, b"".join(varint(side) for side in values.shape)))


def layer(name: str, kind: str, blobs: list[Array], legacy: bool = False) -> bytes:
    """A layer with some of the fields that a reader has to skip: bottom, top, rates, phase, convolution settings."""
    content = chunk(1, name.encode()) + chunk(2, kind.encode()) + chunk(3, b"below") + chunk(4, name.encode())
    content += chunk(6, varint(3 << 3 | 5) + struct.pack("<f", 1.0)) + number(10, 1)
    content += b"".join(chunk(7, blob(values, legacy)) for values in blobs)
    return chunk(100, content + chunk(106, number(1, 64)))


class Definition:
    """The released definition, layer by layer: as Caffe's weights and as an ONNX graph at once."""

    def __init__(self, seed: int, suffixes: list[str], legacy: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        self.legacy = legacy
        self.caffe: list[bytes] = [chunk(1, b"DefectNet"), layer("data", "Input", [])]
        self.names: list[str] = []
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[str] = []
        self._whole(suffixes)

    def constant(self, values: Array) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, kind: str, *inputs: str, **settings: int | float | list[int]) -> str:
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))  # type: ignore[arg-type]
        return name

    def weights(self, name: str, kind: str, *blobs: Array) -> None:
        self.names.append(name)
        self.caffe.append(layer(name, kind, list(blobs), self.legacy))

    def normal(self, *shape: int) -> Array:
        return self.random.standard_normal(shape, dtype=np.float32)

    def uniform(self, low: float, high: float, count: int) -> Array:
        return self.random.uniform(low, high, count).astype(np.float32)

    def convolution(
        self, below: str, name: str, inputs: int, outputs: int, kernel: int, stride: int = 1, suffix: str = ""
    ) -> str:
        first = name.startswith("conv1")
        filters = self.normal(outputs, inputs, kernel, kernel) * np.float32(np.sqrt(2 / (inputs * kernel * kernel)))
        # What a moving average holds: sums over about a thousand steps, and their number. The first layer sees 0..255.
        spread = 100.0 if first else 1.0
        factor = np.array([999.982], np.float32)
        mean = self.normal(outputs) * np.float32(0.2 * spread) * factor
        variance = self.uniform(0.7, 1.4, outputs) * np.float32(spread**2) * factor
        scale, shift = self.uniform(0.7, 1.3, outputs), self.normal(outputs) * np.float32(0.2)
        if name == "inception_4b/3x3":
            # A layer that was never averaged: Caffe reads a factor of zero as a mean and a variance of zero.
            factor = np.zeros(1, np.float32)
            scale *= np.float32(1e-5**0.5)
        self.weights(name + suffix, "Convolution", filters)
        self.weights(f"{name}/bn{suffix}", "BatchNorm", mean, variance, factor)
        self.weights(f"{name}/bn/sc{suffix}", "Scale", scale, shift)
        self.caffe.append(layer(f"{name}/relu{suffix}", "ReLU", []))
        share = 0.0 if factor[0] == 0 else 1 / float(factor[0])
        pad = kernel // 2
        out = self.node("Conv", below, self.constant(filters), strides=[stride] * 2, pads=[pad] * 4)
        ones, zeros = np.ones(outputs, np.float32), np.zeros(outputs, np.float32)
        stored = [self.constant(values) for values in (ones, zeros, mean * np.float32(share), variance * share)]
        out = self.node("BatchNormalization", out, *stored, epsilon=1e-5)
        out = self.node("Mul", out, self.constant(scale.reshape(-1, 1, 1)))
        return self.node("Relu", self.node("Add", out, self.constant(shift.reshape(-1, 1, 1))))

    def halve(self, below: str) -> str:
        # Rounding up: on an even side, one more row and column at the far edges.
        return self.node("MaxPool", below, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])

    def average(self, below: str) -> str:
        return self.node("AveragePool", below, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)

    def block(self, below: str, row: str, suffix: str = "") -> str:
        """One line of the definition: inputs | 1x1 | 3x3 | double 3x3 | pool."""
        label, inputs_text, *branches = row.split()
        inputs, name = int(inputs_text), f"inception_{label}"
        one, three, double, pool = ([] if cell == "-" else cell.split(",") for cell in branches)
        stride = 2 if pool == ["halve"] else 1
        out = []
        if one:
            out.append(self.convolution(below, f"{name}/1x1", inputs, int(one[0]), 1, suffix=suffix))
        if three:
            reduced, wide = map(int, three)
            x = self.convolution(below, f"{name}/3x3_reduce", inputs, reduced, 1, suffix=suffix)
            out.append(self.convolution(x, f"{name}/3x3", reduced, wide, 3, stride, suffix))
        reduced, first, second = map(int, double)
        x = self.convolution(below, f"{name}/double3x3_reduce", inputs, reduced, 1, suffix=suffix)
        x = self.convolution(x, f"{name}/double3x3a", reduced, first, 3, suffix=suffix)
        out.append(self.convolution(x, f"{name}/double3x3b", first, second, 3, stride, suffix))
        if stride == 2:
            out.append(self.halve(below))
        else:
            kind, projection = pool
            pooled = (
                self.average(below)
                if kind == "ave"
                else self.node("MaxPool", below, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
            )
            out.append(self.convolution(pooled, f"{name}/pool_proj", inputs, int(projection), 1, suffix=suffix))
        return self.node("Concat", *out, axis=1)

    def fully_connected(self, below: str, name: str, inputs: int, outputs: int, gain: float) -> str:
        matrix = self.normal(outputs, inputs) * np.float32(gain / np.sqrt(inputs))
        bias = self.normal(outputs) * np.float32(0.3)
        self.weights(name, "InnerProduct", matrix, bias)
        return self.node("Gemm", below, self.constant(matrix), self.constant(bias), transB=1)

    def _whole(self, suffixes: list[str]) -> None:
        x = self.halve(self.convolution("bgr", "conv1/7x7_s2", 3, 64, 7, 2))
        x = self.convolution(x, "conv2/3x3_reduce", 64, 64, 1)
        x = self.halve(self.convolution(x, "conv2/3x3", 64, 192, 3))
        for row in (
            "3a 192 64 64,64 64,96,96 ave,32",
            "3b 256 64 64,96 64,96,96 ave,64",
            "3c 320 - 128,160 64,96,96 halve",
            "4a 576 224 64,96 96,128,128 ave,128",
            "4b 576 192 96,128 96,128,128 ave,128",
            "4c 576 160 128,160 128,160,160 ave,96",
            "4d 576 96 128,192 160,192,192 ave,96",
            "4e 576 - 128,192 192,256,256 halve",
        ):
            x = self.block(x, row)
        for suffix in suffixes:
            column = self.block(x, "5a 1024 352 192,320 160,224,224 ave,128", suffix)
            column = self.block(column, "5b 1024 88 - 192,224,56 max,32", suffix)
            column = self.node("Flatten", self.node("AveragePool", column, kernel_shape=[7, 7]))
            column = self.fully_connected(column, f"loss3_new/classifier{suffix}", 176, 128, 1)
            classes = 21 if suffix == "_badSaturation" else 11
            # Apart enough for probabilities that tell classes and photos from each other.
            column = self.fully_connected(
                self.node("Relu", column), f"loss3_new_new/classifier_2{suffix}", 128, classes, 1
            )
            self.caffe.append(layer(f"softmax{suffix}", "Softmax", []))
            self.outputs.append(self.node("Softmax", column, axis=1))

    def write(self, file: Path) -> None:
        with file.open("wb") as stream:
            stream.writelines(self.caffe)

    def softmax(self, bgr: Array) -> list[Array]:
        """Probabilities (N, K) of every column."""
        graph = helper.make_graph(
            self.nodes,
            "caffe",
            [helper.make_tensor_value_info("bgr", TensorProto.FLOAT, [None, 3, 224, 224])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return list(session.run(self.outputs, {"bgr": bgr}))


SUFFIXES = {
    "bad_exposure": "_badExposure",
    "bad_white_balance": "_badWhiteBalance",
    "bad_saturation": "_badSaturation",
    "noise": "_noise",
    "haze": "_haze",
    "undesired_blur": "_undesiredBlur",
    "bad_composition": "_badComposition",
}
IN_PATCHES = [suffix for suffix in SUFFIXES.values() if suffix != "_badComposition"]


def photos() -> NDArray[np.uint8]:
    """Two unlike pictures (2, 3, 224, 224), RGB: noise on a warm ramp, and noise on cold stripes."""
    random = np.random.default_rng(11)
    ramp = np.linspace(0, 1, 224)
    warm = np.stack([np.tile(ramp * top, (224, 1)) for top in (250, 160, 60)])
    cold = np.stack([np.tile((np.sin(40 * ramp) > 0) * top, (224, 1)).T for top in (30, 120, 240)])
    noisy = np.stack([warm, cold]) + random.normal(0, 40, (2, 3, 224, 224))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of a hundred megabytes, emptied at once and not kept with other tests' folders."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_an_imported_model_gives_caffes_probabilities(scratch: Path) -> None:
    holistic = Definition(1, list(SUFFIXES.values()))
    patches = Definition(2, IN_PATCHES, legacy=True)
    files = scratch / "weights_holistic.caffemodel", scratch / "weights_patch.caffemodel"
    holistic.write(files[0])
    patches.write(files[1])
    import_caffe(*files, output=scratch / "authors")
    model = load_model(scratch / "authors")
    rgb = photos()
    mean = np.array([97.36, 104.61, 109.47], np.float32).reshape(3, 1, 1)
    for definition, network in ((holistic, model.holistic), (patches, model.patches)):
        reference = definition.softmax(rgb[:, ::-1].astype(np.float32) - mean)
        with torch.inference_mode():
            logits = network(torch.from_numpy(rgb))
        assert [SUFFIXES[key] for key in logits] == [suffix for suffix in SUFFIXES.values() if suffix in IN_PATCHES] + (
            ["_badComposition"] if definition is holistic else []
        )
        for wanted, (key, ours) in zip(reference, logits.items(), strict=True):
            np.testing.assert_allclose(ours.softmax(1).numpy(), wanted, rtol=0, atol=1e-4, err_msg=key)
            # A comparison of flat or saturated distributions would show nothing.
            assert 2 / wanted.shape[1] < wanted.max() < 0.9999
            assert np.abs(wanted[0] - wanted[1]).max() > 0.01
    engine = choose_engine(scratch / "authors", engine="onnx").open()
    networks: tuple[tuple[Kind, MultiColumnNetwork], ...] = (("holistic", model.holistic), ("patches", model.patches))
    for kind, network in networks:
        with torch.inference_mode():
            severities = network.severities(torch.from_numpy(rgb))
        for key, scores in engine.scores(kind, rgb.transpose(0, 2, 3, 1)).items():
            np.testing.assert_allclose(scores, severities[key].numpy(), rtol=0, atol=1e-3, err_msg=key)


# What is wrong with a file


def tiny(names: list[str], legacy: bool = False) -> bytes:
    """Layers of these names with one blob of one number each."""
    return b"".join(layer(name, "Convolution", [np.ones(1, np.float32)], legacy) for name in names)


@pytest.fixture(scope="module")
def names() -> list[str]:
    return Definition(3, list(SUFFIXES.values())).names


def write(folder: Path, content: bytes) -> Path:
    file = folder / "weights.caffemodel"
    file.write_bytes(content)
    return file


def test_a_missing_layer_is_named(tmp_path: Path, names: list[str]) -> None:
    file = write(tmp_path, tiny([name for name in names if name != "inception_5b/double3x3b/bn/sc_haze"]))
    with pytest.raises(ModelError, match=r"weights\.caffemodel: .*lacks layer 'inception_5b/double3x3b/bn/sc_haze'$"):
        read_network(file, "holistic")


def test_an_extra_layer_is_named(tmp_path: Path, names: list[str]) -> None:
    file = write(tmp_path, tiny([*names, "loss1/conv"]))
    with pytest.raises(ModelError, match=r"weights\.caffemodel: .*unknown layer 'loss1/conv'$"):
        read_network(file, "holistic")


def test_swapped_files_are_told(tmp_path: Path, names: list[str]) -> None:
    whole = write(tmp_path, tiny(names))
    with pytest.raises(ModelError, match=r"patches network.*Composition.*the holistic file comes first"):
        read_network(whole, "patches")
    without = write(tmp_path, tiny([name for name in names if not name.endswith("badComposition")]))
    with pytest.raises(ModelError, match=r"holistic network.*Composition.*the holistic file comes first"):
        read_network(without, "holistic")


FILTERS = np.zeros((64, 3, 7, 7), np.float32)
VECTOR = np.ones(64, np.float32)
ONE = np.ones(1, np.float32)
NAN = np.full(64, np.nan, np.float32)


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        ([[FILTERS.reshape(64, 3, 49)]], r"'conv1/7x7_s2' has a blob of shape \(64, 3, 49\), not \(64, 3, 7, 7\)"),
        ([[FILTERS[:32]]], r"'conv1/7x7_s2' has a blob of shape \(32, 3, 7, 7\)"),
        ([[FILTERS, VECTOR]], r"'conv1/7x7_s2' has 2 blobs, not 1"),
        ([[FILTERS], [VECTOR, VECTOR]], r"'conv1/7x7_s2/bn' has 2 blobs, not 3"),
        ([[FILTERS], [VECTOR, VECTOR, VECTOR]], r"'conv1/7x7_s2/bn' has a blob of shape \(64,\), not \(1,\)"),
        ([[FILTERS], [VECTOR, -VECTOR, ONE]], r"'conv1/7x7_s2/bn' holds a negative variance"),
        ([[FILTERS], [VECTOR, VECTOR, ONE], [VECTOR, ONE]], r"'conv1/7x7_s2/bn/sc' has a blob of shape \(1,\)"),
        ([[FILTERS], [NAN, VECTOR, ONE]], r"'conv1/7x7_s2/bn' holds something that is not a finite number"),
    ],
)
def test_a_wrong_layer_is_named(tmp_path: Path, names: list[str], blobs: list[list[Array]], message: str) -> None:
    given = dict(zip(("conv1/7x7_s2", "conv1/7x7_s2/bn", "conv1/7x7_s2/bn/sc"), blobs, strict=False))
    content = b"".join(layer(name, "Layer", given[name]) if name in given else tiny([name]) for name in names)
    with pytest.raises(ModelError, match=rf"weights\.caffemodel: layer {message}"):
        read_network(write(tmp_path, content), "holistic")


def test_a_layer_that_is_there_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="layer 'a' is there twice"):
        read_blobs(write(tmp_path, tiny(["a", "b", "a"])))


def test_a_blob_with_fewer_values_than_its_shape_is_named(tmp_path: Path) -> None:
    short = chunk(5, struct.pack("<f", 1.0)) + chunk(7, chunk(1, varint(2) + varint(3)))
    content = chunk(100, chunk(1, b"fc") + chunk(7, short))
    with pytest.raises(ModelError, match=r"'fc' is damaged: 1 values for a blob of shape \(2, 3\)"):
        read_blobs(write(tmp_path, content))
    negative = chunk(5, struct.pack("<2f", 1, 2)) + chunk(7, chunk(1, varint(-1) + varint(-2)))
    with pytest.raises(ModelError, match="'fc' is damaged"):
        read_blobs(write(tmp_path, chunk(100, chunk(1, b"fc") + chunk(7, negative))))


def test_older_ways_to_store_numbers_are_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    unpacked = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in values.flat)
    doubles = chunk(8, values.astype("<f8").tobytes())
    shape = chunk(7, chunk(1, varint(2) + varint(3)))
    in_2014 = chunk(2, chunk(3, b"top") + chunk(4, b"old") + number(5, 14) + chunk(6, blob(values, legacy=True)))
    content = (
        chunk(100, chunk(1, b"unpacked") + chunk(7, unpacked + shape))
        + chunk(100, chunk(1, b"doubles") + chunk(7, doubles + shape))
        + in_2014
    )
    read = read_blobs(write(tmp_path, content))
    assert set(read) == {"unpacked", "doubles", "old"}
    for blobs in read.values():
        assert blobs[0].dtype == np.float32
        np.testing.assert_array_equal(blobs[0].reshape(2, 3), values)


@pytest.mark.parametrize("content", [b"", b"not a caffemodel\n", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04"])
def test_a_file_that_is_no_caffemodel_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"weights\.caffemodel: not a caffemodel"):
        read_blobs(write(tmp_path, content))


def test_a_truncated_caffemodel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights\.caffemodel: not a caffemodel, or a damaged one"):
        read_blobs(write(tmp_path, tiny(["a", "b"])[:-3]))


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda inner: chunk(100, inner)))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = write(tmp_path_factory.getbasetemp(), content)
    try:
        layers = read_blobs(file)
    except ModelError:
        return
    assert all(layers.values())


def test_without_protobuf_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caffe_import._net_parameter.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ModelError, match=r'pip install "photodefect\[caffe\]"'):
        read_blobs(write(tmp_path, tiny(["a"])))


# The command


def test_the_command_refuses_what_it_would_overwrite(tmp_path: Path) -> None:
    file = write(tmp_path, tiny(["a"]))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"model is there already.*--force"):
        import_caffe(file, file, output=tmp_path / "model")
    with pytest.raises(DataError, match="is a file"):
        import_caffe(file, file, output=file)


@pytest.mark.parametrize(("given", "code", "message"), [("there", 4, "lacks layer"), ("missing", 2, "no such file")])
def test_the_command_says_what_is_wrong_and_exits_with_its_code(
    tmp_path: Path, given: str, code: int, message: str
) -> None:
    (tmp_path / "there").write_bytes(tiny(["a"]))
    result = CliRunner().invoke(
        app, ["import-caffe", str(tmp_path / given), str(tmp_path / given), "-o", str(tmp_path / "model")]
    )
    assert result.exit_code == code
    assert message in result.stderr
    assert not (tmp_path / "model").exists()

#!/bin/bash
# ONNX Runtime 1.32.0, left at its defaults, drops the coarser of two quantizations in a row: a picture of four levels has all of them.
#
# Expected before running it: what the graph says, and what onnx's own evaluator finds. Its documents call the optimizations of the basic
# level "semantics-preserving"; an optimized graph may differ in the last bits of a float.
# Seen: a graph that rounds light to steps of a quarter, and hands it on in steps of 1/255, gives 0.4 for 0.4 instead of 0.5, and one
# that splits at a half gives 0.4 for 0 and 0.6 for 1. Both pairs of QuantizeLinear and DequantizeLinear are made one that has the range
# of both and 255 steps, whichever comes first. With optimizations switched off, or a Relu between the pairs, all is right. So a network
# that was trained to look at rounded or posterized pixels, or to tell banding, gets smooth ones.
#
# What photodefect does: its graphs quantize nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

print("onnxruntime", onnxruntime.__version__)
light = np.linspace(0, 1, 11, dtype=np.float32)[None]
FINE = 1 / 255


def graph_of(first, second, between=None):
    """A model that rounds to steps of ``first``, then of ``second``, from 0 up."""
    constants, nodes, value = [numpy_helper.from_array(np.uint8(0), "zero")], [], "light"
    for number, step in enumerate((first, second)):
        if number and between:
            nodes.append(helper.make_node(between, [value], ["between"]))
            value = "between"
        constants.append(numpy_helper.from_array(np.float32(step), f"step{number}"))
        whole, value_next = f"whole{number}", "rounded" if number else "coarse"
        nodes.append(helper.make_node("QuantizeLinear", [value, f"step{number}", "zero"], [whole]))
        nodes.append(helper.make_node("DequantizeLinear", [whole, f"step{number}", "zero"], [value_next]))
        value = value_next
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 11]) for name in ("light", "rounded")]
    graph = helper.make_graph(nodes, "rounding", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)


def found(model, level=None):
    options = onnxruntime.SessionOptions()
    if level is not None:
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"light": light})[0]


LEVELS = onnxruntime.GraphOptimizationLevel
as_written = True
for name, steps in {"quarters": (0.25, FINE), "quarters last": (FINE, 0.25), "halves": (1.0, FINE)}.items():
    model = graph_of(*steps)
    told = ReferenceEvaluator(model).run(None, {"light": light})[0]
    unchanged = found(model, LEVELS.ORT_DISABLE_ALL)
    basic, default = found(model, LEVELS.ORT_ENABLE_BASIC), found(model)
    apart = found(graph_of(*steps, between="Relu"))
    for what, values in (("as told", told), ("by default", default)):
        print(f"{name} {what}: {values[0].round(2).tolist()}")
    as_written = as_written and np.allclose(unchanged, told, atol=1e-6) and np.allclose(apart, told, atol=1e-6)
    as_written = as_written and np.allclose(basic, light, atol=0.003) and np.allclose(default, light, atol=0.003)
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON

#!/bin/bash
# ONNX Runtime 1.32.0 takes a NumPy array whose numbers have the other order of bytes, and computes with the bytes as they lie.
#
# Expected before running it: an error, as torch.from_numpy gives ("byte order different from the native byte order"), or the
# array converted, as NumPy does wherever it computes.
# Seen: neither. A model that only passes its input on gives 256 for 1, 512 for 2 and 11265 for 300; floats become nearly 0. The array
# is one that tifffile.memmap gives for a TIFF of big-endian numbers, so that the same photo, saved by two programs, has two results.
#
# What photodefect does: the arrays that it gives to ONNX Runtime are made from its own eight-bit pixels, in the machine's order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 tifffile==2026.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import tifffile
from onnx import TensorProto, helper

print("onnxruntime", onnxruntime.__version__, "on a machine of", sys.byteorder, "endian numbers")
KINDS = {"uint16": TensorProto.UINT16, "float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def passed_on(values):
    """What a model of one Identity makes of an array."""
    kind = KINDS[values.dtype.name]
    ends = [helper.make_tensor_value_info(name, kind, [None, None]) for name in ("given", "got")]
    graph = helper.make_graph([helper.make_node("Identity", ["given"], ["got"])], "same", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"given": values})[0]


as_written = True
for name in KINDS:
    values = np.array([[1, 2, 300]], name)
    other = values.astype(values.dtype.newbyteorder("S"))
    assert np.array_equal(values, other)
    own, swapped = passed_on(values), passed_on(other)
    print(name, values.tolist(), "->", own.tolist(), "and of the other order ->", swapped.tolist())
    as_written = as_written and np.array_equal(own, values) and np.array_equal(swapped, values.byteswap())
pixels = np.array([[1000, 2000, 3000]], np.uint16)
for order in "<>":
    tifffile.imwrite("a.tif", pixels, byteorder=order, photometric="minisblack")
    read = tifffile.memmap("a.tif", mode="r")
    print("a TIFF of", order, "numbers:", read.dtype.str, read.tolist(), "->", passed_on(read).tolist())
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON

"""ONNX Runtime with its telemetry off: all other modules take it from here.

Its Linux wheel (1.32.0) reports on its use to a host of its maker's, and keeps a number for the device in the home
folder, unless the environment forbids it before the library is loaded. No call afterwards stops it: a program that
imports onnxruntime itself before photodefect has to set the variable itself.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]

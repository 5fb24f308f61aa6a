"""ONNX Runtime with its telemetry off, and with memory that all its sessions share: other modules take it from here.

Its Linux wheel (1.32.0) reports on its use to a host of its maker's, and keeps a number for the device in the home
folder, unless the environment forbids it before the library is loaded. No call afterwards stops it: a program that
imports onnxruntime itself before photodefect has to set the variable itself.
"""

from __future__ import annotations

import os
from functools import cache

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime", "session_options"]


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options of a session on a processor.

    Args:
        threads: that compute at once in a call.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for work by spinning take it away from others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What one session leaves is still in the processor's cache when the next one takes it.
    _share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _share_memory() -> None:
    arena, usual = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    place = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, usual)
    onnxruntime.create_and_register_allocator(place, None)

"""Weight files, read and checked without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import SafetensorError

from photodefect.core.network.manifest import MANIFEST_FILE
from photodefect.errors import ModelError

_DTYPES: Final = {"F64": np.float64, "F32": np.float32, "F16": np.float16}

Shape = tuple[int, ...]


def read_weights(file: Path, sha256: str) -> bytes:
    """The bytes of a weight file. They are read once: what is checked is what is used.

    Raises:
        ModelError: the file is missing, unreadable, or doesn't have that SHA-256.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{file}: missing; the model is incomplete, install it again") from error
    except OSError as error:
        raise ModelError(f"{file}: can't be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"{file}: damaged: its SHA-256 is not the one in {MANIFEST_FILE}; install or copy the model again"
        )
    return data


def parse_weights(data: bytes, shapes: Mapping[str, Shape], file: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a safetensors file, in single precision.

    Args:
        data: the file's bytes.
        shapes: what tensors there must be.
        file: named in errors.

    Raises:
        ModelError: the file isn't whole, or its tensors are not those.
    """
    try:
        stored = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{file}: not a whole safetensors file: {error}") from error
    check_shapes(shapes, {name: tuple(it["shape"]) for name, it in stored.items()}, file)
    tensors = {}
    for name, it in stored.items():
        if it["dtype"] == "BF16":  # the upper half of single precision
            tensor = (np.frombuffer(it["data"], "<u2").astype(np.uint32) << 16).view(np.float32)
        elif it["dtype"] in _DTYPES:
            tensor = np.frombuffer(it["data"], _DTYPES[it["dtype"]]).astype(np.float32)
        else:
            raise not_finite(file, name)
        if not np.isfinite(tensor).all():
            raise not_finite(file, name)
        tensors[name] = tensor.reshape(it["shape"])
    return tensors


def check_shapes(wanted: Mapping[str, Shape], there: Mapping[str, Shape], source: Path | str) -> None:
    """Refuse tensors that are not those of a network.

    Raises:
        ModelError: one is missing, unknown or of another shape. The message names ``source`` and the tensor.
    """
    for what, names in (("lacks", _missing(wanted, there)), ("has the unknown", _missing(there, wanted))):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(f"{source}: weights of another network: it {what} tensor {names[0]!r}{more}")
    for name, shape in wanted.items():
        if there[name] != shape:
            raise ModelError(
                f"{source}: weights of another network: tensor {name!r} has shape {there[name]}, not {shape}"
            )


def not_finite(source: Path | str, name: str) -> ModelError:
    """What is raised for a tensor that holds anything else than finite numbers."""
    return ModelError(f"{source}: tensor {name!r} holds something that is not a finite number")


def _missing(wanted: Iterable[str], there: Mapping[str, Shape]) -> list[str]:
    return [name for name in wanted if name not in there]

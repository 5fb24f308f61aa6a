"""Finding, joining and leaving the Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from photodefect.errors import DataError

LOCAL: Final = "local"
AUTO: Final = "auto"

_REACH_S: Final = 5.0
_LOCAL_STORE_BYTES: Final = 256 * 1024**2
"""Only paths and rows go through Ray's object store."""


@contextmanager
def joined(address: str, *, verbose: bool = False) -> Iterator[str]:
    """Be part of a Ray cluster for the block.

    Args:
        address: ``HOST:PORT`` of the head node; ``auto`` for the cluster that this machine is part of, or one on its
            own cores if it is part of none; ``local`` for the latter in any case.
        verbose: let Ray talk.

    Yields:
        What it is, for people.

    Raises:
        DataError: there is no cluster at the address.
    """
    # A cluster that is started here reports nothing about its use to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not verbose:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # Ray prints what happens to its workers; stdout is for data.
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")  # what Ray warns of is meant for those who write programs for it
        import ray  # noqa: PLC0415  an extra, and slow to import
        import ray.data  # noqa: PLC0415

        named = os.environ.get("RAY_ADDRESS", AUTO) if address == AUTO else address
        if named not in (LOCAL, AUTO):
            _reach(named)
        settings: dict[str, Any] = {
            "log_to_driver": verbose,
            "logging_level": logging.INFO if verbose else logging.CRITICAL,
        }
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(settings["logging_level"])
        with contextlib.nullcontext() if verbose else _silent_stderr():
            address = _join(address, settings)
        try:
            nodes = [node for node in ray.nodes() if node["Alive"]]
            machines = "1 machine" if len(nodes) == 1 else f"{len(nodes)} machines"
            where = "Ray on this machine" if address == LOCAL else f"the Ray cluster {address}"
            yield f"{where}: {int(ray.cluster_resources().get('CPU', 0))} cores of {machines}"
        finally:
            ray.shutdown()


def _join(address: str, settings: dict[str, Any]) -> str:
    """Join a cluster, or start one.

    Returns:
        The address, :data:`LOCAL` if one was started.
    """
    import ray  # noqa: PLC0415

    local = settings | {
        "include_dashboard": False,
        "object_store_memory": _LOCAL_STORE_BYTES,
        # Nobody else on the network is asked in.
        "_node_ip_address": "127.0.0.1",
    }
    try:
        if address != LOCAL:
            try:
                ray.init(address=address, **settings)
            except ConnectionError:
                if address != AUTO or "RAY_ADDRESS" in os.environ:
                    raise
            else:
                return address
        ray.init(address=LOCAL, **local)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reasons = [str(it) for it in (error, error.__cause__) if it is not None]
        detail = " ".join(" ".join(reasons).split())
        raise DataError(f"the Ray cluster {address} can't be joined: {detail}") from error
    return LOCAL


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Nothing reaches stderr: that its log level was set is what Ray's core says there in spite of its log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _reach(address: str) -> None:
    """Find out at once that nobody is at an address: Ray itself tries for minutes, and then ends the program."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not host or not port.isdigit():
        raise DataError(f"{address!r} is not the address of a Ray cluster; give HOST:PORT, auto or local")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"no Ray cluster answers at {address}: {reason}") from error

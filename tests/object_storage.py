"""An S3-compatible object storage on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

moto = pytest.importorskip("moto.server")


@contextmanager
def object_storage() -> Iterator[str]:
    """Runs while it is entered; gives its URL."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()

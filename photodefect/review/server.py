"""The server of the page: on this machine's loopback address alone, at a free port."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from waitress.server import create_server

from photodefect.errors import DataError
from photodefect.review.access import HOST, Access

_THREADS: Final = 8
"""Requests answered at once. A browser makes six at a time; some of them wait for a photo to be decoded."""

_BUFFER: Final = 64 * 1024**2
"""Bytes of an answer that may wait in memory; waitress would put longer ones into files."""


class Server:
    """Listens from when it is made, and answers once it is started.

    Args:
        port: 0 for a free one.

    Raises:
        DataError: the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind((HOST, port))
        except OSError as error:
            self._socket.close()
            raise DataError(f"port {port} can't be used: {error.strerror or error}. Give another by --port") from error
        self.access = Access(self._socket.getsockname()[1])
        self._server: Any = None
        self._thread: threading.Thread | None = None

    def start(self, app: Callable[..., Any]) -> None:
        """Answer requests by a WSGI application, in threads of its own."""
        # Somebody else's connection that says nothing is no news for people.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = create_server(
            app,
            sockets=[self._socket],
            threads=_THREADS,
            ident="photodefect",
            max_request_body_size=8 * 1024**2,
            outbuf_overflow=_BUFFER,
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._run, name="review server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self._server.run()
        except OSError:  # closed while it waited
            return

"""Forbids the network to a Python process that has this folder on its PYTHONPATH, and to the processes it starts.

Loopback is forbidden like any other address; what stays are sockets that lie in the file system or have no name, by
which processes of one machine talk. A test imports this file to have the same in its own process.
"""

from __future__ import annotations

import sys
from typing import Any

FORBIDDEN = ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")

active = True
attempts: list[str] = []


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what reaches beyond this machine's file system."""
    if not active or event not in FORBIDDEN:
        return
    local = event in ("socket.bind", "socket.connect") and isinstance(arguments[1], (str, bytes))
    if not local:
        attempts.append(f"{event}{arguments[1:]}")
        raise RuntimeError(f"{event}: no network here")


sys.addaudithook(forbid)

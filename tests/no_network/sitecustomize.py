"""Forbids the network to a Python process that has this folder on its PYTHONPATH, and to the processes it starts.

Loopback is forbidden like any other address; what stays are sockets that lie in the file system or have no name, by
which processes of one machine talk. A test imports this file to have the same in its own process.
"""

from __future__ import annotations

import sys
from typing import Any

FORBIDDEN = ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")

active = True
may_listen = False
"""Whether loopback may be listened at; nothing may connect to it all the same."""

attempts: list[str] = []


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what reaches beyond this machine's file system."""
    if not active or event not in FORBIDDEN:
        return
    if may_listen and event == "socket.bind" and arguments[1][0] == "127.0.0.1":
        return
    if may_listen and event == "socket.getaddrinfo" and arguments[0] == "0.0.0.0":  # a number asks nobody
        return
    local = event in ("socket.bind", "socket.connect") and isinstance(arguments[1], (str, bytes))
    if not local:
        attempts.append(f"{event}{arguments[1:]}")
        raise RuntimeError(f"{event}: no network here")


sys.addaudithook(forbid)

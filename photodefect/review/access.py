"""Who may use the page: the browser that was given the address, and no other page or machine.

The server listens on this machine's loopback address alone. That keeps out other machines, but neither other people who
work on this one nor pages of the internet that the browser shows. A key in the address, which is good for one use,
is changed into a cookie; and a request that names another host (a name that somebody's server makes point here), or
comes from another page, is refused whatever it brings along.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import Final

from werkzeug.wrappers import Request, Response

HOST: Final = "127.0.0.1"

KEY: Final = "key"
"""The part of the address that holds the key."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer has; pictures may be kept for a while."""

_STRANGER: Final = (
    "This page is only for the browser that photodefect opened.\n\n"
    "Each address works once. Press Enter where photodefect review runs: it shows a new one.\n"
)


class Access:
    """Decides who may use a server.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.origin = f"http://{HOST}:{port}"
        self._hosts = frozenset((f"{HOST}:{port}", f"localhost:{port}"))
        self._origins = frozenset(f"http://{host}" for host in self._hosts)
        # Cookies heed no port: two reviews at a time need two names.
        self._cookie = f"photodefect-{port}"
        self._session = secrets.token_urlsafe(32)
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def address(self) -> str:
        """A new address of the page; it can be used once."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._keys.add(key)
        return f"{self.origin}/?{KEY}={key}"

    def answer(self, request: Request) -> Response | None:
        """The answer to one who may not ask, or who brings a key; None to one who may."""
        if request.environ.get("HTTP_HOST") not in self._hosts:
            return Response("This is not the address of this server.\n", 421)
        origin = request.headers.get("Origin")
        foreign = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if foreign or (origin is not None and origin not in self._origins):
            return Response("Other pages may not use this one.\n", 403)
        if request.method not in ("GET", "HEAD") and origin is None:
            return Response("Only the page itself may change anything.\n", 403)
        admitted = self._admit(request)
        if admitted is not None:
            return admitted
        if not hmac.compare_digest(request.cookies.get(self._cookie, "").encode(), self._session.encode()):
            return Response(_STRANGER, 403)
        return None

    def _admit(self, request: Request) -> Response | None:
        """The page's own address, with the cookie, to one whose key is good; the key isn't from now on."""
        key = request.args.get(KEY)
        if request.method != "GET" or request.path != "/" or key is None:
            return None
        with self._lock:
            if key not in self._keys:
                return None
            self._keys.discard(key)
        rest = "&".join(part for part in request.query_string.decode().split("&") if not part.startswith(f"{KEY}="))
        answer = Response("", 303, {"Location": f"/?{rest}" if rest else "/"})
        # A week, so that a browser that was killed finds back; the server and its session end before.
        answer.set_cookie(self._cookie, self._session, max_age=7 * 86400, httponly=True, samesite="Strict")
        return answer

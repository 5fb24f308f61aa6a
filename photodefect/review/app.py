"""The server's answers: the page and its scripts, records, pictures, marks, and what is exported."""

from __future__ import annotations

import json
import logging
import mimetypes
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import BadRequest, Conflict, HTTPException, NotFound, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from photodefect.errors import DataError, PhotodefectError, PhotoError, TransferError
from photodefect.printable import printable
from photodefect.review.access import HEADERS, Access
from photodefect.review.export import FORMATS, Exporter
from photodefect.review.marks import LABELS

if TYPE_CHECKING:
    from photodefect.review.pictures import PictureMaker
    from photodefect.review.shoot import Shoot

ROWS: Final = 2000
"""Entries that one answer has at most."""

MOST_BODY: Final = 4 * 1024**2
"""Bytes of a request: the numbers of some hundred thousand photos."""

_OF_THE_REPORT: Final = {
    "report.css": "report.css",
    "theme.js": "theme.js",
    "wording.js": "shared/wording.js",
    "address.js": "shared/address.js",
    "cards.js": "shared/cards.js",
}
"""What the page shares with the report, and where it lies among the report's templates; the rest is its own."""

_KEPT: Final = "private, max-age=3600, immutable"
"""For pictures: their addresses change when the file does."""

_STATUS: Final = {PhotoError: 410, DataError: 409, TransferError: 507}
"""What HTTP calls errors; the page shows their messages."""

_log = logging.getLogger(__name__)

_SHARED: Final = (
    Rule("/", endpoint="page"),
    Rule("/assets/<name>", endpoint="asset"),
    Rule("/api/photo/<int:number>/sharpest", endpoint="sharpest"),
    Rule("/picture/<int:number>/<kind>", endpoint="picture"),
)
_AT_ONCE: Final = frozenset(("page", "asset"))
"""What is answered before photos are there."""

_REVIEW: Final = (
    Rule("/api/about", endpoint="about"),
    Rule("/api/photos", endpoint="photos"),
    Rule("/api/bursts", endpoint="bursts"),
    Rule("/api/news", endpoint="news"),
    Rule("/api/photo/<int:number>", endpoint="photo"),
    Rule("/api/photo/<int:number>/maps", endpoint="maps"),
    Rule("/map/<int:number>/<key>", endpoint="map"),
    Rule("/api/mark", endpoint="mark", methods=["POST"]),
    Rule("/api/export", endpoint="export", methods=["POST"]),
)


class PageApp:
    """A page with photos as a WSGI application.

    The page itself and its assets are answered from the start, so that a browser loads them while photos are still
    being prepared; every other question waits for :meth:`show`.

    Args:
        access: who may ask.
        page: the asset that is the page itself.
        rules: what is answered beside the page, its assets and pictures; each by the method of its endpoint's name.
    """

    pictures: PictureMaker
    _path_of: Callable[[int], str]

    def __init__(self, access: Access, *, page: str, rules: Iterable[Rule]) -> None:
        self._access = access
        self._start = page
        self._urls = Map([rule.empty() for rule in (*_SHARED, *rules)])
        self._settled = threading.Event()
        self._over = False

    def show(self, pictures: PictureMaker, path_of: Callable[[int], str]) -> None:
        """Answer whatever is asked from now on.

        Args:
            pictures: makes them.
            path_of: the file of a photo by its number; an IndexError if there is none.
        """
        self.pictures, self._path_of = pictures, path_of
        self._settled.set()

    def close(self) -> None:
        """Let those who wait go without an answer."""
        self._over = True
        self._settled.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:  # noqa: ANN401  WSGI
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = MOST_BODY
        response = self._access.answer(request) or self._answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            endpoint, values = self._urls.bind_to_environ(request.environ).match()
            if endpoint not in _AT_ONCE:
                self._wait()
            answer: Response = getattr(self, f"_{endpoint}")(request, **values)
        except HTTPException as error:
            answer = told(error.description or "", error.code or 500)
        except IndexError:
            answer = told("There is no such photo.", 404)
        except PhotodefectError as error:
            status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
            answer = told(str(error), status)
        except Exception as error:  # noqa: BLE001  the page must hear of whatever it is; the log has where
            _log.debug("unexpected error at %s", request.path, exc_info=True)
            answer = told(f"unexpected error: {type(error).__name__}: {error}", 500)
        return answer

    def _wait(self) -> None:
        self._settled.wait()
        if self._over:
            raise ServiceUnavailable("The review is over.")

    def _page(self, _request: Request) -> Response:
        return _asset(self._start)

    def _asset(self, _request: Request, name: str) -> Response:
        return _asset(name)

    def _sharpest(self, _request: Request, number: int) -> Response:
        return as_answer(self.pictures.sharpest(self._path_of(number)))

    def _picture(self, _request: Request, number: int, kind: str) -> Response:
        try:
            return _picture(self.pictures.picture(self._path_of(number), kind), "image/jpeg")
        except KeyError:
            raise NotFound from None


class ReviewApp(PageApp):
    """The review.

    Args:
        access: who may ask.
    """

    _shoot: Shoot

    def __init__(self, access: Access) -> None:
        super().__init__(access, page="review.html", rules=_REVIEW)
        self._exporter = Exporter()

    def review(self, shoot: Shoot, pictures: PictureMaker) -> None:
        """Answer whatever is asked about photos from now on.

        Args:
            shoot: the photos.
            pictures: makes their pictures.
        """
        self._shoot = shoot
        self.show(pictures, shoot.path)

    def _about(self, _request: Request) -> Response:
        return as_answer(self._shoot.about())

    def _photos(self, request: Request) -> Response:
        return as_answer(self._shoot.rows(max(0, request.args.get("from", 0, int)), ROWS))

    def _bursts(self, _request: Request) -> Response:
        return as_answer(self._shoot.bursts())

    def _news(self, _request: Request) -> Response:
        return as_answer(self._shoot.news())

    def _photo(self, _request: Request, number: int) -> Response:
        return as_answer(self._shoot.detail(number))

    def _maps(self, _request: Request, number: int) -> Response:
        return as_answer(self.pictures.maps(self._shoot.path(number)))

    def _map(self, _request: Request, number: int, key: str) -> Response:
        try:
            return _picture(self.pictures.map_picture(self._shoot.path(number), key), "image/png")
        except KeyError:
            raise NotFound from None

    def _mark(self, request: Request) -> Response:
        body = body_of(request)
        return as_answer(self._shoot.mark(_numbers(body), _fields(body)))

    def _export(self, request: Request) -> Response:
        body = body_of(request)
        kind = body.get("format")
        if not isinstance(kind, str) or kind not in FORMATS:
            raise BadRequest(f"there is no format {kind!r}")
        if self._shoot.selection is None:
            raise Conflict("not all photos are looked at yet; export when they are")
        name, data = self._exporter.export(kind, self._shoot, _numbers(body))
        response = Response(data, mimetype="text/plain" if name.endswith(".txt") else "text/csv")
        response.headers.set("Content-Disposition", "attachment", filename=name)
        return response


def _asset(name: str) -> Response:
    shared = _OF_THE_REPORT.get(name)
    own = resources.files("photodefect.review") / "assets" / name
    file = own if shared is None else resources.files("photodefect.reports.html") / "templates" / shared
    if "/" in name or "\\" in name or not file.is_file():
        raise NotFound
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(file.read_bytes(), content_type=f"{kind}; charset=utf-8")


def _picture(data: bytes, kind: str) -> Response:
    return Response(data, mimetype=kind, headers={"Cache-Control": _KEPT})


def as_answer(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Response(text, status, mimetype="application/json")


def told(message: str, status: int) -> Response:
    """What went wrong, for people; the page shows it."""
    return as_answer({"error": printable(message)}, status)


def body_of(request: Request) -> Mapping[str, Any]:
    """The object that a request of the page holds.

    Raises:
        BadRequest: it is none.
    """
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadRequest("this is not a request of the page")
    return body


def _numbers(body: Mapping[str, Any]) -> list[int]:
    numbers = body.get("photos")
    if not isinstance(numbers, list) or not all(type(number) is int and number >= 0 for number in numbers):
        raise BadRequest("photos are told by their numbers")
    return numbers


def _fields(body: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a mark that are to change.

    Raises:
        BadRequest: there is none, or a value can't be one.
    """
    allowed: dict[str, Callable[[object], bool]] = {
        "flag": lambda value: value in (None, "pick", "reject"),
        "stars": lambda value: type(value) is int and 0 <= value <= 5,
        "label": lambda value: value is None or value in LABELS,
    }
    fields = {name: body[name] for name in allowed if name in body}
    for name, value in fields.items():
        if not allowed[name](value):
            raise BadRequest(f"{name} can't be {value!r}")
    if not fields:
        raise BadRequest("no mark was given")
    return fields

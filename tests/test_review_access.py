"""Who may use the page of a review: one browser, by one key, and no other page or machine."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import Client

from photodefect.review.access import Access
from photodefect.review.app import ReviewApp

PORT = 4711
ORIGIN = f"http://127.0.0.1:{PORT}"


class Photos:
    """Stands for a shoot: what is asked of it is noted."""

    selection = None

    def __init__(self) -> None:
        self.marked: list[Any] = []

    def path(self, number: int) -> str:
        raise IndexError(number)

    def about(self) -> dict[str, str]:
        return {"title": "Photos"}

    def mark(self, numbers: list[int], fields: dict[str, object]) -> dict[int, object]:
        self.marked.append((numbers, fields))
        return {}

    def detail(self, number: int) -> dict[str, object]:
        raise IndexError(number)


@pytest.fixture
def access() -> Access:
    return Access(PORT)


@pytest.fixture
def photos() -> Photos:
    return Photos()


@pytest.fixture
def browser(access: Access, photos: Photos) -> Client:
    """A browser without the key."""
    return Client(app_of(access, photos))


def app_of(access: Access, photos: Photos) -> ReviewApp:
    app = ReviewApp(access)
    app.review(photos, None)  # type: ignore[arg-type]
    return app


def ask(browser: Client, path: str, **options: Any) -> Any:
    return browser.open(path, base_url=options.pop("base_url", ORIGIN), **options)


def key_of(access: Access) -> str:
    return access.address().partition("?")[2]


@pytest.fixture
def admitted(browser: Client, access: Access) -> Client:
    assert ask(browser, f"/?{key_of(access)}").status_code == 303
    return browser


def test_the_key_is_changed_into_a_cookie_that_no_script_and_no_other_page_gets(
    browser: Client, access: Access
) -> None:
    answer = ask(browser, f"/?{key_of(access)}&mark=pick")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?mark=pick")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"photodefect-{PORT}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert ask(browser, "/api/about").json == {"title": "Photos"}


def test_a_key_works_once(browser: Client, access: Access, photos: Photos) -> None:
    key = key_of(access)
    assert ask(browser, f"/?{key}").status_code == 303
    other = Client(app_of(access, photos))
    answer = ask(other, f"/?{key}")
    assert answer.status_code == 403
    assert "Each address works once" in answer.text
    assert ask(browser, f"/?{key}").status_code == 200, "whoever has the cookie may reload the address"


@pytest.mark.parametrize("path", ["/", "/?key=", "/?key=wrong", "/api/about", "/assets/review.js", "/picture/0/full"])
def test_without_key_and_cookie_there_is_nothing(browser: Client, path: str) -> None:
    assert ask(browser, path).status_code == 403


def test_a_wrong_cookie_is_none(browser: Client) -> None:
    browser.set_cookie(f"photodefect-{PORT}", "guess", domain="127.0.0.1")
    assert ask(browser, "/api/about").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80"])
def test_another_name_for_this_machine_is_refused_even_with_the_cookie(admitted: Client, host: str) -> None:
    assert ask(admitted, "/api/about", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{PORT + 1}"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_a_foreign_page_changes_nothing_even_with_the_cookie(
    admitted: Client, photos: Photos, headers: dict[str, str]
) -> None:
    body = {"photos": [0], "flag": "reject"}
    assert ask(admitted, "/api/mark", method="POST", json=body, headers=headers).status_code == 403
    assert photos.marked == []
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert ask(admitted, "/api/mark", method="POST", json=body, headers=own).status_code == 200
    assert photos.marked == [([0], {"flag": "reject"})]


def test_the_page_and_its_scripts_are_answered_before_photos_are_known_and_all_else_once_they_are(
    access: Access, photos: Photos
) -> None:
    app = ReviewApp(access)
    browser = Client(app)
    assert ask(browser, f"/?{key_of(access)}").status_code == 303
    assert ask(browser, "/").text.startswith("<!doctype html>")
    assert ask(browser, "/assets/review.js").status_code == 200
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, browser, "/api/about")
        app.review(photos, None)  # type: ignore[arg-type]
        assert waiting.result().json == {"title": "Photos"}


def test_whoever_waits_for_photos_when_the_review_ends_is_told(access: Access) -> None:
    app = ReviewApp(access)
    browser = Client(app)
    assert ask(browser, f"/?{key_of(access)}").status_code == 303
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, browser, "/api/about")
        app.close()
        assert (waiting.result().status_code, waiting.result().json) == (503, {"error": "The review is over."})


def test_nothing_that_computes_is_imported_before_the_page_is_opened() -> None:
    # Importing numpy, Pillow and what is built on them takes a fifth of a second, in which a browser can load the page.
    program = "import sys, photodefect.cli.review, photodefect.cli.limits, photodefect.cli.photo_list, "
    program += "photodefect.ranking.profiles.locations, photodefect.diagnosis.diagnoser, photodefect.review.app, "
    program += "photodefect.review.server; print(*{'numpy', 'PIL', 'scipy', 'torch', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_foreign_page_gets_no_key_accepted_and_sees_no_picture(browser: Client, access: Access) -> None:
    key = key_of(access)
    assert ask(browser, f"/?{key}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ask(browser, f"/?{key}").status_code == 303
    assert ask(browser, "/picture/0/thumbnail", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_every_answer_forbids_what_the_page_does_not_need(admitted: Client) -> None:
    for path in ("/", "/api/about", "/nothing", "/assets/review.css"):
        headers = ask(admitted, path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        {"photos": [0]},
        {"photos": [0], "stars": 6},
        {"photos": [0], "stars": True},
        {"photos": [0], "flag": "keep"},
        {"photos": [0], "label": "Purple"},
        {"photos": [-1], "stars": 1},
        {"photos": ["/etc/passwd"], "stars": 1},
        {"photos": 0, "stars": 1},
        [],
    ],
)
def test_what_is_no_mark_is_refused(admitted: Client, photos: Photos, body: object) -> None:
    answer = ask(admitted, "/api/mark", method="POST", json=body, headers={"Origin": ORIGIN})
    assert answer.status_code == 400
    assert answer.json["error"]
    assert photos.marked == []


@pytest.mark.parametrize("path", ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/none.js", "/api/photo/9", "/x"])
def test_there_is_nothing_beside_what_the_page_has(admitted: Client, path: str) -> None:
    assert ask(admitted, path).status_code == 404

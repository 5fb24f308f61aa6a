"""Object storage: keys that are no usual paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

s3fs = pytest.importorskip("s3fs")

from object_storage import object_storage  # noqa: E402

from photodefect.distributed.storage import ResultsFolder, find, local_copy  # noqa: E402
from photodefect.photos.places import Kind  # noqa: E402


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An S3-compatible server on this machine; its URL."""
    with object_storage() as url:
        yield url


@pytest.fixture
def bucket(store: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What writes into a bucket called shoot."""
    settings = {
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fs = s3fs.S3FileSystem(use_listings_cache=False)
    if not fs.exists("shoot"):
        fs.mkdir("shoot")
    return fs


def contents(url: str) -> bytes:
    with local_copy(url) as path:
        return Path(path).read_bytes()


def test_signs_in_keys_are_part_of_the_name(bucket: Any) -> None:
    keys = ["a::b.jpg", "simplecache::x.jpg", "q?x=1.jpg", "h#1.jpg", "50%25.jpg", "50%.jpg", "s*r.jpg", "[1].jpg"]
    keys += ["{c}.jpg", "+.jpg", "a b.jpg", "ü.jpg", "~t.jpg", "zip::in/y.jpg", "q?in/z.jpg"]
    for key in keys:
        bucket.pipe_file(f"shoot/signs/{key}", key.encode())
    found = list(find(["s3://shoot/signs"]))
    assert sorted(found) == sorted(f"s3://shoot/signs/{key}" for key in keys)
    assert [contents(url) for url in found] == [url.removeprefix("s3://shoot/signs/").encode() for url in found]
    results = ResultsFolder("s3://shoot/signs/zip::out")
    results.write("part", b"of it")
    assert (results.names(), results.read("part")) == ({"part"}, b"of it")


def test_photos_below_two_slashes_in_a_row_are_found_by_the_same_rules(bucket: Any) -> None:
    keys = [
        "a.jpg",
        "/b.jpg",
        "/in/c.jpg",
        "in//d.jpg",
        "/in/skip.jpg",
        "/.hidden/e.jpg",
        "/.f.jpg",
        "/$RECYCLE.BIN/g.jpg",
    ]
    for key in [*keys, "/notes.txt"]:
        bucket.pipe_file(f"shoot/slashes/{key}", key.encode())
    told: list[tuple[str, Kind]] = []
    found = list(
        find(
            ["s3://shoot/slashes"],
            exclude=["skip.jpg"],
            on_passed_over=lambda path, kind: told.append((path.name, kind)),
        )
    )
    assert sorted(found) == [f"s3://shoot/slashes/{key}" for key in ("/b.jpg", "/in/c.jpg", "a.jpg", "in//d.jpg")]
    assert [contents(url) for url in sorted(found)] == [b"/b.jpg", b"/in/c.jpg", b"a.jpg", b"in//d.jpg"]
    assert sorted(told) == [("g.jpg", Kind.RECYCLE_BIN), ("skip.jpg", Kind.EXCLUDED)]


def test_a_storage_behind_another_is_reached_through_it(bucket: Any) -> None:
    bucket.pipe_file("shoot/plain/a.jpg", b"a")
    assert contents("simplecache::s3://shoot/plain/a.jpg") == b"a"

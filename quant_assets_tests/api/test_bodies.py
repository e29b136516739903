"""Bodies that are too large, too slow, or of an unclear size."""

from collections.abc import Iterator

import pytest

from quant_assets.api.limits import BodyLimits
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.guarded_app import guarded_app
from quant_assets_tests.support.served_app import exchange, served, status_of

MOST, SECONDS = 1000, 0.4


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("bodies"))
    with Lake(settings.lake_dir) as lake:
        lake.snapshot_id()
    app = guarded_app(settings)
    app.add_middleware(BodyLimits, most_bytes=MOST, most_seconds=SECONDS)
    with served(app) as number:
        yield number


def head(port: int, *lines: str) -> bytes:
    first = ["POST /predict/a HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def chunks(*sizes: int) -> list[bytes]:
    return [f"{size:x}\r\n".encode() + b"x" * size + b"\r\n" for size in sizes]


def test_a_body_of_the_allowed_size_is_answered(port: int) -> None:
    answer = exchange(port, head(port, f"Content-Length: {MOST}"), b"x" * MOST)
    assert status_of(answer) == 200
    assert answer.endswith(b"x" * MOST)
    answer = exchange(port, head(port, "Transfer-Encoding: chunked"), *chunks(500, 500, 0))
    assert status_of(answer) == 200


def test_a_body_that_says_that_it_is_too_large_is_not_waited_for(port: int) -> None:
    answer = exchange(port, head(port, f"Content-Length: {MOST + 1}"))
    assert status_of(answer) == 413
    assert b"application/problem+json" in answer
    assert b"at most 1000 bytes" in answer


def test_a_body_that_turns_out_too_large_is_refused(port: int) -> None:
    answer = exchange(port, head(port, "Transfer-Encoding: chunked"), *chunks(900, 900, 900))
    assert status_of(answer) == 413


@pytest.mark.parametrize("lines", [["Content-Length: 900"], ["Transfer-Encoding: chunked"]])
def test_a_body_that_comes_too_slowly_is_given_up(port: int, lines: list[str]) -> None:
    slow = [b"1\r\nx\r\n"] * 30
    answer = exchange(port, head(port, *lines), *slow, pause=0.1)
    assert status_of(answer) in {0, 408}
    silent = exchange(port, head(port, *lines))
    assert status_of(silent) == 408
    assert b"came too slowly" in silent


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: nan"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 99999999999999999999999999"],
    ],
)
def test_a_body_of_unclear_size_is_refused(port: int, lines: list[str]) -> None:
    assert status_of(exchange(port, head(port, *lines), b"hello", b"0\r\n\r\n")) in {400, 413}


def test_what_follows_a_body_is_a_request_of_its_own(port: int) -> None:
    """Bytes after a short body are no part of it, and get no more rights than any request."""
    smuggled = b"GET /read/b HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    first = head(port, "Content-Length: 2").replace(b"Connection: close\r\n", b"")
    answers = exchange(port, first, b"hi" + smuggled)
    assert status_of(answers) == 200
    assert answers.count(b"HTTP/1.1 401") == 1

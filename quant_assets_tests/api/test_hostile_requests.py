"""Requests that pretend to come from elsewhere, or are no proper requests."""

import re
from collections.abc import Iterator

import anyio
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.api import protocol
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.guarded_app import Guarded, guarded_app, open_guarded
from quant_assets_tests.support.served_app import exchange, served, status_of


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A guarded application with a key."""
    with open_guarded(tmp_path_factory.mktemp("keyed")) as guarded:
        guarded.key("operate")
        yield guarded


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a guarded application behind a real server, in whose lake is no key."""
    chosen = Settings(data_dir=tmp_path_factory.mktemp("served"))
    with Lake(chosen.lake_dir) as lake:
        lake.snapshot_id()
    with served(guarded_app(chosen)) as number:
        yield number


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A guarded application without a server, in whose lake is no key."""
    chosen = Settings(data_dir=tmp_path_factory.mktemp("open"))
    with Lake(chosen.lake_dir) as lake:
        lake.snapshot_id()
    return guarded_app(chosen)


def request(port: int, target: str, *lines: str, host: str | None = None) -> int:
    """Send a GET byte by byte; return the status of the answer."""
    named = f"Host: {host or f'127.0.0.1:{port}'}"
    head = "\r\n".join([f"GET {target} HTTP/1.1", named, "Connection: close", *lines, "", ""])
    return status_of(exchange(port, head.encode("latin-1")))


ORIGINS: list[tuple[str, dict[str, str], int]] = [
    ("127.0.0.1", {}, 200),
    ("127.8.9.1", {"Host": "localhost:8000"}, 200),
    ("::1", {"Host": "[::1]:8000"}, 200),
    ("::ffff:127.0.0.1", {}, 200),
    ("10.0.0.7", {}, 401),
    ("::ffff:10.0.0.7", {}, 401),
    ("10.0.0.7", {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}, 401),
    ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
    ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
    ("127.0.0.1", {"Via": "1.1 proxy"}, 401),
    ("127.0.0.1", {"Host": "evil.example"}, 401),
    ("127.0.0.1", {"Host": "localhost.evil.example"}, 401),
    ("127.0.0.1", {"Host": "127.0.0.1.evil.example:8000"}, 401),
    ("127.0.0.1", {"Host": "127.0.0.1@evil.example"}, 401),
    ("127.0.0.1", {"Host": "evil.example@127.0.0.1"}, 401),
    ("127.0.0.1", {"Host": ""}, 401),
    ("127.0.0.1", {"Host": "[::1"}, 401),
    ("127.0.0.1", {"Origin": "http://evil.example"}, 401),
    ("127.0.0.1", {"Origin": "null"}, 401),
    ("127.0.0.1", {"Origin": "http://127.0.0.1"}, 200),
    ("127.0.0.1", {"Origin": "http://127.0.0.1:3000"}, 401),
    ("127.0.0.1", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 401),
    ("127.0.0.1", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
    ("127.0.0.1", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
]
"""Addresses and headers of requests, and the status of the answer while there are no keys."""


def test_without_keys_only_programs_of_this_machine_are_answered(open_app: FastAPI) -> None:
    async def ask() -> list[tuple[str, dict[str, str], int]]:
        async with open_app.router.lifespan_context(open_app):
            return [
                (address, headers, await ask_from(address, headers))
                for address, headers, _ in ORIGINS
            ]

    async def ask_from(address: str, headers: dict[str, str]) -> int:
        transport = httpx.ASGITransport(open_app, client=(address, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get("/read/a", headers=headers)).status_code

    assert anyio.run(ask) == ORIGINS


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "x-api-key",
                "authorization",
                "host",
                "origin",
                "cookie",
                "forwarded",
                "sec-fetch-site",
            ]
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=80),
    )
)
def test_no_header_opens_a_server_with_keys(keyed: Guarded, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = keyed.client.get("/read/a", headers=raw)
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize(
    ("lines", "host", "status"),
    [
        ([], None, 200),
        ([], "evil.example", 401),
        (["Host: evil.example"], None, 401),
        (["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https"], None, 401),
        (["X-API-Key: a", "X-API-Key: b"], None, 401),
        (["X-API-Key: a\tb"], None, 401),
        (["X-API-Key: \x00"], None, 400),
        (["X-API-Key: a\nX-Injected: b"], None, 401),
        (["X-API-Key: caf\xe9"], None, 401),
        (["X-API-Key : qa"], None, 400),
        ([" folded: x"], None, 400),
    ],
)
def test_odd_headers_open_nothing(
    port: int, lines: list[str], host: str | None, status: int
) -> None:
    assert request(port, "/read/a", *lines, host=host) in {status, 400}


@pytest.mark.parametrize(
    "line",
    ["X-API-Key: " + "q" * 500_000, "\r\n".join(f"X-{n}: {n}" for n in range(20_000))],
    ids=["one", "many"],
)
@pytest.mark.parametrize("pieces", [1, 50])
def test_oversized_headers_are_refused(port: int, line: str, pieces: int) -> None:
    head = f"GET /read/a HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{line}\r\n\r\n"
    size = len(head) // pieces
    parts = [head[i : i + size].encode() for i in range(0, len(head), size)]
    # A connection that is closed while the client still sends may lose the answer.
    assert status_of(exchange(port, *parts)) in {0, 400}
    assert request(port, "/read/a") == 200


def test_an_endless_path_is_refused(port: int) -> None:
    assert request(port, "/read/" + "a" * 60_000) == 200
    assert request(port, "/read/" + "a" * 70_000) in {0, 400}


def test_a_request_that_begins_too_slowly_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.3)
    slow = [b"G", b"E", b"T", *[b" "] * 20]
    assert exchange(port, *slow, pause=0.1) == b""
    assert exchange(port, b"") == b""
    assert request(port, "/read/a") == 200


@pytest.mark.parametrize(
    "target",
    [
        "/read/../operate",
        "/read/%2e%2e/%2e%2e/etc/passwd",
        "/read/..%2f..%2fetc%2fpasswd",
        "/read/%00",
        "/read/%ff%fe",
        "/read//etc/passwd",
        "//evil.example/read/a",
        "http://evil.example/read/a",
        "/read/%0d%0aX-Injected:%20b",
    ],
)
def test_odd_paths_are_only_names(port: int, target: str) -> None:
    answer = exchange(
        port,
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode(),
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(answer) in {200, 401, 404, 405}
    assert b"root:" not in body
    assert not re.search(rb"^x-injected", head, re.MULTILINE | re.IGNORECASE)

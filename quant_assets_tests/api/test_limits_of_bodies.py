"""Bodies that are too large, or come too slowly."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request

from quant_assets.api.limits import BodyLimits
from quant_assets.api.problems import add_problem_handlers
from quant_assets_tests.support.served_app import exchange, served, status_of

MOST = 2000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = FastAPI()

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/parsed")
    async def parsed(numbers: list[int]) -> int:
        return len(numbers)

    add_problem_handlers(app)
    app.add_middleware(BodyLimits, most_bytes=MOST, most_seconds=0.5)
    with served(app) as port:
        yield port


def pieces(size: int) -> Iterator[bytes]:
    """A body of a size that no header names."""
    yield b"["
    yield b"1," * (size // 2 - 2)
    yield b"11]"


@pytest.mark.parametrize("path", ["/raw", "/parsed"])
@pytest.mark.parametrize("named", [True, False])
def test_a_body_beyond_the_limit_is_refused(port: int, path: str, named: bool) -> None:
    def status(size: int) -> int:
        content = b"".join(pieces(size)) if named else pieces(size)
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(f"http://127.0.0.1:{port}{path}", content=content, headers=headers)
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["expected"] == f"at most {MOST} bytes"
        return answer.status_code

    assert status(MOST) == 200
    assert status(MOST + 2) == 413
    assert status(100 * MOST) == 413


def test_a_slow_body_is_refused(port: int) -> None:
    head = b"POST /raw HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n"
    answer = exchange(port, head + b"1", b"2", b"3", pause=0.4)
    assert status_of(answer) == 408
    assert b"the body came too slowly" in answer


def test_a_body_in_time_is_read(port: int) -> None:
    lines = (
        b"POST /raw HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    )
    assert status_of(exchange(port, lines + b"1", b"2", pause=0.1)) == 200

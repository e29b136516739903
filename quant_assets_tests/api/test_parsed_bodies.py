"""A body beyond the limit is refused as such where FastAPI reads it, which hides other errors."""

import json
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from quant_assets.api.limits import BodyLimits
from quant_assets.api.problems import add_problem_handlers
from quant_assets_tests.support.served_app import served

MOST = 2000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = FastAPI()

    @app.post("/")
    async def count(numbers: list[int]) -> int:
        return len(numbers)

    add_problem_handlers(app)
    app.add_middleware(BodyLimits, most_bytes=MOST)
    with served(app) as port:
        yield port


@pytest.mark.parametrize("named", [True, False], ids=["Content-Length", "chunked"])
def test_a_body_beyond_the_limit_is_refused(port: int, named: bool) -> None:
    def send(numbers: int) -> httpx.Response:
        body = json.dumps([1] * numbers).encode()
        content = body if named else (body[i : i + 100] for i in range(0, len(body), 100))
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"http://127.0.0.1:{port}/", content=content, headers=headers)

    assert send(MOST // 4).json() == MOST // 4
    refused = send(MOST)
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["expected"] == f"at most {MOST} bytes"

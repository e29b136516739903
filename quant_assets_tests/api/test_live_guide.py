"""The examples of the page about the running server work."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_assets_tests.support.api_server import serve
from quant_assets_tests.support.installation import Installation

PAGE = Path(__file__).parents[2] / "docs" / "live.md"
HOST = "127.0.0.1:8000"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def host(loaded: Installation) -> Iterator[str]:
    with serve(loaded.settings) as server:
        yield server.url.removeprefix("http://")


def test_the_stream_can_be_read_with_curl(host: str) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if "/stream" in line]
    assert len(lines) == 2
    answers = [
        subprocess.check_output(["sh", "-ec", line.replace(HOST, host)], text=True)
        for line in lines
    ]
    assert all(answer.startswith("event: start\ndata: ") for answer in answers)
    assert "event: forecast\n" in answers[1]


def test_the_websocket_can_be_read_with_python(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks("python")
    exec(compile(block.replace(HOST, host), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.split() == ["start", "forecast"]

"""The examples of the page about the prediction API work."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.installation import Installation

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:8000"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def server(loaded: Installation) -> Iterator[ApiServer]:
    with serve(loaded.settings) as server:
        yield server


def test_every_request_is_answered_as_the_page_says(server: ApiServer) -> None:
    requests = [block for block in blocks("sh") if "curl" in block]
    assert requests
    for block in requests:
        for line in block.strip().splitlines():
            command = line.replace(ADDRESS, server.url)
            answer = subprocess.check_output(["sh", "-ec", command], text=True)
            assert ("urn:quant-assets" in answer) == line.endswith("2023-12-24"), line


def test_the_python_example(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("python"):
        exec(compile(block.replace(ADDRESS, server.url), "docs/api.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:2] == ["2023-12-29", "published"]
    assert "404 the nearest are 2023-12-22 and 2023-12-25" in printed

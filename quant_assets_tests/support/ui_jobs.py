"""The jobs that ``quant-assets ui`` serves, read over GraphQL by a client that runs it."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from quant_assets_tests.support.installation import PATIENCE

JOBS = """{ repositoriesOrError { __typename ... on RepositoryConnection { nodes {
  jobs { name } } } } }"""


def jobs_in_ui(program: str, folder: Path, variables: dict[str, str]) -> set[str]:
    """Start ``quant-assets ui`` and return the names of the jobs that it serves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "ui.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [program, "ui", "--port", str(port)],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=output,
        )
        try:
            repositories = wait_for_repositories(server, port)
            assert repositories, log.read_text()
        finally:
            server.send_signal(signal.SIGINT)
            try:
                assert server.wait(60) == 0, log.read_text()
            finally:
                server.kill()
    return {job["name"] for repository in repositories for job in repository["jobs"]}


def wait_for_repositories(server: "subprocess.Popen[bytes]", port: int) -> list[Any]:
    """Ask for loaded repositories until there are some; return none if the server has ended."""
    request = Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": JOBS}).encode(),
        {"Content-Type": "application/json"},
    )
    given_up = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < given_up:
        try:
            with urlopen(request, timeout=60) as response:
                answer = json.load(response)["data"]["repositoriesOrError"]
        except (URLError, ConnectionError):
            answer = {}
        if answer.get("nodes"):
            nodes: list[Any] = answer["nodes"]
            return nodes
        time.sleep(0.5)
    return []

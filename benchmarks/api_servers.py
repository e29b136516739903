"""Servers under load, each in a process of its own: the prediction API, and a bare endpoint.

``python -m benchmarks.api_servers FILE`` serves the bytes of a file.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types
import uvicorn
from fastapi import FastAPI, Response

from benchmarks.pipeline import PROGRAM
from quant_assets.api.server import configure

PATH = "/forecasts/latest"
NO_LIMIT = {"QUANT_API_READS_PER_MINUTE": str(10**9)}
PATIENCE = 60
_BACKLOG = 1024


@dataclass(frozen=True)
class Server:
    """A server in a process of its own.

    Attributes:
        port: its port on this machine.
        process: its process.
    """

    port: int
    process: "subprocess.Popen[str]"


def wait_until_idle(server: Server) -> None:
    """Wait until the server's processes have loaded their models, which they do at their start."""
    process, until = psutil.Process(server.process.pid), time.monotonic() + PATIENCE
    while time.monotonic() < until:
        children = process.children(recursive=True)
        if children and sum(child.cpu_percent(0.5) for child in children) < 5:
            return
        time.sleep(0.1)


@contextmanager
def served(data: Path) -> Iterator[Server]:
    """Serve a data directory by ``quant-assets serve``, without limits of requests."""
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        env={**os.environ, **NO_LIMIT, "QUANT_DATA_DIR": str(data)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(_read_port(process), process)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def served_bare(body: bytes) -> Iterator[Server]:
    """Serve fixed bytes by a FastAPI application of one route, as the platform configures it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.api_servers", file.name],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Server(_read_port(process), process)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def serve_bare(file: Path) -> None:
    """Serve the bytes of a file until the process is ended."""
    app, body = FastAPI(), file.read_bytes()

    @app.get(PATH)
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(configure(app)).run([listener])


def _read_port(process: "subprocess.Popen[str]") -> int:
    """Return the port that a server names once it listens, and go on reading what it says."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if named := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int(named[1])
    raise RuntimeError(f"the server does not start: {''.join(said)}")


if __name__ == "__main__":
    serve_bare(Path(sys.argv[1]))

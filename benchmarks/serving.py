"""The prediction API under load from a second process, beside a bare endpoint of equal bytes.

``python -m benchmarks.serving --data DIRECTORY`` measures the newest forecast of a loaded data
directory. With ``--seconds 300 --beside "quant-assets ..."`` commands run meanwhile, one after the
other, and every answer is compared with what the lake held when it was given.
"""

import argparse
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types
import uvicorn
from fastapi import FastAPI, Response

from benchmarks.figures import Figure, in_fresh_process
from benchmarks.load_client import Load, Result, run_load
from benchmarks.pipeline import PROGRAM, command
from benchmarks.served_answers import find_wrong_answers
from quant_assets.api.server import configure

HELD, RATE, BUSY = 1000, 1000.0, 32
"""Connections that are held, requests a second on them, and connections that never rest."""
PATH = "/forecasts/latest"
NO_LIMIT = {"QUANT_API_READS_PER_MINUTE": str(10**9)}
PATIENCE = 60


@dataclass(frozen=True)
class Server:
    """A server in a process of its own.

    Attributes:
        port: its port on this machine.
        process: its process.
    """

    port: int
    process: "subprocess.Popen[str]"


def run(market: Path | None) -> list[Figure]:
    """Measure the newest forecast of the simulated market, or of a folder's market."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        command(data, "demo", *([str(market)] if market else []))
        token = command(data, "keys", "make", "benchmark", "--role", "read").split()[0]
        return measure(data, token, seconds=10.0)


def measure(data: Path, token: str, seconds: float) -> list[Figure]:
    """Measure the platform's server and the bare one in turns, each in a process of its own.

    Args:
        data: a loaded data directory.
        token: an API key; empty for none.
        seconds: how long each load lasts.
    """
    with served(data) as api:
        _wait_until_idle(api)
        (answer,) = _ask(api.port, token, Load(0, b"", 1, 0.5)).answers.values()
        assert answer.status == 200, answer.body
        with served_bare(answer.body) as bare:
            held = [_measure(x, token, Load(0, b"", HELD, seconds, RATE)) for x in (api, bare)]
            busy = [_measure(x, token, Load(0, b"", BUSY, seconds)) for x in (api, bare)]
    what = f"stored forecasts, {len(answer.body) / 1024:.0f} KB"
    many = f"{HELD:,} connections, {RATE:,.0f} requests a second"
    (rate, cpu), (bare_rate, bare_cpu) = ((x.rate, y) for x, y in busy)
    return [
        Figure(f"{what}: requests a second", rate, at_least=1000),
        Figure("bare endpoint: requests a second", bare_rate),
        Figure(f"{what}, beside the bare endpoint", rate / bare_rate, "x"),
        Figure(f"{what}: the server's CPU time a request", cpu, "ms"),
        Figure("bare endpoint: the server's CPU time a request", bare_cpu, "ms"),
        Figure(f"{many}: answered a second", held[0][0].rate),
        Figure(f"{many}: P50", held[0][0].percentile(50), "ms"),
        Figure(f"{many}: P99", held[0][0].percentile(99), "ms", at_most=100),
        Figure(f"bare endpoint, {many}: P50", held[1][0].percentile(50), "ms"),
        Figure(f"bare endpoint, {many}: P99", held[1][0].percentile(99), "ms"),
    ]


def endure(data: Path, token: str, load: Load, beside: Sequence[str]) -> list[Figure]:
    """Ask for the newest forecast for a long time, and compare every answer with the lake.

    Args:
        data: a loaded data directory.
        token: an API key; empty for none.
        load: how long and how often to ask.
        beside: commands of the platform that run meanwhile, one after the other.
    """
    ended = threading.Event()
    failures: list[str] = []
    with served(data) as server:
        worker = threading.Thread(target=_run_beside, args=(data, beside, ended, failures))
        worker.start()
        result = _ask(server.port, token, load)
        ended.set()
        worker.join()
    wrong = find_wrong_answers(data, result.answers.values())
    for problem in (*wrong, *failures, *(f"{n} x {what}" for what, n in result.errors.items())):
        print(f"  {problem}", file=sys.stderr)
    return [
        Figure("answers", len(result.seconds)),
        Figure("different answers", len(result.answers)),
        Figure("answers that differ from the lake", len(wrong), at_most=0),
        Figure("errors", sum(result.errors.values()), at_most=0),
        Figure("commands beside that failed", len(failures), at_most=0),
        Figure("P50", result.percentile(50), "ms"),
        Figure("P99", result.percentile(99), "ms"),
        Figure("slowest", result.percentile(100), "ms"),
    ]


def _wait_until_idle(server: Server) -> None:
    """Wait until the server's processes have loaded their models, which they do at their start."""
    process, until = psutil.Process(server.process.pid), time.monotonic() + PATIENCE
    while time.monotonic() < until:
        children = process.children(recursive=True)
        if children and sum(child.cpu_percent(0.5) for child in children) < 5:
            return
        time.sleep(0.1)


def _ask(port: int, token: str, load: Load) -> Result:
    """Put a load on a server from a process of its own."""
    lines = [f"GET {PATH} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"X-API-Key: {token}"] if token else []
    request = "\r\n".join([*lines, "", ""]).encode()
    whole = Load(port, request, load.connections, load.seconds, load.rate)
    return in_fresh_process(run_load, whole)


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
            [sys.executable, "-m", "benchmarks.serving", "--bare", file.name],
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

    listener = socket.create_server(("127.0.0.1", 0), backlog=HELD)
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


def _run_beside(
    data: Path, commands: Sequence[str], ended: threading.Event, failures: list[str]
) -> None:
    """Run commands one after the other until the load ends; note which fail."""
    environment = {**os.environ, "QUANT_DATA_DIR": str(data)}
    for line in commands:
        if ended.is_set():
            failures.append(f"not begun before the load ended: {line}")
            continue
        begun = time.perf_counter()
        words = shlex.split(line)
        words[0] = PROGRAM if words[0] == "quant-assets" else words[0]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        print(f"  {line}: {time.perf_counter() - begun:.0f} s", flush=True)
        if done.returncode:
            failures.append(f"{line}: {done.stderr[-2000:]}")


def _measure(server: Server, token: str, load: Load) -> tuple[Result, float]:
    """Put a load on a server; return what came of it, and the server's CPU milliseconds a request.

    Raises:
        RuntimeError: a request was not answered, or with another status than 200.
    """
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    result = _ask(server.port, token, load)
    after = process.cpu_times()
    wrong = [seen.body[:200] for seen in result.answers.values() if seen.status != 200]
    if result.errors or wrong:
        raise RuntimeError(f"the load did not come through: {result.errors} {wrong}")
    spent = after.user + after.system - before.user - before.system
    return result, spent / len(result.seconds) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--data", type=Path, help="a loaded data directory; else one is made")
    parser.add_argument("--key", default="", help="an API key, where the directory has keys")
    parser.add_argument("--seconds", type=float, default=0.0, help="compare all answers so long")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second meanwhile")
    parser.add_argument("--beside", action="append", default=[], help="a command to run meanwhile")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        serve_bare(chosen.bare)
        return
    if chosen.data is None:
        figures = run(None)
    elif chosen.seconds:
        load = Load(0, b"", HELD, chosen.seconds, chosen.rate)
        figures = endure(chosen.data.resolve(), chosen.key, load, chosen.beside)
    else:
        figures = measure(chosen.data.resolve(), chosen.key, 10.0)
    for figure in figures:
        print(figure.line())


if __name__ == "__main__":
    main()

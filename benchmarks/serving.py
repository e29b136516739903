"""The prediction API under load from a second process, beside a bare endpoint of equal bytes.

``python -m benchmarks.serving --data DIRECTORY`` measures the newest forecast of a loaded data
directory. With ``--seconds 300 --beside "quant-assets ..."`` commands run meanwhile, one after the
other, and every answer is compared with what the lake held when it was given.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # it has no types

from benchmarks.api_servers import PATH, Server, served, served_bare, wait_until_idle
from benchmarks.figures import Figure, in_fresh_process
from benchmarks.load_client import Load, Result, run_load
from benchmarks.pipeline import PROGRAM, command
from benchmarks.served_answers import find_wrong_answers

HELD, RATE, BUSY, ROUNDS = 1000, 1000.0, 32, 3
"""Connections that are held, requests a second on them, connections that never rest, loads."""


class Measured(NamedTuple):
    """Answers a second, and milliseconds: of half and of 99 % of the answers, and of CPU time."""

    rate: float
    p50: float
    p99: float
    cpu: float


def run(market: Path | None) -> list[Figure]:
    """Measure the newest forecast of the simulated market, or of a folder's market."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        command(data, "demo", *([str(market)] if market else []))
        token = command(data, "keys", "make", "benchmark", "--role", "read").split()[0]
        return measure(data, token, seconds=5.0)


def measure(data: Path, token: str, seconds: float) -> list[Figure]:
    """Measure the platform's server and the bare one in turns, each in a process of its own.

    Args:
        data: a loaded data directory.
        token: an API key; empty for none.
        seconds: how long each load lasts; figures are medians of several loads.
    """
    with served(data) as api:
        wait_until_idle(api)
        (answer,) = _ask(api.port, token, Load(0, b"", 1, 0.5)).answers.values()
        assert answer.status == 200, answer.body
        with served_bare(answer.body) as bare:
            held = _measure_in_turns([api, bare], token, Load(0, b"", HELD, seconds, RATE))
            busy = _measure_in_turns([api, bare], token, Load(0, b"", BUSY, seconds))
    what = f"stored forecasts, {len(answer.body) / 1024:.0f} KB"
    many = f"{HELD:,} connections, {RATE:,.0f} requests a second"
    return [
        Figure(f"{what}: requests a second", busy[0].rate, at_least=1000),
        Figure("bare endpoint: requests a second", busy[1].rate),
        Figure(f"{what}, beside the bare endpoint", busy[0].rate / busy[1].rate, "x"),
        Figure(f"{what}: the server's CPU time a request", busy[0].cpu, "ms"),
        Figure("bare endpoint: the server's CPU time a request", busy[1].cpu, "ms"),
        Figure(f"{many}: answered a second", held[0].rate),
        Figure(f"{many}: P50", held[0].p50, "ms"),
        Figure(f"{many}: P99", held[0].p99, "ms", at_most=100),
        Figure(f"bare endpoint, {many}: P50", held[1].p50, "ms"),
        Figure(f"bare endpoint, {many}: P99", held[1].p99, "ms"),
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


def _ask(port: int, token: str, load: Load) -> Result:
    """Put a load on a server from a process of its own."""
    lines = [f"GET {PATH} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"X-API-Key: {token}"] if token else []
    request = "\r\n".join([*lines, "", ""]).encode()
    whole = Load(port, request, load.connections, load.seconds, load.rate)
    return in_fresh_process(run_load, whole)


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


def _measure_in_turns(servers: Sequence[Server], token: str, load: Load) -> list[Measured]:
    """Put a load on servers in turns; return the medians of each."""
    rounds = [[_measure(server, token, load) for server in servers] for _ in range(ROUNDS)]
    return [Measured(*map(median, zip(*turns, strict=True))) for turns in zip(*rounds, strict=True)]


def _measure(server: Server, token: str, load: Load) -> Measured:
    """Put a load on a server, and measure it.

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
    return Measured(
        result.rate,
        result.percentile(50),
        result.percentile(99),
        spent / len(result.seconds) * 1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--data", type=Path, help="a loaded data directory; else one is made")
    parser.add_argument("--key", default="", help="an API key, where the directory has keys")
    parser.add_argument("--seconds", type=float, default=0.0, help="compare all answers so long")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second meanwhile")
    parser.add_argument("--beside", action="append", default=[], help="a command to run meanwhile")
    chosen = parser.parse_args()
    if chosen.data is None:
        figures = run(None)
    elif chosen.seconds:
        load = Load(0, b"", HELD, chosen.seconds, chosen.rate)
        figures = endure(chosen.data.resolve(), chosen.key, load, chosen.beside)
    else:
        figures = measure(chosen.data.resolve(), chosen.key, 5.0)
    for figure in figures:
        print(figure.line())


if __name__ == "__main__":
    main()

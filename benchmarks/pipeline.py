"""The whole line as a user runs it: first load, second call, one day; and what Dagster adds."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import overhead
from benchmarks.figures import Figure, in_fresh_process, memory_of_children, peak_of, seconds

PROGRAM = str(Path(sys.executable).with_name("quant-assets"))
REPEATS = 3
NEWEST = "SELECT max(trading_day)::VARCHAR AS day FROM raw.prices"


def run(market: Path | None) -> list[Figure]:
    """Measure the simulated market, the overhead of Dagster, and a folder's market."""
    with tempfile.TemporaryDirectory() as data:
        figures = line("simulated", [], Path(data))
        figures += in_fresh_process(overhead.measure, Path(data))
    if market is not None:
        with tempfile.TemporaryDirectory() as data:
            figures += line("folder", [str(market)], Path(data))
    return figures


def line(name: str, arguments: Sequence[str], data: Path) -> list[Figure]:
    """Measure commands on an empty data directory, each in a fresh process.

    The first load runs once, because it takes long and later loads would not be first; the other
    figures are medians. Memory is that of all processes together.

    Args:
        name: name of the market in the figures.
        arguments: arguments of ``demo``.
        data: an empty data directory.
    """
    demo = partial(command, data, "demo", *arguments)
    started = time.perf_counter()
    peak = peak_of(memory_of_children, demo, 0.2)
    first = time.perf_counter() - started
    again = [seconds(demo) for _ in range(REPEATS)]
    day = json.loads(command(data, "sql", NEWEST, "--format", "json"))[0]["day"]
    refresh = partial(
        command, data, "backfill", "--job", "refresh_daily", "--from", day, "--to", day
    )
    daily = [seconds(refresh) for _ in range(REPEATS)]
    return [
        Figure(f"{name}: demo, everything", first, "s"),
        Figure(f"{name}: demo, peak memory of all processes", peak, "GB"),
        Figure(f"{name}: demo again, nothing changed", median(again), "s"),
        Figure(f"{name}: the newest day, refresh_daily", median(daily), "s"),
    ]


def command(data: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> str:
    """Run a command on a data directory, and return its standard output.

    Args:
        data: the data directory.
        arguments: arguments of the program.
        settings: further environment variables.

    Raises:
        CalledProcessError: the command failed; its output is printed.
    """
    environment = {**os.environ, "QUANT_DATA_DIR": str(data), **(settings or {})}
    done = subprocess.run(
        [PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout

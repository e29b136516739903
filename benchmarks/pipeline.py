"""The whole line as a user runs it: first load, second call, one day; and what Dagster adds."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import overhead
from benchmarks.figures import Figure, in_fresh_process

PROGRAM = str(Path(sys.executable).with_name("quant-assets"))
REPEATS = 3
NEWEST = "SELECT max(trading_day)::VARCHAR AS day FROM raw.prices"


@dataclass(frozen=True)
class Ended:
    """A command that has run: wall-clock seconds, peak memory, and what it wrote."""

    seconds: float
    peak_gb: float
    output: str


def run(market: Path | None) -> list[Figure]:
    """The simulated market, what Dagster adds to its load, and the market of a folder."""
    with tempfile.TemporaryDirectory() as data:
        figures = line("simulated", [], Path(data))
        figures += in_fresh_process(overhead.measure, Path(data))
    if market is not None:
        with tempfile.TemporaryDirectory() as data:
            figures += line("folder", [str(market)], Path(data))
    return figures


def line(name: str, arguments: Sequence[str], data: Path) -> list[Figure]:
    """Commands on an empty data directory, each a fresh process that pays for its own start.

    The first load runs once, since it takes long and the next ones would not be first; the others
    are medians.
    """
    first = command(data, "demo", *arguments)
    again = [command(data, "demo", *arguments).seconds for _ in range(REPEATS)]
    day = json.loads(command(data, "sql", NEWEST, "--format", "json").output)[0]["day"]
    refresh = ("backfill", "--job", "refresh_daily", "--from", day, "--to", day)
    daily = [command(data, *refresh).seconds for _ in range(REPEATS)]
    return [
        Figure(f"{name}: demo, everything", first.seconds, "s"),
        Figure(f"{name}: demo, peak memory", first.peak_gb, "GB"),
        Figure(f"{name}: demo again, nothing changed", median(again), "s"),
        Figure(f"{name}: the newest day, refresh_daily", median(daily), "s"),
    ]


def command(data: Path, *arguments: str) -> Ended:
    """Run the command line on a data directory.

    Raises:
        CalledProcessError: it failed; what it wrote is shown.
    """
    environment = {**os.environ, "QUANT_DATA_DIR": str(data)}
    with tempfile.TemporaryFile("w+") as written:
        begun = time.perf_counter()
        child = subprocess.Popen(
            [PROGRAM, *arguments], env=environment, stdout=written, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        elapsed = time.perf_counter() - begun
        written.seek(0)
        output = written.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        print(output, file=sys.stderr)
        raise subprocess.CalledProcessError(child.returncode, child.args)
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(elapsed, usage.ru_maxrss * unit / 1e9, output)

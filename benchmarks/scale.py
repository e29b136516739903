"""The load of ever larger markets, step by step: how time and memory grow with the instruments.

``python -m benchmarks.scale prices.parquet --symbols 100 250`` measures the most liquid symbols of
a long price file; ``python -m benchmarks --only scale`` measures random prices. Targets are every
instrument's returns over 1, 5 and 20 days.
"""

import argparse
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.figures import Figure, memory_of_children, seconds
from benchmarks.pipeline import command
from benchmarks.stock_files import Size, copy_liquid, write_market, write_random

SYMBOLS, DAYS = (50, 100), 320
FAMILIES = "rank_prior,ridge,lightgbm,xgboost"
INTERVAL = 0.1
TIMES = {
    "symbols: everything": "whole history",
    "symbols: features__targets": "features of targets, all days",
    "symbols, one more day: everything": "one more day",
    "symbols, day watched: everything": "one more day watched",
}
MEMORY = {
    "symbols: peak memory of all processes": "whole history",
    "symbols, one more day: peak memory of all processes": "one more day",
}
NEW_DAY, WATCHED, WATCHED_AGAIN = "one more day", "first day watched", "day watched"


@dataclass
class Memory:
    """The memory of the child processes over time: moments since the epoch, and bytes."""

    moments: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def peak(self, start: float = 0.0, end: float = np.inf) -> float:
        """Return the largest memory in GB between two moments; NaN if none was measured."""
        pairs = zip(self.moments, self.sizes, strict=True)
        return max((size for at, size in pairs if start <= at <= end), default=np.nan) / 1e9


@contextmanager
def watched() -> Iterator[Memory]:
    """Measure the memory of all child processes within the context."""
    memory, done = Memory(), threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL):
            memory.sizes.append(memory_of_children())
            memory.moments.append(time.time())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        done.set()
        watcher.join()


def measure(size: Size, write_prices: Callable[[Size, Path], None], data: Path) -> list[Figure]:
    """Load a market but for its last day, then that day; watch it twice, and report it.

    The first day that is watched learns detectors and references, which later days use.

    Args:
        size: size of the market.
        write_prices: writes the price file of a market.
        data: an empty folder.
    """
    (data / "prices").mkdir()
    prices, whole = data / "prices" / "prices.parquet", data / "whole.parquet"
    write_prices(size, whole)
    last: date = duckdb.sql(f"SELECT max(date) FROM '{whole}'").fetchall()[0][0]
    duckdb.sql(f"COPY (FROM '{whole}' WHERE date < '{last}') TO '{prices}'")
    market, home = str(write_market(data)), data / "data"
    run = partial(command, home, settings=size.settings)
    name = f"{size.symbols} symbols"
    figures = figures_of(name, home, partial(run, "demo", market, "--families", FAMILIES))
    whole.rename(prices)
    steps = {NEW_DAY: "refresh_daily", WATCHED: "watch_daily", WATCHED_AGAIN: "watch_daily"}
    for step, job in steps.items():
        daily = ("backfill", "--job", job, "--from", str(last), "--to", str(last))
        figures += figures_of(f"{name}, {step}", home, partial(run, *daily))
    return figures + figures_of(f"{name}, report", home, partial(run, "report"))


def figures_of(name: str, home: Path, work: Callable[[], object]) -> list[Figure]:
    """Measure a command as a whole, and each step of its run.

    Args:
        name: name of the command in the figures.
        home: the data directory.
        work: runs the command.
    """
    begun = time.time()
    with watched() as memory:
        taken = seconds(work)
    figures = [
        Figure(f"{name}: everything", taken, "s"),
        Figure(f"{name}: peak memory of all processes", memory.peak(), "GB"),
    ]
    for step, start, end in read_steps(home, begun):
        figures.append(Figure(f"{name}: {step}", end - start, "s"))
        figures.append(Figure(f"{name}: {step}, peak memory", memory.peak(start, end), "GB"))
    return figures


def read_steps(home: Path, since: float) -> Iterator[tuple[str, float, float]]:
    """Read the steps that began since a moment from Dagster's event logs.

    Yields:
        The name of a step, and its start and end since the epoch, in the order of the starts.
    """
    moments: dict[str, dict[str, float]] = {}
    for log in (home / "dagster" / "history" / "runs").glob("*-*.db"):
        with sqlite3.connect(log) as events:
            rows = events.execute(
                "SELECT step_key, dagster_event_type, timestamp FROM event_logs"
                " WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS') ORDER BY timestamp"
            ).fetchall()
        for step, event, text in rows:
            at = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
            if at >= since:
                moments.setdefault(step, {})[event] = at
    for step, at_event in moments.items():
        if len(at_event) == 2:
            yield step, at_event["STEP_START"], at_event["STEP_SUCCESS"]


def exponents(figures: Sequence[Figure], sizes: Sequence[Size]) -> list[Figure]:
    """Compute the power of the number of symbols with which each figure grows.

    The growth is that from the smallest to the largest market. Figures below a second, or a tenth
    of a GB, are left out, as are those of a single market.

    Args:
        figures: figures of all sizes, whose names begin with the number of symbols.
        sizes: the sizes.
    """
    if len(sizes) < 2:
        return []
    small, large = (str(sizes[i].symbols) for i in (0, -1))
    values = {figure.name: figure for figure in figures}
    growth = np.log(sizes[-1].symbols / sizes[0].symbols)
    result = []
    for figure in figures:
        number, _, rest = figure.name.partition(" ")
        before = values.get(f"{small} {rest}")
        least = {"s": 1.0, "GB": 0.1}[figure.unit]
        if number == large and before and figure.value > least and before.value > 0:
            power = float(np.log(figure.value / before.value) / growth)
            result.append(Figure(f"growth with {rest}", power, "^"))
    return result


def measure_all(
    sizes: Sequence[Size], write_prices: Callable[[Size, Path], None]
) -> Iterator[Figure]:
    """Measure markets of several sizes, and the growth of the figures."""
    figures: list[Figure] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            of_size = measure(size, write_prices, Path(folder))
        figures += of_size
        yield from of_size
    yield from exponents(figures, sizes)


def draw(figures: Sequence[Figure], sizes: Sequence[Size], file: Path) -> None:
    """Draw time and memory over the number of symbols, on logarithmic axes.

    Args:
        figures: figures of all sizes.
        sizes: the sizes.
        file: the picture to write.
    """
    from matplotlib.figure import Figure as Picture

    values = {figure.name: figure.value for figure in figures}
    symbols = [size.symbols for size in sizes]
    picture = Picture(figsize=(8, 3.6), layout="constrained")
    times, memory = picture.subplots(1, 2)
    for axes, lines, label in ((times, TIMES, "seconds"), (memory, MEMORY, "GB")):
        for name, text in lines.items():
            axes.plot(symbols, [values[f"{n} {name}"] for n in symbols], "o-", label=text)
        first = values[f"{symbols[0]} {next(iter(lines))}"]
        linear = [first * n / symbols[0] for n in symbols]
        axes.plot(symbols, linear, ":", color="grey", label="linear")
        axes.set(xscale="log", yscale="log", xlabel="symbols", ylabel=label)
        axes.set_xticks(symbols, [f"{n:,}" for n in symbols])
        axes.minorticks_off()
        axes.legend(fontsize=7, frameon=False)
    picture.savefig(file, dpi=120)


def run(market: Path | None) -> list[Figure]:
    """Measure random prices; the market given does not matter."""
    sizes = [Size(symbols, DAYS, DAYS // 2, DAYS // 4) for symbols in SYMBOLS]
    return list(measure_all(sizes, write_random))


def main() -> None:
    """Measure markets of the sizes given on the command line, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("prices", type=Path, help="a Parquet file of prices in long layout")
    parser.add_argument("--symbols", type=int, nargs="+", default=SYMBOLS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--plot", type=Path, help="picture of time and memory over symbols")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    sizes = [Size(n, given.days, given.days // 2, given.days // 4) for n in given.symbols]
    figures = []
    for figure in measure_all(sizes, partial(copy_liquid, given.prices)):
        figures.append(figure)
        print(figure.line(), flush=True)
    if given.plot:
        draw(figures, sizes, given.plot)
    if given.json:
        values = {figure.name: figure.as_json() for figure in figures}
        given.json.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()

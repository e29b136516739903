"""Writing and reading days through the lake against a plain DuckDB file with equal rows.

The stores, and rows shaped like ``features.targets``, are in ``benchmarks.stores``. The time of a
write ends with its commit, and does not include the computation of its rows.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.figures import Figure, medians, seconds
from benchmarks.stores import (
    CALENDAR,
    FEATURES,
    HISTORY,
    PATIENCE_SECONDS,
    PLAIN,
    TABLE,
    WAYS,
    Days,
    Store,
    some_days,
)

WRITERS, DAYS_A_WRITER = 4, 10
REPEATS, DAYS_READ = 3, 15
ONE_DAY = f"SELECT * FROM {TABLE.quoted} WHERE trading_day = ?"
ALL_DAYS = f"SELECT * FROM {TABLE.quoted}"
CONTENT = f"SELECT count(*) AS rows, bit_xor(hash(t)) AS content FROM {TABLE.quoted} AS t"


@contextmanager
def writer(way: str, folder: Path, *, alone: bool) -> Iterator[Callable[[Days], None]]:
    """Yield the function with which a process replaces days.

    A lake stays open, and so does a plain file with a single writer. A plain file with several
    writers is opened for each write and closed after it.

    Args:
        way: name of the store, from ``WAYS``.
        folder: folder of the store.
        alone: whether no other process writes.
    """
    if way != PLAIN or alone:
        with WAYS[way](folder) as store:
            yield store.replace
        return

    def in_turn(days: Days) -> None:
        with WAYS[way](folder) as store:
            store.replace(days)

    yield in_turn


def write_days(way: str, folder: Path, first: int, alone: bool, gate: Any) -> list[float]:
    """Replace DAYS_A_WRITER days one by one when all writers are ready; return start and end.

    Args:
        way: name of the store, from ``WAYS``.
        folder: folder of the store.
        first: number of the first day.
        alone: whether no other process writes.
        gate: barrier of all writers.
    """
    prepared = [some_days(first + i, 1) for i in range(DAYS_A_WRITER)]
    moments = []
    with writer(way, folder, alone=alone) as replace:
        replace(prepared[0])
        gate.wait(PATIENCE_SECONDS)
        for days in prepared:
            moments.append(time.monotonic())
            replace(days)
        moments.append(time.monotonic())
    return moments


def write_at_once(way: str, folder: Path, writers: int) -> tuple[float, float]:
    """Let processes write different days; return milliseconds per day, and of the slowest write.

    Args:
        way: name of the store, from ``WAYS``.
        folder: folder of the store.
        writers: number of processes.
    """
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(writers, mp_context=context) as pool:
        gate = manager.Barrier(writers)
        firsts = [HISTORY - (i + 1) * DAYS_A_WRITER for i in range(writers)]
        futures = [
            pool.submit(write_days, way, folder, first, writers == 1, gate) for first in firsts
        ]
        moments = [future.result() for future in futures]
    elapsed = max(ends[-1] for ends in moments) - min(begins[0] for begins in moments)
    slowest = max(float(np.diff(times).max()) for times in moments)
    return elapsed / (writers * DAYS_A_WRITER) * 1e3, slowest * 1e3


def whole_history(folder: Path) -> list[Figure]:
    """Measure a write of all days into a table that has a day already; the last copy stays."""
    history, first = some_days(0, HISTORY), some_days(0, 1)
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for repeat in range(REPEATS):
        for way, times in taken.items():
            with tempfile.TemporaryDirectory(dir=folder) as passing:
                last = repeat == REPEATS - 1
                with WAYS[way](folder if last else Path(passing)) as store:
                    store.replace(first)
                    times.append(seconds(partial(store.replace, history)))
    rows = HISTORY * 424 / 1e6
    what = f"write {rows:.2f} million rows x {len(FEATURES)} doubles"
    return compared(what, {way: median(times) for way, times in taken.items()}, "s")


def daily_writes(folder: Path, writers: int) -> list[Figure]:
    """Measure replacing days of 424 rows one by one, by one or several processes at once.

    A single process keeps either store open. Several processes share the lake. Plain DuckDB lets
    only one process open the file for writing, so each opens it when it is free, writes, and closes
    it.
    """
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(REPEATS):
        for way, times in taken.items():
            times.append(write_at_once(way, folder, writers))
    by = "1 writer" if writers == 1 else f"{writers} writers at once"
    each, slowest = (
        {way: median(times[i] for times in rounds) for way, rounds in taken.items()} for i in (0, 1)
    )
    return [
        *compared(f"replace a day, {by}", each, "ms"),
        *(
            Figure(f"replace a day, {by}, slowest, {way}", value, "ms")
            for way, value in slowest.items()
        ),
    ]


def reads(folder: Path) -> list[Figure]:
    """Measure reading a day and the whole table from open stores, with files in the system's cache.

    Raises:
        AssertionError: the stores hold different rows.
    """
    picked = np.random.default_rng(0).choice(CALENDAR, DAYS_READ + 1).tolist()
    with ExitStack() as stack:
        stores = {way: stack.enter_context(WAYS[way](folder)) for way in WAYS}
        contents = [store.read(CONTENT).to_pylist() for store in stores.values()]
        assert all(content == contents[0] for content in contents), contents
        read = {way: stores[way] for way in ("lake", PLAIN)}
        next_day = {way: partial(read_next, store, iter(picked)) for way, store in read.items()}
        day = medians(next_day, DAYS_READ)
        whole = medians({way: partial(x.read, ALL_DAYS) for way, x in read.items()}, REPEATS)
    in_ms = {way: value * 1e3 for way, value in day.items()}
    return [*compared("read a day", in_ms, "ms"), *compared("read the whole table", whole, "s")]


def read_next(store: Store, days: Iterator[date]) -> None:
    """Read the next day."""
    store.read(ONE_DAY, next(days))


def compared(what: str, taken: dict[str, float], unit: str) -> list[Figure]:
    """Return the figures of all stores, and the time of plain DuckDB over that of each lake.

    Args:
        what: name of the figure.
        taken: measured time by store.
        unit: unit of the time.
    """
    return [
        *(Figure(f"{what}, {way}", value, unit) for way, value in taken.items()),
        *(
            Figure(f"{what}, {PLAIN} / {way}", taken[PLAIN] / value, "x")
            for way, value in taken.items()
            if way != PLAIN
        ),
    ]


def run(market: Path | None) -> list[Figure]:
    """Measure writing a history at once, replacing days by one and several writers, and reading."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = whole_history(folder) + daily_writes(folder, 1) + reads(folder)
        return figures + daily_writes(folder, WRITERS)

"""A table whose days show whether they are complete, and processes that write and read it.

All rows of a day have an equal mark, which determines the number of rows.
"""

import itertools
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake, WriteResult

MARKS = Table(
    "raw.marks",
    "Days of equal marks.",
    (Column("trading_day", "DATE", "the day"), Column("mark", "DOUBLE", "the same all day")),
)
FIRST = date(2020, 1, 1)


def process_context() -> ForkServerContext:
    """Return a context whose processes share a single import of the lake."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["quant_assets_tests.support.lake_processes"])
    return context


@contextmanager
def running(*children: BaseProcess) -> Iterator[None]:
    """Start the processes, and kill them at the end of the context."""
    try:
        for child in children:
            child.start()
        yield
    finally:
        for child in children:
            child.kill()
            child.join()


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def rows_of(mark: int) -> int:
    return 500 + mark % 7


def content(number: int, mark: int) -> dict[str, Any]:
    n = rows_of(mark)
    return {"trading_day": np.full(n, np.datetime64(day(number))), "mark": np.full(n, float(mark))}


def write(lake: Lake, number: int, mark: int) -> WriteResult:
    return lake.replace_days(MARKS, day(number), day(number), content(number, mark))


def marks(lake: Lake, version: int | None = None) -> dict[int, int]:
    """Return the mark of each stored day; fail if a day is incomplete."""
    at = "" if version is None else f"AT (VERSION => {version})"
    rows = lake.arrow(
        "SELECT trading_day, min(mark) AS low, max(mark) AS high, count(*) AS n"
        f" FROM raw.marks {at} GROUP BY ALL"
    ).to_pylist()
    for row in rows:
        assert row["low"] == row["high"], row
        assert row["n"] == rows_of(int(row["low"])), row
    return {(row["trading_day"] - FIRST).days: int(row["low"]) for row in rows}


def write_forever(root: Path, days: int, orders: Connection) -> None:
    """Replace day after day with rising marks, from a received mark on, and report each mark."""
    with Lake(root) as lake:
        lake.snapshot_id()
        for mark in itertools.count(orders.recv()):
            write(lake, mark % days, mark)
            orders.send(mark)


def write_days(root: Path, gate: Any, numbers: list[int], mark: int) -> None:
    """Replace the days, after waiting for the other processes at the gate."""
    gate.wait()
    with Lake(root) as lake:
        for number in numbers:
            write(lake, number, mark)


def write_in_step(root: Path, gate: Any, numbers: list[int], mark: int) -> None:
    """Replace the days, after waiting for the other processes before each day."""
    with Lake(root) as lake:
        for number in numbers:
            gate.wait()
            write(lake, number, mark)


def read_until(root: Path, gate: Any, done: Any) -> None:
    """Read all days until the other processes are done; fail on an incomplete day."""
    gate.wait()
    with Lake(root) as lake:
        while not done.wait(0.01):
            if lake.has(MARKS):
                marks(lake)


def maintain_until(root: Path, done: Any) -> None:
    with Lake(root) as lake:
        while not done.wait(0.01):
            lake.maintain(1)

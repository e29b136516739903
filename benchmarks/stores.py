"""The stores that ``benchmarks.lake`` compares, and the rows it writes. Nothing is timed here.

All stores take equal arrays, convert them to Arrow, and replace days by DELETE and INSERT in one
transaction. They differ in what is synced to the disk at the end of a write: plain DuckDB syncs
every row, the lake syncs its catalogue but not its Parquet files. ``synced`` is the lake with its
new files synced too, which makes it comparable with plain DuckDB.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np

from quant_assets.lake.readers.arrays import long_rows
from quant_assets.lake.schemas.feature_tables import TARGET_FEATURES
from quant_assets.lake.store.lake import Lake, to_arrow
from quant_assets.market.calendar import trading_days

TABLE = TARGET_FEATURES
FEATURES = tuple(column.name for column in TABLE.columns if column.type == "DOUBLE")
CALENDAR = trading_days(date(2010, 1, 4), date(2019, 2, 28))
HISTORY, N_TARGETS, EMPTY = len(CALENDAR), 424, 0.05
POLL_SECONDS = 0.005  # as often as the lake's own lock is tried
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Days:
    """Rows of some trading days, as an asset passes them to the lake."""

    start: date
    end: date
    data: dict[str, Any]


def some_days(first: int, count: int) -> Days:
    """Draw rows for ``count`` trading days from number ``first`` on; some cells are empty."""
    days = CALENDAR[first : first + count]
    random = np.random.default_rng(first)
    values = {}
    for name in FEATURES:
        values[name] = random.normal(size=(count, N_TARGETS))
        values[name][random.random((count, N_TARGETS)) < EMPTY] = np.nan
    targets = [f"target_{i}" for i in range(N_TARGETS)]
    rows = long_rows(days, np.arange(first, first + count), values, "target", targets)
    return Days(days[0].item(), days[-1].item(), rows)


class Store(Protocol):
    """The access of a process to the table."""

    def replace(self, days: Days) -> None:
        """Replace the days in one transaction."""

    def read(self, sql: str, *parameters: date) -> Any:
        """Return the rows of a SELECT as an Arrow table."""


@dataclass(frozen=True)
class LakeStore:
    """The lake, as the platform uses it."""

    lake: Lake
    files: Path
    synced: bool

    def replace(self, days: Days) -> None:
        """Replace days as an asset does, after waiting for other writers."""
        before = set(self.files.rglob("*.parquet")) if self.synced else set()
        self.lake.replace_days(TABLE, days.start, days.end, days.data)
        for file in set(self.files.rglob("*.parquet")) - before if self.synced else ():
            with file.open("rb") as written:
                os.fsync(written.fileno())

    def read(self, sql: str, *parameters: date) -> Any:
        """Read rows as the platform does."""
        return self.lake.arrow(sql, parameters)


@dataclass(frozen=True)
class PlainStore:
    """A DuckDB file. While a process has it open for writing, no other process can open it."""

    connection: duckdb.DuckDBPyConnection

    def replace(self, days: Days) -> None:
        """Replace days with the statements of the lake."""
        where = "WHERE trading_day BETWEEN ? AND ?"
        self.connection.begin()
        self.connection.register("incoming", to_arrow(TABLE, days.data))
        self.connection.execute(f"DELETE FROM {TABLE.quoted} {where}", [days.start, days.end])
        self.connection.execute(f"INSERT INTO {TABLE.quoted} BY NAME SELECT * FROM incoming")
        self.connection.commit()
        self.connection.unregister("incoming")

    def read(self, sql: str, *parameters: date) -> Any:
        """Read rows with the query of the lake."""
        return self.connection.execute(sql, parameters).to_arrow_table()


@contextmanager
def lake(folder: Path, *, synced: bool) -> Iterator[Store]:
    """Open a lake in a folder."""
    root = folder / ("synced" if synced else "lake")
    with Lake(root) as opened:
        yield LakeStore(opened, root, synced)


@contextmanager
def plain(folder: Path) -> Iterator[Store]:
    """Open the DuckDB file in a folder, as soon as no other process has it open."""
    file, deadline = folder / "plain.duckdb", time.monotonic() + PATIENCE_SECONDS
    new = not file.exists()
    while True:
        try:
            connection = duckdb.connect(file)
            break
        except duckdb.IOException:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
    with connection:
        connection.execute("SET enable_progress_bar = false")
        for statement in TABLE.creation() if new else ():
            connection.execute(statement)
        yield PlainStore(connection)


WAYS: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "lake": partial(lake, synced=False),
    "synced lake": partial(lake, synced=True),
    "plain DuckDB": plain,
}
PLAIN = "plain DuckDB"

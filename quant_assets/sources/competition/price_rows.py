"""The rows of prices: ``train.csv``, then the later rows of ``test.csv``, up to the newest to come.

``sources.competition.arrival`` defines which rows have come, ``days`` dates them, and ``files``
reads them.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import SeriesList, list_competition_series
from quant_assets.sources.competition.arrival import Delivery, count_rows
from quant_assets.sources.competition.csv_text import find_line
from quant_assets.sources.competition.edges import Edges, read_edges
from quant_assets.sources.competition.file_state import is_there
from quant_assets.sources.competition.files import NumberTable, read_numbers
from quant_assets.sources.competition.tables import check_same_series, read_series_names
from quant_assets.sources.deliveries import UnreadCell


@dataclass(frozen=True)
class PriceRows:
    """The rows that have come.

    Attributes:
        train: all whole lines of ``train.csv``, with those that have not come.
        test: all whole lines of ``test.csv``; None if it has no later rows.
        date_ids: (n,) ids of the rows.
        values: (n, c) numbers as in the files; NaN where empty or unread.
        unread: cells that hold text instead of a number.
        waiting: where and why the newest rows have not come; empty if all have.
    """

    train: NumberTable
    test: NumberTable | None
    date_ids: IntArray
    values: FloatArray
    unread: tuple[UnreadCell, ...]
    waiting: str

    @cached_property
    def series(self) -> SeriesList:
        """The series of the files."""
        return list_competition_series(self.train.columns)

    def place_of(self, row: int) -> tuple[Path, int]:
        """Return the file and the line of a row, for an error; it reads the file again."""
        return _place_of(self.train, self.test, row)


def read_price_rows(train_path: Path, test_path: Path, share: float) -> PriceRows:
    """Read and join the rows of prices.

    Args:
        train_path: path of ``train.csv``.
        test_path: path of ``test.csv``, which need not exist.
        share: share of a market's closes from which the market has delivered a row.

    Raises:
        SourceError: a file cannot be read, their series differ, or no row has come.
    """
    train = read_numbers(train_path, columns=read_series_names(train_path))
    test = None
    if is_there(test_path):
        check_same_series(test_path, train.columns)
        if read_edges(test_path).last_id > train.date_ids[-1]:
            test = read_numbers(test_path, columns=train.columns)
    ids, values, unread = _join(train, test)
    delivery = Delivery.of(train.columns, values, share)
    count = count_rows(values, delivery)
    reasons = [_describe_unfinished_line(path) for path in (train_path, test_path)]
    if count < len(ids):
        path, line = _place_of(train, test, count)
        lack = delivery.describe_lack(~np.isnan(values[count]))
        reasons.insert(0, f"{path.name}, line {line}: {lack}")
    waiting = "; ".join(reason for reason in reasons if reason)
    if not count:
        raise _no_day_error(train_path, waiting)
    values.setflags(write=False)
    kept = tuple(cell for cell in unread if cell.row < count)
    return PriceRows(train, test, ids[:count], values[:count], kept, waiting)


def _describe_unfinished_line(path: Path) -> str:
    line = read_edges(path).unfinished_line if is_there(path) else None
    if line is None:
        return ""
    return f"{path.name}, line {line}: the line has no end: it is still being written"


def _no_day_error(path: Path, waiting: str) -> SourceError:
    """Create the error for a file in which no row has come."""
    return SourceError(
        "no day has come yet",
        where=str(path),
        expected="a row in which a market has delivered its closes",
        found=waiting,
        hint="wait for the prices, or lower QUANT_DAY_FILLED",
    )


def _join(
    train: NumberTable, test: NumberTable | None
) -> tuple[IntArray, FloatArray, tuple[UnreadCell, ...]]:
    if test is None:
        return train.date_ids, train.values, train.unread
    skip = _count_common(train, test)
    moved = [
        replace(cell, row=cell.row - skip + len(train.date_ids))
        for cell in test.unread
        if cell.row >= skip
    ]
    return (
        np.concatenate([train.date_ids, test.date_ids[skip:]]),
        np.concatenate([train.values, test.values[skip:]]),
        (*train.unread, *moved),
    )


def _place_of(train: NumberTable, test: NumberTable | None, row: int) -> tuple[Path, int]:
    if test is None or row < len(train.date_ids):
        return train.path, find_line(train.path, row)
    return test.path, find_line(test.path, row - len(train.date_ids) + _count_common(train, test))


def _count_common(train: NumberTable, test: NumberTable) -> int:
    """Count the first rows of ``test.csv`` that are not later than ``train.csv``."""
    return int(np.searchsorted(test.date_ids, train.date_ids[-1], side="right"))


def find_newest_row(train_path: Path, test_path: Path, share: float) -> Edges | None:
    """Find the file whose last row is the newest, if that row has come.

    Returns None if only all rows can tell whether it has: if it lacks closes that others may lack.
    It reads the first and last rows only.

    Raises:
        SourceError: the header, the first or the last row of a file is malformed.
    """
    edges = read_edges(train_path)
    if is_there(test_path) and (of_test := read_edges(test_path)).last_id > edges.last_id:
        edges = of_test
    columns = read_series_names(edges.path)
    filled = np.array([name in edges.filled for name in columns])
    delivery = Delivery.of(columns, np.zeros((1, len(columns))), share)
    return edges if delivery.has_come(filled) else None

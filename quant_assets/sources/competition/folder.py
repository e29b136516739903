"""The competition's unpacked folder as a source of prices, pairs and labels.

``sources.competition.price_rows``, ``tables``, ``pairs`` and ``days`` check the files' content, and
``files`` reads them. Nothing is cleaned or computed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.targets import MAX_LAG, TargetPairs
from quant_assets.sources.competition.arrival import Delivery, count_rows
from quant_assets.sources.competition.days import Place, read_days_of_ids
from quant_assets.sources.competition.file_state import read_bytes, state_of
from quant_assets.sources.competition.files import read_edges, read_numbers
from quant_assets.sources.competition.pairs import read_pairs_file
from quant_assets.sources.competition.price_rows import PriceRows, find_newest_id, read_price_rows
from quant_assets.sources.competition.tables import (
    check_labels_not_later,
    read_labels,
    read_lagged_labels,
    read_series_names,
)
from quant_assets.sources.protocol import PriceTable


@dataclass(frozen=True)
class CompetitionFolder:
    """A source that reads ``train.csv``, ``target_pairs.csv`` and, if they exist, the other files.

    Rows of ``test.csv`` after the last row of ``train.csv`` are prices too. The files may hold any
    subset of the competition's series. ``calendar.csv`` (``date_id,date``) dates the rows; without
    it ``date_id`` counts trading days.

    The newest rows count when they have come: a line without a line end is still being written, and
    is not read; of the rows in which too few markets have delivered, those at the end are not read.
    Links are followed at every read.

    Attributes:
        folder: folder with the files.
        start: trading day of ``date_id`` 0, used if there is no ``calendar.csv``.
        expected_targets: required number of pairs; None for any number.
        day_filled: share of a market's closes from which the market has delivered a row.
    """

    folder: Path
    start: date = date(2018, 1, 2)
    expected_targets: int | None = 424
    day_filled: float = 0.5

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return "competition"

    @property
    def first_day(self) -> date:
        """Day of the first row of ``train.csv``.

        Raises:
            SourceError: the first or last row is malformed, the row has no day, or no row has come.
        """
        if self._find_newest_id() is None:
            self._rows()
        return self._day(read_edges(self._train).first_id)

    @property
    def last_day(self) -> date:
        """Day of the newest row of ``train.csv`` and ``test.csv`` that has come.

        Raises:
            SourceError: the first or last row of a file is malformed, the row has no day, or no row
                has come.
        """
        newest = self._find_newest_id()
        return self._day(int(self._rows().date_ids[-1]) if newest is None else newest)

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the files' names and contents and the source's parameters."""
        parameters = f"{self.start} {self.expected_targets} {self.day_filled}\n"
        digest = hashlib.sha256(parameters.encode())
        for path in self._files():
            content = hashlib.sha256(read_bytes(path)).hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {content}\n".encode())
        return digest.hexdigest()

    def look(self) -> str:
        """Return a digest of each file's place on disk, size and times, links followed."""
        states = [(path.name, state_of(path)) for path in self._possible_files()]
        return hashlib.sha256(repr(states).encode()).hexdigest()

    def waiting(self) -> str:
        """Say where and why the newest rows of prices have not come; empty if all have.

        Raises:
            SourceError: a file cannot be read as a whole, or no row has come.
        """
        return self._rows().waiting

    def prices(self, start: date, end: date) -> PriceTable:
        """Read the prices of the days from ``start`` to ``end``; NaN where empty or unread.

        Raises:
            SourceError: a file cannot be read as a whole; the message names the place.
        """
        rows = self._rows()
        days = self._days(rows.date_ids, rows.place_of)
        part = _between(days, start, end)
        unread = [
            replace(cell, row=cell.row - part.start)
            for cell in rows.unread
            if part.start <= cell.row < part.stop
        ]
        return PriceTable(
            days[part], rows.date_ids[part], rows.train.columns, rows.values[part], unread
        )

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Read the rows of ``test.csv`` that ``train.csv`` has as well; None if there are none.

        Raises:
            SourceError: ``test.csv`` cannot be read, or has other series.
        """
        rows = self._rows()
        last = min(rows.date_ids[-1], rows.train.date_ids[-1])
        if not self._test.exists() or read_edges(self._test).first_id > last:
            return None
        test = read_numbers(self._test, rows.train.columns)
        ids = test.date_ids[test.date_ids <= last]
        values = test.values[: len(ids)]
        count = count_rows(values, Delivery.of(test.columns, test.values, self.day_filled))
        days = self._days(ids[:count], lambda row: (self._test, test.line_of(row)))
        part = _between(days, start, end)
        return PriceTable(days[part], ids[:count][part], test.columns, values[:count][part])

    def pairs(self) -> TargetPairs:
        """Read the targets of ``target_pairs.csv``.

        Raises:
            SourceError: a pair is malformed, or a leg is not a close of ``train.csv``.
        """
        path = self.folder / "target_pairs.csv"
        return read_pairs_file(path, read_series_names(self._train), self.expected_targets)

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Read labels from ``train_labels.csv`` and, where it has none, ``lagged_test_labels``.

        Returns an array of shape (n, m) with the rows of :meth:`prices`, by forecast day; NaN where
        no label is published. Returns None if neither exists. Lagged labels of days without prices
        are ignored.

        Raises:
            SourceError: rows or columns do not fit ``train.csv`` and ``target_pairs.csv``.
        """
        if not self._labels.exists() and not self._lagged():
            return None
        pairs, rows = self.pairs(), self._rows()
        ids = rows.date_ids
        labels = np.full((len(ids), len(pairs)), np.nan)
        if self._labels.exists():
            of_train = read_labels(self._labels, pairs.targets, rows.train)[: len(ids)]
            labels[: len(of_train)] = of_train
        for lag, path in self._lagged().items():
            of_lag = np.flatnonzero(pairs.lags == lag)
            targets = [pairs.targets[i] for i in of_lag]
            label_ids, values = read_lagged_labels(path, targets, lag, int(ids[-1]))
            known = np.isin(label_ids, ids)
            cells = np.ix_(np.searchsorted(ids, label_ids[known]), of_lag)
            labels[cells] = np.where(np.isnan(labels[cells]), values[known], labels[cells])
        return labels[_between(self._days(ids, rows.place_of), start, end)]

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the mechanism of a real market is unknown."""
        return None

    @property
    def _train(self) -> Path:
        return self.folder / "train.csv"

    @property
    def _test(self) -> Path:
        return self.folder / "test.csv"

    @property
    def _labels(self) -> Path:
        return self.folder / "train_labels.csv"

    def _lagged(self) -> dict[int, Path]:
        return {lag: path for lag, path in self._possible_lagged().items() if path.exists()}

    def _possible_lagged(self) -> dict[int, Path]:
        folder = self.folder / "lagged_test_labels"
        return {lag: folder / f"test_labels_lag_{lag}.csv" for lag in range(1, MAX_LAG + 1)}

    def _possible_files(self) -> Iterator[Path]:
        for name in (
            "calendar.csv",
            "target_pairs.csv",
            "test.csv",
            "train.csv",
            "train_labels.csv",
        ):
            yield self.folder / name
        yield from self._possible_lagged().values()

    def _files(self) -> Iterator[Path]:
        return (path for path in self._possible_files() if path.exists())

    def _days(self, ids: IntArray, place: Place) -> DayArray:
        return read_days_of_ids(ids, place, self.folder / "calendar.csv", self.start)

    def _day(self, date_id: int) -> date:
        day: date = self._days(np.array([date_id]), lambda _: (self._train, None))[0].item()
        return day

    def _find_newest_id(self) -> int | None:
        return find_newest_id(self._train, self._test, self.day_filled)

    def _rows(self) -> PriceRows:
        return _read_rows(self.folder, self.day_filled, self.look())


@lru_cache(maxsize=2)
def _read_rows(folder: Path, day_filled: float, _: str) -> PriceRows:
    """Read the rows of a folder, and keep them until it has another look."""
    rows = read_price_rows(folder / "train.csv", folder / "test.csv", day_filled)
    check_labels_not_later(folder / "train_labels.csv", rows.train)
    return rows


def _between(days: DayArray, start: date, end: date) -> slice:
    first = np.searchsorted(days, np.datetime64(start, "D"))
    stop = np.searchsorted(days, np.datetime64(end, "D"), side="right")
    return slice(int(first), int(stop))

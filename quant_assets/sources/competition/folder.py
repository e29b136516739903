"""The competition's unpacked folder as a source of prices, pairs and labels.

``sources.competition.price_rows``, ``tables``, ``pairs`` and ``days`` check the files' content, and
``files`` reads them. Nothing is cleaned or computed.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.competition.arrival import Delivery, count_rows
from quant_assets.sources.competition.days import Place, read_days_of_ids
from quant_assets.sources.competition.edges import Edges, read_edges
from quant_assets.sources.competition.file_state import is_there, read_bytes
from quant_assets.sources.competition.files import read_numbers
from quant_assets.sources.competition.folder_files import FolderFiles
from quant_assets.sources.competition.labels import check_labels_not_later, read_published_labels
from quant_assets.sources.competition.pairs import read_pairs_file
from quant_assets.sources.competition.price_rows import PriceRows, find_newest_row, read_price_rows
from quant_assets.sources.competition.tables import read_series_names
from quant_assets.sources.deliveries import PriceTable

TARGETS = 424
"""Number of targets of the competition."""


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
    expected_targets: int | None = TARGETS
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
        if self._find_newest_row() is None:
            self._rows()
        edges = read_edges(self._files.train)
        return self._day(edges.first_id, edges.path, edges.first_line)

    @property
    def last_day(self) -> date:
        """Day of the newest row of ``train.csv`` and ``test.csv`` that has come.

        Raises:
            SourceError: the first or last row of a file is malformed, the row has no day, or no row
                has come.
        """
        newest = self._find_newest_row()
        if newest is not None:
            return self._day(newest.last_id, newest.path, newest.last_line)
        rows = self._rows()
        return self._day(int(rows.date_ids[-1]), *rows.place_of(len(rows.date_ids) - 1))

    def days(self) -> DayArray:
        """Read the (n,) days of the rows that have come.

        Raises:
            SourceError: a file cannot be read as a whole, or a row has no day.
        """
        rows = self._rows()
        return self._days(rows.date_ids, rows.place_of)

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the files' names and contents and the source's parameters."""
        parameters = f"{self.start} {self.expected_targets} {self.day_filled}\n"
        digest = hashlib.sha256(parameters.encode())
        for path in self._files.existing():
            content = hashlib.sha256(read_bytes(path)).hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {content}\n".encode())
        return digest.hexdigest()

    def look(self) -> str:
        """Return a digest of each file's place on disk, size and times, links followed."""
        return self._files.look()

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
        return PriceTable(days[part], rows.date_ids[part], rows.series, rows.values[part], unread)

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Read the rows of ``test.csv`` that ``train.csv`` has as well; None if there are none.

        Raises:
            SourceError: ``test.csv`` cannot be read, or has other series.
        """
        rows = self._rows()
        last = min(rows.date_ids[-1], rows.train.date_ids[-1])
        if not is_there(self._files.test) or read_edges(self._files.test).first_id > last:
            return None
        test = read_numbers(self._files.test, rows.train.columns)
        ids = test.date_ids[test.date_ids <= last]
        values = test.values[: len(ids)]
        count = count_rows(values, Delivery.of(test.columns, test.values, self.day_filled))
        days = self._days(ids[:count], lambda row: (self._files.test, test.line_of(row)))
        part = _between(days, start, end)
        return PriceTable(days[part], ids[:count][part], rows.series, values[:count][part])

    def pairs(self) -> TargetPairs:
        """Read the targets of ``target_pairs.csv``.

        Raises:
            SourceError: a pair is malformed, or a leg is not a close of ``train.csv``.
        """
        return _read_pairs(self._files, self.expected_targets)

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Read labels from ``train_labels.csv`` and, where it has none, ``lagged_test_labels``.

        Returns an array of shape (n, m) with the rows of :meth:`prices`, by forecast day; NaN where
        no label is published. Returns None if neither exists. Lagged labels of days without prices
        are ignored.

        Raises:
            SourceError: rows or columns do not fit ``train.csv`` and ``target_pairs.csv``.
        """
        look = self.look()
        labels = _read_labels(self._files, self.day_filled, self.expected_targets, look)
        if labels is None:
            return None
        rows = _read_rows(self._files, self.day_filled, look)
        return labels[_between(self._days(rows.date_ids, rows.place_of), start, end)]

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the mechanism of a real market is unknown."""
        return None

    @property
    def _files(self) -> FolderFiles:
        return FolderFiles(self.folder)

    def _days(self, ids: IntArray, place: Place) -> DayArray:
        return read_days_of_ids(ids, place, self._files.calendar, self.start)

    def _day(self, date_id: int, path: Path, line: int) -> date:
        day: date = self._days(np.array([date_id]), lambda _: (path, line))[0].item()
        return day

    def _find_newest_row(self) -> Edges | None:
        return find_newest_row(self._files.train, self._files.test, self.day_filled)

    def _rows(self) -> PriceRows:
        return _read_rows(self._files, self.day_filled, self.look())


@lru_cache(maxsize=2)
def _read_rows(files: FolderFiles, day_filled: float, _: str) -> PriceRows:
    """Read the rows of prices, and keep them until the folder has another look."""
    rows = read_price_rows(files.train, files.test, day_filled)
    check_labels_not_later(files.labels, rows.train)
    return rows


@lru_cache(maxsize=2)
def _read_labels(
    files: FolderFiles, day_filled: float, expected_targets: int | None, look: str
) -> FloatArray | None:
    """Read the labels of all rows, and keep them until the folder has another look."""
    lagged = files.lagged_labels()
    if not is_there(files.labels) and not lagged:
        return None
    pairs, rows = _read_pairs(files, expected_targets), _read_rows(files, day_filled, look)
    return read_published_labels(files.labels, lagged, pairs, rows.train, rows.date_ids)


def _read_pairs(files: FolderFiles, expected_targets: int | None) -> TargetPairs:
    return read_pairs_file(files.pairs, read_series_names(files.train), expected_targets)


def _between(days: DayArray, start: date, end: date) -> slice:
    first = np.searchsorted(days, np.datetime64(start, "D"))
    stop = np.searchsorted(days, np.datetime64(end, "D"), side="right")
    return slice(int(first), int(stop))

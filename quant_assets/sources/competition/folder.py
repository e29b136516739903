"""The competition's unpacked folder as a source of prices, pairs and labels.

This module joins the files. ``sources.competition.tables``, ``pairs`` and ``days`` check their
content, and ``files`` reads them. Nothing is cleaned or computed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.targets import MAX_LAG, TargetPairs
from quant_assets.sources.competition.days import read_days_of_ids
from quant_assets.sources.competition.file_errors import file_error, line_number_of
from quant_assets.sources.competition.files import ID, NumberTable, read_edge_ids, read_numbers
from quant_assets.sources.competition.pairs import read_pairs_file
from quant_assets.sources.competition.tables import (
    check_same_series,
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

    Attributes:
        folder: folder with the files.
        start: trading day of ``date_id`` 0, used if there is no ``calendar.csv``.
        expected_targets: required number of pairs; None for any number.
    """

    folder: Path
    start: date = date(2018, 1, 2)
    expected_targets: int | None = 424

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return "competition"

    @property
    def first_day(self) -> date:
        """Day of the first row of ``train.csv``.

        Raises:
            SourceError: the first or last row is malformed, or the row has no day.
        """
        return self._day(read_edge_ids(self._train)[0])

    @property
    def last_day(self) -> date:
        """Day of the last row of ``train.csv`` or ``test.csv``, whichever is later.

        Raises:
            SourceError: the first or last row of a file is malformed, or the row has no day.
        """
        last = read_edge_ids(self._train)[1]
        return self._day(max(last, read_edge_ids(self._test)[1]) if self._test.exists() else last)

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the files' names and contents and the source's parameters."""
        digest = hashlib.sha256(f"{self.start} {self.expected_targets}\n".encode())
        for path in self._files():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {content}\n".encode())
        return digest.hexdigest()

    def prices(self, start: date, end: date) -> PriceTable:
        """Read the prices of the days from ``start`` to ``end``; NaN where empty or unread.

        Raises:
            SourceError: a file cannot be read as a whole; the message names the place.
        """
        table = self._rows()
        days = self._days(table.date_ids)
        part = _between(days, start, end)
        unread = [
            replace(cell, row=cell.row - part.start)
            for cell in table.unread
            if part.start <= cell.row < part.stop
        ]
        return PriceTable(
            days[part], table.date_ids[part], table.columns, table.values[part], unread
        )

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Read the rows of ``test.csv`` that ``train.csv`` has as well; None if there are none.

        Raises:
            SourceError: ``test.csv`` cannot be read, or has other series.
        """
        last = read_edge_ids(self._train)[1]
        if not self._test.exists() or read_edge_ids(self._test)[0] > last:
            return None
        columns = read_series_names(self._train)
        check_same_series(self._test, columns)
        test = read_numbers(self._test, columns=columns)
        ids = test.date_ids[test.date_ids <= last]
        days = self._days(ids)
        part = _between(days, start, end)
        return PriceTable(days[part], ids[part], columns, test.values[: len(ids)][part])

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
        pairs, ids = self.pairs(), self._rows().date_ids
        labels = np.full((len(ids), len(pairs)), np.nan)
        if self._labels.exists():
            of_train = ids[ids <= read_edge_ids(self._train)[1]]
            labels[: len(of_train)] = read_labels(self._labels, pairs.targets, of_train)
        for lag, path in self._lagged().items():
            of_lag = np.flatnonzero(pairs.lags == lag)
            label_ids, values = read_lagged_labels(path, [pairs.targets[i] for i in of_lag], lag)
            known = np.isin(label_ids, ids)
            cells = np.ix_(np.searchsorted(ids, label_ids[known]), of_lag)
            labels[cells] = np.where(np.isnan(labels[cells]), values[known], labels[cells])
        return labels[_between(self._days(ids), start, end)]

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
        folder = self.folder / "lagged_test_labels"
        paths = {lag: folder / f"test_labels_lag_{lag}.csv" for lag in range(1, MAX_LAG + 1)}
        return {lag: path for lag, path in paths.items() if path.exists()}

    def _files(self) -> Iterator[Path]:
        for name in (
            "calendar.csv",
            "target_pairs.csv",
            "test.csv",
            "train.csv",
            "train_labels.csv",
        ):
            if (self.folder / name).exists():
                yield self.folder / name
        yield from self._lagged().values()

    def _days(self, ids: IntArray) -> DayArray:
        return read_days_of_ids(ids, self._train, self.folder / "calendar.csv", self.start)

    def _day(self, date_id: int) -> date:
        day: date = self._days(np.array([date_id]))[0].item()
        return day

    def _rows(self) -> NumberTable:
        """Read the rows of ``train.csv`` and the later rows of ``test.csv``."""
        train = read_numbers(self._train, columns=read_series_names(self._train))
        last = int(train.date_ids[-1])
        if self._labels.exists() and (last_label := read_edge_ids(self._labels)[1]) > last:
            raise file_error(
                "train.csv ends before train_labels.csv does",
                self._train,
                line=line_number_of(len(train.date_ids) - 1),
                column=ID,
                expected=f"{last_label} in the last row",
                found=last,
            )
        if not self._test.exists() or read_edge_ids(self._test)[1] <= last:
            return train
        check_same_series(self._test, train.columns)
        return _append(train, read_numbers(self._test, columns=train.columns))


def _append(train: NumberTable, test: NumberTable) -> NumberTable:
    skip = int(np.searchsorted(test.date_ids, train.date_ids[-1], side="right"))
    moved = [
        replace(cell, row=cell.row - skip + len(train.date_ids))
        for cell in test.unread
        if cell.row >= skip
    ]
    return replace(
        train,
        date_ids=np.concatenate([train.date_ids, test.date_ids[skip:]]),
        values=np.concatenate([train.values, test.values[skip:]]),
        unread=(*train.unread, *moved),
    )


def _between(days: DayArray, start: date, end: date) -> slice:
    first = np.searchsorted(days, np.datetime64(start, "D"))
    stop = np.searchsorted(days, np.datetime64(end, "D"), side="right")
    return slice(int(first), int(stop))

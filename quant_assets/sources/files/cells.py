"""Cells of prices while they are read: numbers, texts, and which rows repeat others.

Where they are in files belongs in ``long_cells`` and ``wide_cells``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.deliveries import PriceTable, UnreadCell


@dataclass(frozen=True)
class Cells:
    """The cells of some days.

    Attributes:
        days: (n,) the days.
        series: the c series.
        values: (n, c) numbers; NaN where a cell is empty, holds text or is not read yet.
        texts: texts by row and column.
    """

    days: DayArray
    series: SeriesList
    values: FloatArray
    texts: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def empty(cls, days: DayArray, series: SeriesList) -> "Cells":
        """Return cells of which none is read yet."""
        return cls(days, series, np.full((len(days), len(series)), np.nan))

    def write(
        self, rows: IntArray, columns: IntArray, numbers: FloatArray, texts: dict[int, str]
    ) -> None:
        """Write r cells.

        Args:
            rows: (r,) their rows.
            columns: (r,) their columns.
            numbers: (r,) their numbers; NaN where one is empty or holds text.
            texts: texts by position in these arrays.
        """
        self.values[rows, columns] = numbers
        for i, text in texts.items():
            self.texts[int(rows[i]), int(columns[i])] = text

    def find_conflict(
        self, rows: IntArray, columns: IntArray, numbers: FloatArray, texts: dict[int, str]
    ) -> int | None:
        """Find the first of r cells that differs from what is written; None if none does.

        Args:
            rows: (r,) their rows.
            columns: (r,) their columns.
            numbers: (r,) their numbers.
            texts: texts by position in these arrays.
        """
        written = self.values[rows, columns]
        same = (written == numbers) | (np.isnan(written) & np.isnan(numbers))
        if not same.all():
            return int(np.flatnonzero(~same)[0])
        # Texts are few, and every cell with one is NaN.
        of_text = np.flatnonzero(np.isnan(numbers)) if texts or self.texts else ()
        for i in of_text:
            if texts.get(int(i)) != self.texts.get((int(rows[i]), int(columns[i]))):
                return int(i)
        return None

    def table(self, date_ids: IntArray) -> PriceTable:
        """Return the cells as a table of prices; ``date_ids`` are the (n,) numbers of its days."""
        unread: Sequence[UnreadCell] = [
            UnreadCell(row, self.series.columns[column], text)
            for (row, column), text in sorted(self.texts.items())
        ]
        return PriceTable(self.days, date_ids, self.series, self.values, unread)

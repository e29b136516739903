"""What a vendor does to prices that it has delivered before, and the text of its files.

Everything here is a pure function over arrays or text. When each of it happens in a rehearsal
belongs in ``simulation.growing_market``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.instruments import PRICE_FIELDS, parse_column

DECIMALS = 4
"""Decimals to which the vendor rounds a restated price."""
_CUT = 2


@dataclass(frozen=True)
class VendorTable:
    """What a vendor's price file and calendar hold at a moment.

    Attributes:
        columns: names of the c series.
        days: (n,) trading days, strictly ascending.
        date_ids: (n,) the vendor's numbers of the days, strictly ascending.
        values: (n, c) prices and volumes; NaN where a cell is empty.
    """

    columns: tuple[str, ...]
    days: DayArray
    date_ids: IntArray
    values: FloatArray

    def prices_text(self) -> str:
        """Format the content of ``train.csv``."""
        header = ",".join(["date_id", *self.columns])
        rows = (
            f"{date_id},{_format_cells(row.tobytes())}"
            for date_id, row in zip(self.date_ids.tolist(), self.values, strict=True)
        )
        return "\n".join([header, *rows]) + "\n"

    def calendar_text(self) -> str:
        """Format the content of ``calendar.csv``."""
        rows = zip(self.date_ids.tolist(), self.days.astype(str).tolist(), strict=True)
        return "\n".join(["date_id,date", *(f"{date_id},{day}" for date_id, day in rows)]) + "\n"


@lru_cache(maxsize=4096)
def _format_cells(row: bytes) -> str:
    cells: list[float] = np.frombuffer(row).tolist()
    return ",".join("" if np.isnan(x) else f"{x:.10g}" for x in cells)


def split_shares(
    columns: Sequence[str], values: FloatArray, instrument: str, ratio: float
) -> FloatArray:
    """Divide an instrument's prices by the ratio of a split, and multiply its volumes by it.

    Returns a copy of the values; the prices in it are rounded to ``DECIMALS``, and volumes and open
    interest to whole numbers.

    Args:
        columns: names of the c series.
        values: (n, c) values; NaN stays NaN.
        instrument: name of the instrument.
        ratio: how many shares are given for one.
    """
    split = values.copy()
    for column, name in enumerate(columns):
        series = parse_column(name)
        if series.instrument == instrument:
            is_price = series.field in PRICE_FIELDS
            factor, decimals = (1 / ratio, DECIMALS) if is_price else (ratio, 0)
            split[:, column] = np.round(values[:, column] * factor, decimals)
    return split


def adjust_prices(
    columns: Sequence[str], values: FloatArray, instrument: str, factor: float, before: int
) -> FloatArray:
    """Multiply an instrument's prices before a row by a factor, as after a dividend.

    Returns a copy of the values; the changed prices in it are rounded to ``DECIMALS``.

    Args:
        columns: names of the c series.
        values: (n, c) values; NaN stays NaN.
        instrument: name of the instrument.
        factor: of the prices; volumes and open interest stay.
        before: first row that stays.
    """
    adjusted = values.copy()
    for column, name in enumerate(columns):
        series = parse_column(name)
        if series.instrument == instrument and series.field in PRICE_FIELDS:
            adjusted[:before, column] = np.round(values[:before, column] * factor, DECIMALS)
    return adjusted


def correct_cell(values: FloatArray, row: int, column: int, factor: float) -> FloatArray:
    """Multiply one price by a factor. Returns a copy of the (n, c) values, rounded there."""
    corrected = values.copy()
    corrected[row, column] = np.round(values[row, column] * factor, DECIMALS)
    return corrected


def spoil_row(values: FloatArray, row: int) -> FloatArray:
    """Replace most numbers of a row by zero. Returns a copy of the (n, c) values."""
    spoiled = values.copy()
    kept = np.arange(values.shape[1]) % 10 == 0
    spoiled[row] = np.where(kept | np.isnan(values[row]), values[row], 0.0)
    return spoiled


def empty_row(values: FloatArray, row: int) -> FloatArray:
    """Empty all cells of a row. Returns a copy of the (n, c) values."""
    emptied = values.copy()
    emptied[row] = np.nan
    return emptied


def number_rows(visible: BoolArray, renumbered_from: int | None = None) -> IntArray:
    """Number the rows that a vendor shows, without gaps.

    Args:
        visible: (n,) whether a row is shown.
        renumbered_from: first of the n rows whose number is greater by one; None for none.

    Returns:
        The (m,) numbers of the visible rows.
    """
    numbers = np.cumsum(visible) - 1
    if renumbered_from is not None:
        numbers[renumbered_from:] += 1
    numbers_shown: IntArray = numbers[visible]
    return numbers_shown


def cut_inside_last_number(text: str) -> str:
    """Cut a file's text inside its last number, as while it is being written."""
    return text.rstrip("\n")[:-_CUT]


def cut_last_row(text: str) -> str:
    """Cut off half of a file's last row, and end the line."""
    before, _, last = text.rstrip("\n").rpartition("\n")
    return f"{before}\n{last[: len(last) // 2]}\n"

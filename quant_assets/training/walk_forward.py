"""Walk-forward: on which days to fit, and which fit a forecast uses.

Expanding window. A fit as of row r sees labels released by r, so a label of lag k trains only up
to row r - k - 1: the purge of lag + 1 days is a consequence, not a setting. What of it is stored,
and how, is decided in ``training.fits``.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.arrays import day_positions


def fit_rows(rows: int, first_fit_after: int, refit_every: int) -> IntArray:
    """As-of rows of the fits: the first after ``first_fit_after`` days, then regularly.

    Args:
        rows: days of history.
        first_fit_after: days before the day of the first fit.
        refit_every: days between fits.
    """
    return np.arange(first_fit_after, rows, refit_every, dtype=np.int64)


def rows_to_fit(
    days: DayArray, start: date, end: date, settings: Settings, stored: Sequence[date]
) -> IntArray:
    """As-of rows to fit for a range of days: a single day itself, else the walk-forward days in it.

    With them those that have a fit already: one that other code made would stay in force else.

    Raises:
        LakeError: the single day is not among the days.
    """
    ends = np.array([start, end], dtype="datetime64[D]")
    if start == end:
        return day_positions(ends[:1], days)
    first, last = np.searchsorted(days, ends)
    grid = fit_rows(len(days), settings.first_fit_after, settings.refit_every)
    again = np.flatnonzero(np.isin(days, np.array(stored, dtype="datetime64[D]")))
    rows = np.union1d(grid, again)
    wanted: IntArray = rows[(rows >= first) & (rows <= last)]
    return wanted


def find_fit_in_force(forecast_rows: IntArray, fits: IntArray) -> IntArray:
    """Index into ``fits`` (ascending) of the newest fit for each row; -1 before the first."""
    return np.searchsorted(fits, forecast_rows, side="right").astype(np.int64) - 1

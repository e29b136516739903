"""Walk-forward: the days as of which a family is fitted, and the fit that a forecast uses.

The training window expands. A fit as of row r uses the labels known on row r, so a label of lag k
is trained on only up to row r - k - 1. The purge of lag + 1 days therefore needs no setting.
``training.fits`` makes and stores the fits.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.arrays import day_positions


def fit_rows(rows: int, first_fit_after: int, refit_every: int) -> IntArray:
    """Compute the as-of rows of the walk-forward fits, ascending.

    Args:
        rows: number of days of the history.
        first_fit_after: number of days before the first as-of day.
        refit_every: days from one as-of day to the next.

    Examples:
        >>> fit_rows(10, first_fit_after=4, refit_every=3)
        array([4, 7])
    """
    return np.arange(first_fit_after, rows, refit_every, dtype=np.int64)


def rows_to_fit(
    days: DayArray, start: date, end: date, settings: Settings, stored: Sequence[date]
) -> IntArray:
    """Compute the as-of rows to fit for the days from ``start`` to ``end``.

    A range of one day gives the row of that day. A longer range gives the walk-forward rows in it,
    and the rows that have a fit already: a fit by older code would otherwise stay in force.

    Args:
        days: (n,) days of the history, ascending.
        start: first day of the range.
        end: last day of the range.
        settings: the spacing of the walk-forward.
        stored: as-of days of the fits that are stored.

    Raises:
        LakeError: the only day of the range is not among the days.

    Examples:
        Of 70 days, fits are due as of rows 60 and 65, and row 63 has a fit already:

        >>> settings = Settings(first_fit_after=60, refit_every=5)
        >>> days = np.datetime64("2024-01-01") + np.arange(70)
        >>> first, last = days[0].item(), days[-1].item()
        >>> rows_to_fit(days, first, last, settings, stored=[days[63].item()])
        array([60, 63, 65])
        >>> rows_to_fit(days, last, last, settings, stored=[])
        array([69])
    """
    ends = np.array([start, end], dtype="datetime64[D]")
    if start == end:
        return day_positions(ends[:1], days)
    first, last = np.searchsorted(days, ends)
    due = fit_rows(len(days), settings.first_fit_after, settings.refit_every)
    fitted = np.flatnonzero(np.isin(days, np.array(stored, dtype="datetime64[D]")))
    rows = np.union1d(due, fitted)
    in_range: IntArray = rows[(rows >= first) & (rows <= last)]
    return in_range


def find_fit_in_force(forecast_rows: IntArray, fits: IntArray) -> IntArray:
    """Find the fit in force on each row: the newest fit as of that row or before.

    Returns indices into ``fits``, of shape (n,); -1 on rows before the first fit.

    Args:
        forecast_rows: (n,) rows that are forecast.
        fits: (f,) as-of rows of the fits, ascending.

    Examples:
        >>> find_fit_in_force(np.array([3, 4, 6, 7, 9]), np.array([4, 7]))
        array([-1,  0,  0,  1,  1])
    """
    return np.searchsorted(fits, forecast_rows, side="right").astype(np.int64) - 1

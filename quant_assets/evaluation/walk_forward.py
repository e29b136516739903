"""Walk-forward: on which days to fit, and which fit a forecast uses.

Expanding window. A fit as of row r sees labels released by r, so a label of lag k trains only up
to row r - k - 1: the purge of lag + 1 days is a consequence, not a setting. What of it is stored,
and how, is decided in ``evaluation.fits``.
"""

import numpy as np

from quant_assets.typing import IntArray


def fit_rows(rows: int, first_fit_after: int, refit_every: int) -> IntArray:
    """As-of rows of the fits: the first after ``first_fit_after`` days, then regularly.

    Args:
        rows: days of history.
        first_fit_after: days before the day of the first fit.
        refit_every: days between fits.
    """
    return np.arange(first_fit_after, rows, refit_every, dtype=np.int64)


def fit_in_force(forecast_rows: IntArray, fits: IntArray) -> IntArray:
    """Index into ``fits`` (ascending) of the newest fit for each row; -1 before the first."""
    return np.searchsorted(fits, forecast_rows, side="right").astype(np.int64) - 1

"""Walk-forward: on which days to fit, which fit a forecast uses, and the whole walk in memory.

Expanding window. A fit as of row r sees labels released by r, so a label of lag k trains only up
to row r - k - 1: the purge of lag + 1 days is a consequence, not a setting. What of it is stored,
and how, is decided in ``evaluation.fits``.
"""

import numpy as np

from quant_assets.models.base import Family, Observations, Parameters, Resources
from quant_assets.typing import FloatArray, IntArray


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


def walk(
    seen: Observations,
    chosen: Family,
    parameters: Parameters,
    resources: Resources,
    fits: IntArray,
    stop: int,
) -> FloatArray:
    """(stop - fits[0], m) forecasts from the first fit's row on, each by the newest fit.

    Args:
        seen: all days; each fit and forecast is handed its past only.
        chosen: the family.
        parameters: of every fit.
        resources: likewise.
        fits: as-of rows, ascending.
        stop: row after the last to forecast.
    """
    parts = []
    for row, end in zip(fits, [*fits[1:], stop], strict=True):
        model = chosen.fit(seen.rows(0, int(row) + 1), parameters, resources)
        parts.append(model.forecast(seen.rows(0, int(end)), int(end - row)))
    return np.concatenate(parts)

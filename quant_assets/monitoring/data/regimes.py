"""The state of the markets on each day: turbulence, and the mean correlation.

The model of turbulence is ``models.markov_switching``. A day is judged by the returns up to it, and
by parameters that were fitted as of the last walk-forward day up to it.
"""

from collections.abc import Callable
from datetime import date
from functools import cache, partial
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.code_digest import digest_code
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.features.kernels import row_mean
from quant_assets.lake.schemas.monitoring_tables import REGIMES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.models.markov_switching import Regimes, fit_regimes
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.data.daily_returns import DailyReturns
from quant_assets.training.walk_forward import find_fit_in_force, fit_rows

CORRELATION_DAYS, CHANGE_DAYS = 60, 20
"""Days of a correlation, and between the two correlations of a change."""
_MIN_PAIR_DAYS = 30
"""Days on which both instruments need a return for their correlation to count."""
_PERCENT = 100.0
_COLUMNS_AT_ONCE = 1024
"""Instruments whose correlations with all others fit into memory."""
_MIN_VARIANCE = 1e-18


def regime_rows(
    lake: Lake,
    settings: Settings,
    known: DailyReturns,
    start: date,
    artifacts: Path | None = None,
) -> pd.DataFrame:
    """Make rows of ``monitoring.regimes`` for every day with returns from ``start`` on.

    Args:
        lake: the lake, which records the fitted regimes.
        settings: tells which days are walk-forward days.
        known: the returns up to the last day.
        start: first day.
        artifacts: folder where fitted regimes are kept; None keeps nothing.
    """
    days, returns = known.days, known.values
    wanted = known.rows_since(start)
    names = [column.name for column in REGIMES.columns]
    if not len(wanted):
        return pd.DataFrame({name: [] for name in names})
    walk_forward = fit_rows(len(days), settings.first_fit_after, settings.refit_every)
    # Before the first fit this is -1, which reads the last of the days below: NaT.
    fit = find_fit_in_force(wanted, walk_forward)
    rows = np.union1d(wanted, wanted - CHANGE_DAYS)
    correlations = mean_correlations(returns, rows)
    correlation = correlations[np.searchsorted(rows, wanted)]
    before = correlations[np.searchsorted(rows, wanted - CHANGE_DAYS)]
    columns = {
        "trading_day": days[wanted],
        "date_id": known.date_ids[wanted],
        "turbulence": turbulence_probabilities(
            _PERCENT * row_mean(returns),
            walk_forward,
            wanted,
            partial(_fitted, lake, artifacts, days),
        ),
        "correlation": correlation,
        "correlation_change": correlation - before,
        "fit_as_of": np.append(days[walk_forward], np.datetime64("NaT", "D"))[fit],
    }
    return pd.DataFrame(columns)[names]


def turbulence_probabilities(
    returns: FloatArray,
    fits: IntArray,
    wanted: IntArray,
    fitted: Callable[[FloatArray], Regimes] = fit_regimes,
) -> FloatArray:
    """Compute the filtered probability of the turbulent regime on some rows.

    The parameters of each fit filter the whole history from its beginning.

    Args:
        returns: (n,) daily returns of the market, in per cent; NaN where unknown.
        fits: rows as of which the parameters are fitted, ascending.
        wanted: (w,) rows, ascending.
        fitted: gives the parameters from the returns up to a fit's row.

    Returns:
        (w,) probabilities; NaN before the first fit.
    """
    result = np.full(len(wanted), np.nan)
    in_force = find_fit_in_force(wanted, fits)
    for fit in np.unique(in_force[in_force >= 0]):
        of_fit = in_force == fit
        rows = wanted[of_fit]
        parameters = fitted(returns[: fits[fit] + 1])
        result[of_fit] = parameters.filtered(returns[: rows[-1] + 1])[rows]
    return result


def mean_correlations(returns: FloatArray, rows: IntArray) -> FloatArray:
    """Compute :func:`mean_correlation` over the ``CORRELATION_DAYS`` rows that end with each row.

    Args:
        returns: (n, k) daily returns; NaN where there is none.
        rows: (w,) rows.

    Returns:
        (w,) correlations; NaN where there are fewer rows.
    """
    result = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        if row >= CORRELATION_DAYS - 1:
            # One memory layout, whatever the array is cut from, gives the same sums to the bit.
            window = np.ascontiguousarray(returns[row - CORRELATION_DAYS + 1 : row + 1])
            result[i] = mean_correlation(window)
    return result


def mean_correlation(returns: FloatArray) -> float:
    """Compute the mean of the correlations of all pairs of columns, over the days that both have.

    Pairs with fewer than ``_MIN_PAIR_DAYS`` such days, and pairs with a column that does not move,
    are left out.

    Args:
        returns: (n, k) daily returns; NaN where there is none.

    Returns:
        The mean; NaN if no pair is left.
    """
    observed = np.isfinite(returns)
    count = observed.sum(axis=0)
    known = np.where(observed, returns, 0.0)
    # Columns are centred first, so that large squares of means do not cancel.
    centred = np.where(observed, known - known.sum(axis=0) / np.maximum(count, 1), 0.0)
    observed_float = observed.astype(np.float64)
    total, pairs = 0.0, 0
    for start in range(0, returns.shape[1], _COLUMNS_AT_ONCE):
        correlations = _correlations_of_pairs(centred, observed_float, start)
        total, pairs = total + correlations.sum(), pairs + len(correlations)
    return float(total / pairs) if pairs else float("nan")


def _correlations_of_pairs(centred: FloatArray, observed: FloatArray, start: int) -> FloatArray:
    """Compute the correlations of some columns with themselves and all columns after them.

    Args:
        centred: (n, k) centred returns; 0 where there is none.
        observed: (n, k) 1 where there is a return, 0 elsewhere.
        start: the first of ``_COLUMNS_AT_ONCE`` columns.
    """
    part, rest = slice(start, start + _COLUMNS_AT_ONCE), slice(start, None)
    both = observed[:, part].T @ observed[:, rest]
    days = np.maximum(both, 1.0)
    total = centred[:, part].T @ observed[:, rest]
    total_rest = (centred[:, rest].T @ observed[:, part]).T
    squares = centred * centred
    variance = squares[:, part].T @ observed[:, rest] - total * total / days
    variance_rest = (squares[:, rest].T @ observed[:, part]).T - total_rest * total_rest / days
    covariance = centred[:, part].T @ centred[:, rest] - total * total_rest / days
    pairs = np.triu(
        (both >= _MIN_PAIR_DAYS) & (variance > _MIN_VARIANCE) & (variance_rest > _MIN_VARIANCE), 1
    )
    result: FloatArray = covariance[pairs] / np.sqrt((variance * variance_rest)[pairs])
    return result


def _fitted(lake: Lake, artifacts: Path | None, days: DayArray, returns: FloatArray) -> Regimes:
    """Regimes fitted on the returns of the first days, or kept from when they were."""
    fingerprint = sha256(_code().encode() + returns.tobytes()).hexdigest()
    kept = ReferenceStore(lake, artifacts, "regimes").get(
        days[len(returns) - 1].item(), fingerprint, lambda: pack(**vars(fit_regimes(returns)))
    )
    return Regimes(**unpack(kept))


@cache
def _code() -> str:
    """Return a digest of the code that fits regimes, and the versions of its libraries."""
    libraries = [metadata.version(name) for name in ("statsmodels", "scipy")]
    return " ".join([digest_code(fit_regimes), *libraries])

"""What state the markets are in on each day: turbulence, volatility, and how alike they move.

The model of turbulence is ``models.markov_switching``. A day knows returns up to it only; the
parameters it is judged by are older, those of the walk-forward day before.
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
from quant_assets.features.kernels import rolling_rms, row_mean
from quant_assets.lake.readers.arrays import to_cube
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.schemas.monitoring_tables import REGIMES
from quant_assets.lake.schemas.tables import INSTRUMENT_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.market.instruments import MARKETS, market_of
from quant_assets.models.markov_switching import Regimes, fit_regimes
from quant_assets.models.packing import pack, unpack
from quant_assets.training.walk_forward import find_fit_in_force, fit_rows

VOLATILITY, CORRELATION, CHANGE = 20, 60, 20
_LEAST = 30
"""Days on which two instruments have a return, for their correlation to count."""
_YEAR = 252
_PERCENT = 100.0
_TINY = 1e-18


def regime_rows(
    lake: Lake, settings: Settings, start: date, end: date, artifacts: Path | None = None
) -> pd.DataFrame:
    """Rows of ``monitoring.regimes`` for every day with features from ``start`` to ``end``.

    Args:
        lake: the lake.
        settings: which days are walk-forward days.
        start: first day.
        end: last day.
        artifacts: folder where fitted regimes are kept; None keeps nothing.
    """
    days = read_known_days(lake, end)
    wanted = np.flatnonzero(days >= np.datetime64(start))
    names = [column.name for column in REGIMES.columns]
    if not len(wanted):
        return pd.DataFrame({name: [] for name in names})
    instruments, returns = _returns(lake, days)
    grid = fit_rows(len(days), settings.first_fit_after, settings.refit_every)
    # -1, before the first fit, is the last of what it is looked up in.
    fit = find_fit_in_force(wanted, grid)
    rows = np.union1d(wanted, wanted - CHANGE)
    alike = mean_correlations(returns, rows)
    correlation, before = (alike[np.searchsorted(rows, one)] for one in (wanted, wanted - CHANGE))
    columns = {
        "trading_day": days[wanted],
        "date_id": read_date_ids(lake, days[wanted]),
        "turbulence": turbulence(
            _PERCENT * row_mean(returns), grid, wanted, partial(_fitted, lake, artifacts, days)
        ),
        **{f"volatility_{m}": v[wanted] for m, v in volatilities(returns, instruments).items()},
        "correlation": correlation,
        "correlation_change": correlation - before,
        "fit_as_of": np.append(days[grid], np.datetime64("NaT", "D"))[fit],
    }
    return pd.DataFrame(columns)[names]


def turbulence(
    returns: FloatArray,
    fits: IntArray,
    wanted: IntArray,
    fitted: Callable[[FloatArray], Regimes] = fit_regimes,
) -> FloatArray:
    """(w,) filtered probability of the turbulent regime on the wanted rows.

    Args:
        returns: (n,) daily returns of the market; NaN where unknown.
        fits: rows as of which the parameters are fitted, ascending.
        wanted: rows, ascending.
        fitted: gives the parameters from the returns up to a fit's row.

    NaN before the first fit. Each fit filters the history from its beginning.
    """
    result = np.full(len(wanted), np.nan)
    in_force = find_fit_in_force(wanted, fits)
    for fit in np.unique(in_force[in_force >= 0]):
        of_fit = in_force == fit
        rows = wanted[of_fit]
        parameters = fitted(returns[: fits[fit] + 1])
        result[of_fit] = parameters.filtered(returns[: rows[-1] + 1])[rows]
    return result


def volatilities(returns: FloatArray, instruments: tuple[str, ...]) -> dict[str, FloatArray]:
    """(n,) annualised volatility of each market's equally weighted return over 20 days.

    Root mean square times sqrt(252); NaN where less than half of the days have a return.
    """
    markets = np.array([market_of(name) for name in instruments])
    result = {}
    for market in MARKETS:
        of_market = row_mean(returns[:, markets == market])
        result[market] = np.sqrt(_YEAR) * rolling_rms(of_market, [VOLATILITY])[VOLATILITY]
    return result


def mean_correlations(returns: FloatArray, rows: IntArray) -> FloatArray:
    """(w,) :func:`mean_correlation` over the ``CORRELATION`` rows that end with each row.

    NaN where there are fewer.
    """
    result = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        if row >= CORRELATION - 1:
            # Of one layout whatever the array is cut from: the sums are the same to the bit.
            window = np.ascontiguousarray(returns[row - CORRELATION + 1 : row + 1])
            result[i] = mean_correlation(window)
    return result


def mean_correlation(returns: FloatArray) -> float:
    """Mean of the correlations of all pairs of columns, each over the days that both have.

    Args:
        returns: (n, k) daily returns; NaN where there is none.

    Pairs with fewer than ``_LEAST`` days, or of which one does not move, are left out; NaN if none
    is left.
    """
    observed = np.isfinite(returns)
    count = observed.sum(axis=0)
    known = np.where(observed, returns, 0.0)
    # Around its own mean first, so that squares of means do not cancel.
    around = np.where(observed, known - known.sum(axis=0) / np.maximum(count, 1), 0.0)
    there = observed.astype(np.float64)
    both = there.T @ there
    days = np.maximum(both, 1.0)
    total, squares = around.T @ there, (around * around).T @ there
    variance = squares - total * total / days
    covariance = around.T @ around - total * total.T / days
    scale = variance * variance.T
    pairs = np.triu((both >= _LEAST) & (variance > _TINY) & (variance.T > _TINY), 1)
    if not pairs.any():
        return float("nan")
    return float((covariance[pairs] / np.sqrt(scale[pairs])).mean())


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


def _returns(lake: Lake, days: DayArray) -> tuple[tuple[str, ...], FloatArray]:
    """The instruments, and (n, k) their winsorised daily log returns."""
    rows = lake.arrow(
        f"SELECT trading_day, instrument, ret_1 FROM {INSTRUMENT_FEATURES.quoted}"
        " WHERE trading_day <= ?",
        [days[-1].item()],
        needs=INSTRUMENT_FEATURES,
    )
    instruments = tuple(sorted(rows["instrument"].unique().to_pylist()))
    return instruments, to_cube(rows, days, "instrument", instruments, ["ret_1"])[..., 0]

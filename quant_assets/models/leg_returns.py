"""What models of the legs share: their daily returns in, forecasts of them mapped to targets out.

How returns are modelled belongs to the families. While a market is closed its price is filled, its
return is 0 and the whole move falls on the reopening; a return is NaN only once a closure outlasts
the filling. Families take such a return for its expectation: no news.
"""

from collections.abc import Callable, Sequence

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import market_of
from quant_assets.market.targets import MAX_LAG, spread
from quant_assets.models.protocol import Observations

RETURN = "ret_1"


def deviations(observations: Observations) -> FloatArray:
    """(k,) standard deviation of each instrument's daily return; 0 if it never moved."""
    returns = observations.instrument.column(RETURN).astype(np.float64)
    observed = np.maximum((~np.isnan(returns)).sum(axis=0), 1)
    mean = np.nansum(returns, axis=0) / observed
    return np.asarray(np.sqrt(np.nansum((returns - mean) ** 2, axis=0) / observed))


def standardised(observations: Observations, deviation: FloatArray) -> FloatArray:
    """(n, k) returns in standard deviations; NaN where not observed and where it never moved."""
    returns = observations.instrument.column(RETURN).astype(np.float64)
    return returns / np.where(deviation > 0, deviation, np.nan)


def last_days(
    observations: Observations, rows: int, before: int, deviation: FloatArray
) -> FloatArray:
    """(before + rows, k) standardised returns of the last ``rows`` days and as many before them.

    NaN for days before the first seen.
    """
    start = len(observations.days) - rows - before
    known = standardised(observations.rows(max(start, 0), len(observations.days)), deviation)
    return np.concatenate([np.full((max(-start, 0), len(deviation)), np.nan), known])


def label_width(observations: Observations, prior_days: int) -> FloatArray:
    """(m,) divisor that turns expected spreads into expected ranks, up to a common factor.

    Of two normal labels the first is the larger with probability Phi of the difference of their
    means over the root of the sum of their variances. The other label stands for all others here,
    so a target's variance is added to the pooled one; it is itself estimated with ``prior_days``
    days of the pooled one added.
    """
    labels = observations.labels()
    known = ~np.isnan(labels)
    count = known.sum(axis=0)
    mean = np.nansum(labels, axis=0) / np.maximum(count, 1)
    squares = np.nansum((labels - mean) ** 2, axis=0)
    pooled = squares.sum() / count.sum()
    variance = (squares + prior_days * pooled) / (count + prior_days)
    width = np.sqrt(variance + pooled)
    return np.where(width > 0, width, 1.0)


def to_target_scores(moves: FloatArray, observations: Observations) -> FloatArray:
    """(n, m) expected labels from (n, MAX_LAG, k) expected moves of the instruments.

    Args:
        moves: at lag - 1, the log return over the window of a label of that lag: it begins with the
            close of the day after the forecast's.
        observations: for the targets' lags and legs.
    """
    result = np.empty((len(moves), len(observations.lags)))
    first, second = observations.legs.T
    for lag in range(1, MAX_LAG + 1):
        of_lag = observations.lags == lag
        result[:, of_lag] = spread(moves[:, lag - 1], first[of_lag], second[of_lag])
    return result


def drift_and_markets(
    scores: Callable[[FloatArray, float], FloatArray], past: FloatArray, names: Sequence[str]
) -> dict[str, FloatArray]:
    """What the drift and each market's past returns add to scores that are linear in both.

    Args:
        scores: (rows, m) scores of past returns and of so many times the drift.
        past: (days, k) returns.
        names: k instruments.
    """
    markets = np.array([market_of(name) for name in names])
    parts = {
        market: scores(np.where(markets == market, past, 0.0), 0.0)
        for market in np.unique(markets).tolist()
    }
    return {"drift": scores(np.zeros_like(past), 1.0), **parts}

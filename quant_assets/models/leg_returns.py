"""Daily returns of instruments, and the step from their forecasts to scores of targets.

The families that model the returns of legs share these functions. While a market is closed its
price is filled, so its return is 0 and the whole move falls on the reopening. A return is NaN only
if a closure outlasts the filling; families replace it by its expectation.
"""

from collections.abc import Callable, Sequence

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.targets import horizons_of, spread
from quant_assets.models.protocol import Observations

RETURN = "ret_1"


def return_deviations(observations: Observations) -> FloatArray:
    """Compute the (k,) standard deviations of instruments' daily returns; 0 if all are equal."""
    returns = observations.instrument.column(RETURN).astype(np.float64)
    observed = np.maximum((~np.isnan(returns)).sum(axis=0), 1)
    mean = np.nansum(returns, axis=0) / observed
    return np.asarray(np.sqrt(np.nansum((returns - mean) ** 2, axis=0) / observed))


def standardised_returns(observations: Observations, deviation: FloatArray) -> FloatArray:
    """Compute (n, k) daily returns in standard deviations; NaN where unknown.

    Args:
        observations: instrument features.
        deviation: (k,) standard deviations; all returns are NaN where it is 0.
    """
    returns = observations.instrument.column(RETURN).astype(np.float64)
    return returns / np.where(deviation > 0, deviation, np.nan)


def last_returns(
    observations: Observations, rows: int, before: int, deviation: FloatArray
) -> FloatArray:
    """Compute the standardised returns of the last ``rows`` days and the days before them.

    Returns an array of shape (before + rows, k); NaN where unknown and before the first day.

    Args:
        observations: instrument features.
        rows: number of last days.
        before: number of days before these.
        deviation: (k,) standard deviations of the returns.
    """
    start = len(observations.days) - rows - before
    known = standardised_returns(
        observations.rows(max(start, 0), len(observations.days)), deviation
    )
    return np.concatenate([np.full((max(-start, 0), len(deviation)), np.nan), known])


def label_width(observations: Observations, prior_days: int) -> FloatArray:
    """Compute the (m,) divisors that turn expected labels into expected ranks, up to one factor.

    Of two independent normal labels, the first is larger with probability Phi(d / s), where d is
    the difference of their means and s the root of the sum of their variances. Here the pooled
    variance of all targets stands for that of the second label.

    Args:
        observations: known labels.
        prior_days: a target's variance is estimated as if it also had this many days with the
            pooled variance.
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
    """Compute (n, m) expected labels from the expected moves of the instruments.

    Args:
        moves: (n, h, k) expected log returns; at index i, over the window of a label of the i-th of
            the h horizons (``horizons_of(observations.lags)``), which begins with the close of the
            day after the forecast day.
        observations: the lags and legs of the targets.
    """
    result = np.empty((len(moves), len(observations.lags)))
    first, second = observations.legs.T
    for position, lag in enumerate(horizons_of(observations.lags)):
        of_lag = observations.lags == lag
        result[:, of_lag] = spread(moves[:, position], first[of_lag], second[of_lag])
    return result


def split_by_group(
    scores: Callable[[FloatArray, float], FloatArray], past: FloatArray, groups: Sequence[str]
) -> dict[str, FloatArray]:
    """Split scores into the parts of the drift and of each group's past returns.

    Args:
        scores: function from (days, k) past returns and a factor of the drift to (rows, m) scores;
            linear in both.
        past: (days, k) past returns.
        groups: group of each of the k instruments.
    """
    of_instrument = np.array(groups)
    parts = {
        group: scores(np.where(of_instrument == group, past, 0.0), 0.0)
        for group in np.unique(of_instrument).tolist()
    }
    return {"drift": scores(np.zeros_like(past), 1.0), **parts}

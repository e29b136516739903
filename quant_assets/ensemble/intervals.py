"""How far a target may move: intervals for labels that cover as often as they say.

Arrays only; which labels were known when, and where intervals are stored, is decided by the caller.

With y(s) a target's label of day s and sigma(t) the exponentially weighted root mean square of its
labels released by day t, the interval of day t is ``0 +- Q(1 - alpha(t)) * sigma(t)``:

- Split conformal prediction with locally weighted residuals ``r(s) = |y(s)| / sigma(s)`` (Lei,
  G'Sell, Rinaldo, Tibshirani and Wasserman 2018, "Distribution-free predictive inference for
  regression", section 5.2). Q is the quantile of the residuals released in the last ``WINDOW``
  days: the target's own and, weighing as much as ``PRIOR_RESIDUALS`` of them, those of all targets.
- Adaptive conformal inference (Gibbs and Candes 2021, "Adaptive conformal inference under
  distribution shift", equation 2): ``alpha(t) = alpha(t-1) + GAMMA * (alpha - missed(t))``, where
  missed(t) is the share of the labels released on day t that lay outside their intervals.

The centre is zero: an ensemble's score orders targets, and what it says about the size of a label
is too little to make intervals shorter.

Everything recurs from the first row, since adaptation has no end to its memory: the rows given must
begin with the first day of the history. In return each row costs the same, and a day has the same
bits however many rows follow it.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray, IntArray
from quant_assets.features.kernels import NEGLIGIBLE, ratio
from quant_assets.market.targets import MAX_LAG, shift

LEVELS = (0.8, 0.95)
HALF_LIFE = 40
"""Labels after which one weighs half as much in a target's volatility."""
MIN_LABELS = 20
"""Labels that a volatility needs."""
WINDOW = 500
"""Days whose released residuals are calibrated on."""
MIN_DAYS = 60
"""Days with residuals among them before there is any interval."""
PRIOR_RESIDUALS = 250.0
"""Residuals of its own that all targets' together weigh as much as."""
GAMMA = 0.02
"""Step of the adaptation."""
_EDGES = np.concatenate([[0.0], np.geomspace(0.05, 50.0, 140)])
"""Residuals are counted in bins 5% wide: counts are exact, whatever was added and taken away."""


def intervals(
    known_labels: FloatArray,
    lags: IntArray,
    forecasts: FloatArray,
    levels: Sequence[float] = LEVELS,
) -> FloatArray:
    """(n, m, 2 * levels) lower and upper bound of every label, by forecast day and level.

    Row t is known at the close of day t. Bounds are log returns over the target's lag, as labels
    are, in the order of the levels: lower, upper, lower, upper. Intervals of a higher level contain
    those of a lower one.

    Args:
        released: (n, m) labels by the day they become known, from the first day of the history on;
            NaN where there is none, which counts neither as a hit nor as a miss.
        lags: (m,) holding period in trading days, 1 to 4: row r holds the label of row
            r - lag - 1.
        forecasts: (n, m) scores by forecast day. Only where they are NaN matters: there is no
            interval there. One day alone is had by leaving all the others NaN.
        levels: shares of the labels to cover, ascending, between 0 and 1.

    NaN as well until ``MIN_DAYS`` days of the last ``WINDOW`` have residuals, for a target with
    fewer than ``MIN_LABELS`` labels, and for one that never moves. A target whose labels cease
    keeps its last volatility.

    Raises:
        ValueError: shapes that do not agree, lags out of range, levels that do not ascend
            between 0 and 1.
    """
    _require_agreement(known_labels, lags, forecasts)
    nominal = 1.0 - _ascending(levels)
    sigma = volatility(known_labels)
    residuals = ratio(np.abs(known_labels), _by_release(sigma, lags))
    half = _quantiles(residuals, lags, nominal) * sigma[:, :, None]
    half[np.isnan(forecasts)] = np.nan
    return np.stack([-half, half], axis=-1).reshape(*known_labels.shape, 2 * len(nominal))


def covered(bounds: FloatArray, labels: FloatArray) -> FloatArray:
    """(n, m, levels) 1 where a label lies within its interval, bounds included, and 0 elsewhere.

    Args:
        bounds: (n, m, 2 * levels) as :func:`intervals` returns them.
        labels: (n, m) labels by forecast day.

    NaN where there is no label or no interval. Known when the label is released.
    """
    lower, upper, label = bounds[:, :, 0::2], bounds[:, :, 1::2], labels[:, :, None]
    within = (lower <= label) & (label <= upper)
    return np.where(np.isnan(lower) | np.isnan(label), np.nan, within.astype(np.float64))


def volatility(known_labels: FloatArray) -> FloatArray:
    """(n, m) exponentially weighted root mean square of each target's labels released so far.

    Weights fall with the number of labels since, not of days: a missing label changes nothing.
    About zero, since over so few days a mean is noise. NaN below ``MIN_LABELS`` labels and where
    nothing moves.
    """
    decay = 0.5 ** (1.0 / HALF_LIFE)
    observed = ~np.isnan(known_labels)
    squares = np.where(observed, known_labels, 0.0) ** 2
    total, weight = np.zeros(known_labels.shape[1]), np.zeros(known_labels.shape[1])
    mean = np.zeros(known_labels.shape)
    for row, here in enumerate(observed):
        np.copyto(total, decay * total + squares[row], where=here)
        np.copyto(weight, decay * weight + 1.0, where=here)
        np.divide(total, weight, out=mean[row], where=weight > 0)
    sigma = np.sqrt(mean)
    sigma[(np.cumsum(observed, axis=0) < MIN_LABELS) | (sigma < NEGLIGIBLE)] = np.nan
    return sigma


def mixed_quantiles(counts: IntArray, probabilities: FloatArray) -> FloatArray:
    """(m, k) quantiles of each target's residuals, shrunk towards those of all targets.

    Args:
        counts: (m, bins) residuals per target and bin; one at least.
        probabilities: (k,) between 0 and 1.

    The distribution is the mean of the target's own and the pooled one, weighted by the number of
    its residuals and by ``PRIOR_RESIDUALS``: the posterior mean under a Dirichlet prior. Within a
    bin residuals count as evenly spread, above the last edge as equal to it.
    """
    pooled = counts.sum(axis=0)
    mass = counts + PRIOR_RESIDUALS * (pooled / pooled.sum())
    below = np.cumsum(mass, axis=1)
    every = np.arange(len(counts))
    edges = np.append(_EDGES, _EDGES[-1])
    result = np.empty((len(counts), len(probabilities)))
    for column, probability in enumerate(probabilities):
        wanted = probability * below[:, -1]
        found = np.count_nonzero(below < wanted[:, None], axis=1)
        inside = wanted - np.where(found > 0, below[every, found - 1], 0.0)
        width = edges[found + 1] - edges[found]
        result[:, column] = edges[found] + inside / mass[every, found] * width
    return result


def _quantiles(residuals: FloatArray, lags: IntArray, nominal: FloatArray) -> FloatArray:
    """(n, m, levels) Q(1 - alpha(t)) of every forecast day, from residuals by release day."""
    n, m = residuals.shape
    observed = ~np.isnan(residuals)
    bins = np.searchsorted(_EDGES, residuals, side="right") - 1
    enough = _days_in_window(observed) >= MIN_DAYS
    counts = np.zeros((m, len(_EDGES)), dtype=np.int64)
    every = np.arange(m)
    alpha = nominal
    result = np.full((n, m, len(nominal)), np.nan)
    for row in range(n):
        # There is no interval on the first row, which stands for all before it.
        due = result[np.maximum(row - lags - 1, 0), every]
        alpha = _adapted(alpha, nominal, residuals[row], due)
        _count(counts, bins, observed, row)
        if enough[row]:
            quantiles = mixed_quantiles(counts, 1.0 - alpha)
            result[row] = np.maximum.accumulate(quantiles, axis=1)
    return result


def _adapted(
    alpha: FloatArray, nominal: FloatArray, residuals: FloatArray, due: FloatArray
) -> FloatArray:
    """(levels,) next alpha, given a day's residuals and the quantiles that were set for them.

    Kept away from 0 and 1, where quantiles mean nothing.
    """
    judged = ~np.isnan(residuals) & ~np.isnan(due[:, 0])
    if not judged.any():
        return alpha
    missed = np.count_nonzero(residuals[judged, None] > due[judged], axis=0) / judged.sum()
    stepped = alpha + GAMMA * (nominal - missed)
    return np.asarray(stepped.clip(nominal / 5.0, (1.0 + nominal) / 2.0))


def _count(counts: IntArray, bins: AnyArray, observed: BoolArray, row: int) -> None:
    here = observed[row]
    counts[here, bins[row, here]] += 1
    if row >= WINDOW:
        gone = observed[row - WINDOW]
        counts[gone, bins[row - WINDOW, gone]] -= 1


def _days_in_window(observed: BoolArray) -> IntArray:
    """(n,) days of the window up to each row on which any residual was released."""
    days: IntArray = np.cumsum(observed.any(axis=1), dtype=np.int64)
    days[WINDOW:] -= days[:-WINDOW].copy()
    return days


def _by_release(values: FloatArray, lags: IntArray) -> FloatArray:
    """(n, m) values of the label's forecast day, by the day the label is released."""
    result = np.full_like(values, np.nan)
    for lag in range(1, MAX_LAG + 1):
        of_lag = lags == lag
        result[:, of_lag] = shift(values[:, of_lag], lag + 1)
    return result


def _ascending(levels: Sequence[float]) -> FloatArray:
    given = np.asarray(levels, dtype=np.float64)
    if not given.size or not (np.diff(given, prepend=0.0, append=1.0) > 0).all():
        raise ValueError(f"levels do not ascend between 0 and 1: {tuple(levels)}")
    return given


def _require_agreement(known_labels: FloatArray, lags: IntArray, forecasts: FloatArray) -> None:
    if known_labels.shape != forecasts.shape or lags.shape != known_labels.shape[1:]:
        raise ValueError(
            f"labels of shape {known_labels.shape}, forecasts of shape {forecasts.shape} and"
            f" lags of shape {lags.shape} do not agree"
        )
    if not ((lags >= 1) & (lags <= MAX_LAG)).all():
        raise ValueError(f"lags are not between 1 and {MAX_LAG}: {np.unique(lags)}")

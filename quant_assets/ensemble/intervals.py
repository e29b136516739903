"""Prediction intervals for labels whose coverage adapts to its nominal level.

Arrays only. The caller reads the known labels and stores the intervals.

Let y(s) be a target's label of day s, and sigma(t) the exponentially weighted root mean square of
its labels known on day t. The interval of day t is ``0 +- Q(1 - alpha(t)) * sigma(t)``:

- Split conformal prediction with locally weighted residuals ``r(s) = |y(s)| / sigma(s)`` (Lei,
  G'Sell, Rinaldo, Tibshirani and Wasserman 2018, "Distribution-free predictive inference for
  regression", section 5.2). Q is the quantile of the residuals that became known in the last
  ``WINDOW`` days: the target's own residuals, mixed with those of all targets, which weigh as much
  as ``PRIOR_RESIDUALS`` own residuals.
- Adaptive conformal inference (Gibbs and Candes 2021, "Adaptive conformal inference under
  distribution shift", equation 2): ``alpha(t) = alpha(t-1) + GAMMA * (alpha - missed(t))``, where
  missed(t) is the share of the labels that became known on day t outside their intervals.

The centre is zero: an ensemble's score orders the targets, and it predicts the size of a label too
poorly to make intervals shorter.

The adaptation depends on all days before, so the rows must begin with the first day of the history.
A day's bits do not depend on the rows after it. Residuals are counted and alpha adapts in
``ensemble.adaptation``.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.ensemble.adaptation import adaptive_quantiles
from quant_assets.features.kernels import NEGLIGIBLE, ratio
from quant_assets.market.targets import horizons_of, shift

LEVELS = (0.8, 0.95)
HALF_LIFE = 40
"""Number of later labels after which a label's weight in the volatility has halved."""
MIN_LABELS = 20
"""Labels that a target needs before it has a volatility."""


def intervals(
    known_labels: FloatArray,
    lags: IntArray,
    forecasts: FloatArray,
    levels: Sequence[float] = LEVELS,
) -> FloatArray:
    """Compute the lower and upper bound of every label, by forecast day and level.

    Returns an array of shape (n, m, 2 * levels) in the order lower, upper, lower, upper. Bounds are
    log returns over the target's lag, as labels are. The interval of a higher level contains that
    of a lower level. Row t is known at the close of day t.

    Bounds are NaN where ``forecasts`` is NaN, until ``MIN_DAYS`` of the last ``WINDOW`` days have
    residuals, for a target with fewer than ``MIN_LABELS`` labels, and for a target that never
    moves. A target whose labels end keeps its last volatility.

    Args:
        known_labels: (n, m) labels by the day on which they become known, from the first day of the
            history on. NaN where there is no label, which counts neither as covered nor as missed.
        lags: (m,) horizon in whole trading days, 1 or more: row r holds the label of forecast day
            r - lag - 1.
        forecasts: (n, m) scores by forecast day; only whether they are NaN matters. To get the
            intervals of one day, set all other days to NaN.
        levels: shares of the labels to cover, ascending, between 0 and 1.

    Raises:
        ValueError: shapes do not agree, a lag is below 1, or levels do not ascend between 0
            and 1.

    Examples:
        Labels whose standard deviation is 1, so that 80 % lie within about 1.28 and 95 % within
        about 1.96:

        >>> known_labels = np.random.default_rng(0).normal(size=(400, 3))
        >>> lags = np.array([1, 2, 4])
        >>> bounds = intervals(known_labels, lags, forecasts=np.zeros((400, 3)))
        >>> bounds.shape
        (400, 3, 4)
        >>> bounds[-1, 0].round(1)
        array([-1.2,  1.2, -1.9,  1.9])
    """
    if known_labels.shape != forecasts.shape:
        raise ValueError(
            f"forecasts of shape {forecasts.shape} and labels of shape {known_labels.shape} differ"
        )
    rows = np.flatnonzero(~np.isnan(forecasts).all(axis=1))
    bounds = np.full((*known_labels.shape, 2 * len(levels)), np.nan)
    bounds[rows], _ = resume_intervals(known_labels, lags, rows, np.empty((0, len(levels))), levels)
    bounds[np.isnan(forecasts)] = np.nan
    return bounds


def resume_intervals(
    known_labels: FloatArray,
    lags: IntArray,
    rows: IntArray,
    alpha: FloatArray,
    levels: Sequence[float] = LEVELS,
) -> tuple[FloatArray, FloatArray]:
    """Compute the bounds of every label of some days, going on from an adaptation so far.

    Returns bounds of shape (k, m, 2 * levels) as :func:`intervals` does, whatever the forecasts
    are, and the (n, levels) alpha of all rows. The bits do not depend on how many rows of alpha are
    given, and each row that is given saves the quantiles of a day.

    Args:
        known_labels: (n, m) labels by the day on which they become known, from the first day of the
            history on.
        lags: (m,) horizon in whole trading days, 1 or more.
        rows: (k,) the rows whose bounds are wanted, ascending.
        alpha: (p, levels) alpha of the first p rows, computed from equal labels; p may be 0.
        levels: shares of the labels to cover, ascending, between 0 and 1.

    Raises:
        ValueError: as for :func:`intervals`.
    """
    _require_agreement(known_labels, lags)
    nominal = 1.0 - _require_ascending(levels)
    sigma = volatility(known_labels)
    residuals = ratio(np.abs(known_labels), _by_known_day(sigma, lags))
    half, alpha = adaptive_quantiles(residuals, lags, nominal, rows, alpha)
    half *= sigma[rows, :, None]
    bounds = np.stack([-half, half], axis=-1).reshape(len(rows), len(lags), 2 * len(nominal))
    return bounds, alpha


def covered(bounds: FloatArray, labels: FloatArray) -> FloatArray:
    """Compute whether each label lies within its interval, bounds included.

    Returns an array of shape (n, m, levels): 1 where the interval covers the label, 0 where it
    misses it, NaN where there is no label or no interval. A value is known once its label is.

    Args:
        bounds: (n, m, 2 * levels) bounds as :func:`intervals` returns them.
        labels: (n, m) labels by forecast day; NaN where empty.

    Examples:
        One day and one level; the first label is covered, the second missed, the third unknown:

        >>> bounds = np.array([[[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]]])
        >>> covered(bounds, np.array([[0.5, 2.0, np.nan]])).ravel()
        array([ 1.,  0., nan])
    """
    lower, upper, label = bounds[:, :, 0::2], bounds[:, :, 1::2], labels[:, :, None]
    within = (lower <= label) & (label <= upper)
    return np.where(np.isnan(lower) | np.isnan(label), np.nan, within.astype(np.float64))


def volatility(known_labels: FloatArray) -> FloatArray:
    """Compute the exponentially weighted root mean square of each target's labels known so far.

    Returns an array of shape (n, m), in the units of labels; NaN with fewer than ``MIN_LABELS``
    labels and for a target that does not move. A weight decreases with the number of later labels,
    not of days, so a missing label changes nothing. Squares are taken about zero, since the mean of
    so few labels is noise.

    Args:
        known_labels: (n, m) labels by the day on which they become known; NaN where empty.
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


def _by_known_day(values: FloatArray, lags: IntArray) -> FloatArray:
    """Index (n, m) values of forecast days by the day on which the label becomes known."""
    result = np.full_like(values, np.nan)
    for lag in horizons_of(lags):
        of_lag = lags == lag
        result[:, of_lag] = shift(values[:, of_lag], lag + 1)
    return result


def _require_ascending(levels: Sequence[float]) -> FloatArray:
    array = np.asarray(levels, dtype=np.float64)
    if not array.size or not (np.diff(array, prepend=0.0, append=1.0) > 0).all():
        raise ValueError(f"levels do not ascend between 0 and 1: {tuple(levels)}")
    return array


def _require_agreement(known_labels: FloatArray, lags: IntArray) -> None:
    if lags.shape != known_labels.shape[1:]:
        raise ValueError(
            f"labels of shape {known_labels.shape} and lags of shape {lags.shape} do not agree"
        )
    if not (lags >= 1).all():
        raise ValueError(f"lags are not 1 or more: {np.unique(lags)}")

"""Weights of the ensemble's members, learnt from their past daily ICs and shrunk to equal weights.

Arrays only. The caller reads the ICs and knows when each became known.
"""

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray

PRIOR_DAYS = 500
"""Days by which ratios are shrunk to their mean, and correlations to zero."""
MIN_DAYS = 20
"""Days with an IC before weights are learnt."""


def learned_weights(ic: FloatArray, prior_days: int = PRIOR_DAYS) -> FloatArray:
    """Compute the weights of k families on each day, from the daily ICs known by then.

    The weights maximise the ratio of mean to standard deviation of the blend's IC, which is the
    competition's score: ``inverse(C) r / s`` with the ICs' deviations s, ratios r of mean to
    deviation, and correlations C (Markowitz, "Portfolio Selection", 1952, with families for
    assets). Ratios are shrunk towards their mean over the families and correlations towards zero,
    as if these had been observed on ``prior_days`` further days. Negative ratios and weights are
    set to zero. A family without ICs gets the mean ratio and deviation of the others.

    Returns an array of shape (n, k), none negative, each row summing to k. Weights are equal for
    the first MIN_DAYS days, and while every family's ratio is zero or negative. Row t depends on
    rows up to t only.

    Args:
        ic: (n, k) daily ICs by the day on which they became known; NaN where a family has no IC.
        prior_days: strength of the shrinkage, above 0.

    Examples:
        The second family's ICs are better than the first's by 0.1 every day:

        >>> ic = np.tile([0.1, -0.1, 0.2, 0.0], 100)[:, None] + np.array([0.0, 0.1])
        >>> learned_weights(ic)[[0, 399]].round(2)
        array([[1.  , 1.  ],
               [0.42, 1.58]])
    """
    n, k = ic.shape
    known = ~np.isnan(ic)
    values = np.where(known, ic, 0.0)
    days = np.cumsum(known, axis=0)
    mean = np.cumsum(values, axis=0) / np.maximum(days, 1)
    variance = np.cumsum(values**2, axis=0) / np.maximum(days, 1) - mean**2
    varies = (days >= 2) & (variance > 0)
    deviation = np.sqrt(np.where(varies, variance, np.nan))
    deviation = np.where(varies, deviation, _mean_of_known(deviation))
    ratio = np.where(varies, mean / np.where(varies, deviation, 1.0), np.nan)
    ratio = _shrink(np.nan_to_num(ratio), _mean_of_known(ratio), days * varies, prior_days)
    scale = np.where(varies, deviation, np.inf)
    correlation = _shrunk_correlations(values, known, mean, scale, prior_days)
    weights = np.linalg.solve(correlation, np.maximum(ratio, 0.0)[:, :, None])[:, :, 0]
    weights = np.maximum(np.nan_to_num(weights / deviation), 0.0)
    sums = weights.sum(axis=1, keepdims=True)
    learnt = (sums > 0) & (days.max(axis=1, keepdims=True) > MIN_DAYS)
    return np.where(learnt, weights / np.where(sums > 0, sums, 1.0) * k, np.ones((n, k)))


def _mean_of_known(values: FloatArray) -> FloatArray:
    """Compute the (n, 1) mean over the families that have a value; NaN if none has."""
    known = ~np.isnan(values)
    count = known.sum(axis=1, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _shrink(values: FloatArray, prior: FloatArray, days: FloatArray, prior_days: int) -> FloatArray:
    return (days * values + prior_days * np.nan_to_num(prior)) / (days + prior_days)


def _shrunk_correlations(
    values: FloatArray,
    known: BoolArray,
    mean: FloatArray,
    deviation: FloatArray,
    prior_days: int,
) -> FloatArray:
    """Compute (n, k, k) correlations over the days that both families have, shrunk to zero."""
    both = np.cumsum(known[:, :, None] & known[:, None, :], axis=0)
    products = np.cumsum(values[:, :, None] * values[:, None, :], axis=0) / np.maximum(both, 1)
    covariance = products - mean[:, :, None] * mean[:, None, :]
    correlation = np.clip(covariance / (deviation[:, :, None] * deviation[:, None, :]), -1.0, 1.0)
    correlation = np.asarray(correlation * both / (both + prior_days))
    diagonal = np.arange(values.shape[1])
    correlation[:, diagonal, diagonal] = 1.0
    return correlation

"""How much each family counts: learnt from its past daily ICs, shrunk towards all the same.

Arrays only; whose ICs, and when they were known, is decided by the caller.
"""

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray

PRIOR_DAYS = 500
MIN_DAYS = 20


def learned_weights(ic: FloatArray, prior_days: int = PRIOR_DAYS) -> FloatArray:
    """(n, k) weights of k families after each row, none negative, each row summing to k.

    Those that would have given the blend's IC the best ratio of mean to deviation, which is the
    metric: ``inverse(C) r / s`` with the ICs' deviations s, ratios r and correlations C (Markowitz,
    "Portfolio Selection", 1952, with families for assets). Ratios are shrunk towards their mean
    over the families, correlations towards none, as if that had been observed on ``prior_days``
    further days; ratios below zero count as zero, and so do weights. A family without ICs has the
    others' mean ratio and deviation. Equal weights for the first MIN_DAYS days, and as long as no
    family is any good.

    Args:
        ic: (n, k) daily ICs by the day they became known; NaN where a family has none.
        prior_days: strength of the shrinkage, above 0.

    A row depends on that row and those before it.
    """
    n, k = ic.shape
    known = ~np.isnan(ic)
    values = np.where(known, ic, 0.0)
    days = np.cumsum(known, axis=0)
    mean = np.cumsum(values, axis=0) / np.maximum(days, 1)
    variance = np.cumsum(values**2, axis=0) / np.maximum(days, 1) - mean**2
    some = (days >= 2) & (variance > 0)
    deviation = np.sqrt(np.where(some, variance, np.nan))
    deviation = np.where(some, deviation, _mean_of_known(deviation))
    ratio = np.where(some, mean / np.where(some, deviation, 1.0), np.nan)
    ratio = _shrink(np.nan_to_num(ratio), _mean_of_known(ratio), days * some, prior_days)
    correlation = _correlations(values, known, mean, np.where(some, deviation, np.inf), prior_days)
    weights = np.linalg.solve(correlation, np.maximum(ratio, 0.0)[:, :, None])[:, :, 0]
    weights = np.maximum(np.nan_to_num(weights / deviation), 0.0)
    sums = weights.sum(axis=1, keepdims=True)
    learnt = (sums > 0) & (days.max(axis=1, keepdims=True) > MIN_DAYS)
    return np.where(learnt, weights / np.where(sums > 0, sums, 1.0) * k, np.ones((n, k)))


def _mean_of_known(values: FloatArray) -> FloatArray:
    """(n, 1) mean over the families that have a value; NaN if none has."""
    known = ~np.isnan(values)
    count = known.sum(axis=1, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _shrink(
    values: FloatArray, towards: FloatArray, days: FloatArray, prior_days: int
) -> FloatArray:
    return (days * values + prior_days * np.nan_to_num(towards)) / (days + prior_days)


def _correlations(
    values: FloatArray,
    known: BoolArray,
    mean: FloatArray,
    deviation: FloatArray,
    prior_days: int,
) -> FloatArray:
    """(n, k, k) correlations over the days that both have, shrunk towards none."""
    both = np.cumsum(known[:, :, None] & known[:, None, :], axis=0)
    products = np.cumsum(values[:, :, None] * values[:, None, :], axis=0) / np.maximum(both, 1)
    covariance = products - mean[:, :, None] * mean[:, None, :]
    found = np.clip(covariance / (deviation[:, :, None] * deviation[:, None, :]), -1.0, 1.0)
    found = np.asarray(found * both / (both + prior_days))
    diagonal = np.arange(values.shape[1])
    found[:, diagonal, diagonal] = 1.0
    return found

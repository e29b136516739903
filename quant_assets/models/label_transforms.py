"""What the families learn: labels made comparable across days and targets, and their covariance.

A score's daily correlation with the labels is a portfolio's return with the score as its weights.
The competition's metric, mean over standard deviation, is therefore largest for the expected labels
times the inverse of their covariance (Markowitz, "Portfolio Selection", 1952), not for the expected
labels themselves.
"""

import numpy as np

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray
from quant_assets.models.protocol import Observations

MIN_DAYS = 60


def ranked_labels(observations: Observations) -> FloatArray:
    """(n, m) each day's labels as ranks in (-1, 1), by the day they are forecast on.

    NaN where a label is empty or not yet released.

    Raises:
        NotEnoughHistoryError: fewer than MIN_DAYS days have a released label.
    """
    ranks = standardised_ranks(observations.labels())
    days = int((~np.isnan(ranks)).any(axis=1).sum())
    if days < MIN_DAYS:
        raise NotEnoughHistoryError(
            "too few days with released labels to fit on",
            where=f"as of {observations.days[-1]}",
            expected=f"at least {MIN_DAYS}",
            found=days,
            hint="materialise features.labels of earlier days, or fit on a later day",
        )
    return ranks


def standardised_labels(observations: Observations, clip: float) -> FloatArray:
    """(n, m) labels in units of their spread's volatility, with mean 0 and deviation 1 each day.

    Args:
        observations: labels are by the day they are forecast on, the volatility is what was known then.
        clip: of the result, plus and minus.

    NaN where a label is empty, not yet released or of a spread without volatility, and on days
    with a single label.
    """
    volatility = observations.target.column("spread_volatility").astype(np.float64)
    scaled = observations.labels() / np.where(volatility > 0, volatility, np.nan)
    known = np.maximum((~np.isnan(scaled)).sum(axis=1, keepdims=True), 1)
    scaled -= np.nansum(scaled, axis=1, keepdims=True) / known
    deviation = np.sqrt(np.nansum(scaled**2, axis=1, keepdims=True) / known)
    scaled /= np.where(deviation > 0, deviation, np.nan)
    return np.asarray(np.clip(scaled, -clip, clip))


def day_weights(labels: FloatArray) -> FloatArray:
    """(k,) weights of the k known labels: each day weighs the same, and the mean is 1."""
    known = ~np.isnan(labels)
    weight = (known / np.maximum(known.sum(axis=1, keepdims=True), 1))[known]
    return np.asarray(weight / weight.mean())


def decorrelation(ranks: FloatArray, shrinkage: float) -> FloatArray:
    """(m, m) inverse of the covariance of ranks, in units of their mean variance.

    Expected ranks times this is the score with the largest mean over deviation.

    Args:
        ranks: (n, m) daily ranks; an empty one counts as the middle.
        shrinkage: share of the identity mixed in; with 1 the result is the identity. Ranks of
            overlapping holding periods hold less than n days, so it wants to be large.
    """
    known = (~np.isnan(ranks)).any(axis=1)
    covariance = np.cov(np.nan_to_num(ranks[known]), rowvar=False, ddof=0)
    variance = max(float(np.trace(covariance)) / len(covariance), np.finfo(float).tiny)
    mixed = (1.0 - shrinkage) * covariance / variance + shrinkage * np.eye(len(covariance))
    return np.asarray(np.linalg.inv(mixed), dtype=np.float64)


def day_by_day(x: FloatArray, matrix: FloatArray) -> FloatArray:
    """(n, m) product of (n, p) days and a (p, m) matrix, one day at a time.

    A product over many days may round differently from one over a single day, and a replayed day
    must give the same bits.
    """
    return np.stack([day @ matrix for day in x])

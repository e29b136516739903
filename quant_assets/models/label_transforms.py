"""Labels made comparable across days and targets, and the covariance of their ranks.

The daily correlation of scores and labels is the return of a portfolio whose weights are the
scores. The competition's score, mean over standard deviation, is therefore largest for the expected
labels times the inverse of their covariance (Markowitz, "Portfolio Selection", 1952), not for the
expected labels themselves.
"""

import numpy as np

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray
from quant_assets.models.low_rank import Matrix, invert_shrunk
from quant_assets.models.protocol import Observations

MIN_DAYS = 60
WHOLE_MATRIX = 2000
"""Number of targets up to which the inverse of their covariance is a plain array."""

POOLED_ROWS = 2_000_000
"""Number of labels up to which a learner over the rows of all targets is fitted to all of them."""


def ranked_labels(observations: Observations) -> FloatArray:
    """Compute each day's labels as ranks in (-1, 1), by forecast day.

    Returns an array of shape (n, m); NaN where a label is empty or not known on the last day.

    Raises:
        NotEnoughHistoryError: fewer than MIN_DAYS days have a known label.
    """
    ranks = standardised_ranks(observations.labels())
    days = int((~np.isnan(ranks)).any(axis=1).sum())
    if days < MIN_DAYS:
        raise NotEnoughHistoryError(
            "too few days with known labels to fit on",
            where=f"as of {observations.days[-1]}",
            expected=f"at least {MIN_DAYS}",
            found=days,
            hint="materialise features.labels of earlier days, or fit on a later day",
        )
    return ranks


def standardised_labels(observations: Observations, clip: float) -> FloatArray:
    """Compute labels in units of their spread's volatility, with mean 0 and deviation 1 each day.

    The volatility of a label is the value known on its forecast day. Returns an array of shape
    (n, m) by forecast day; NaN where a label is empty or not known on the last day, where the
    spread has no volatility, and on days with a single label.

    Args:
        observations: labels and target features.
        clip: the result is clipped to plus and minus this.
    """
    volatility = observations.target.column("spread_volatility").astype(np.float64)
    scaled = observations.labels() / np.where(volatility > 0, volatility, np.nan)
    known = np.maximum((~np.isnan(scaled)).sum(axis=1, keepdims=True), 1)
    scaled -= np.nansum(scaled, axis=1, keepdims=True) / known
    deviation = np.sqrt(np.nansum(scaled**2, axis=1, keepdims=True) / known)
    scaled /= np.where(deviation > 0, deviation, np.nan)
    return np.asarray(np.clip(scaled, -clip, clip))


def sample_known(labels: FloatArray, seed: int, limit: int = POOLED_ROWS) -> FloatArray:
    """Keep a random part of the known labels if there are more than a pooled learner needs.

    Every day keeps the same share, because days differ more than the targets of a day.

    Returns labels of shape (n, m), the given array if it has few enough labels; NaN where a label
    is not known or not kept.

    Args:
        labels: (n, m) labels; NaN where unknown.
        seed: seed of the choice.
        limit: number of labels up to which all are kept.
    """
    share = limit / max(int((~np.isnan(labels)).sum()), 1)
    if share >= 1.0:
        return labels
    rng = np.random.default_rng(seed)
    kept = labels.copy()
    for day in kept:
        known = np.flatnonzero(~np.isnan(day))
        day[rng.permutation(known)[round(share * len(known)) :]] = np.nan
    return kept


def take_known(features: FloatArray, labels: FloatArray) -> FloatArray:
    """Return the (k, p) features of the k known labels, day by day.

    Args:
        features: (n, m, p) features.
        labels: (n, m) labels; NaN where unknown.
    """
    known = ~np.isnan(labels)
    result = np.empty((int(known.sum()), features.shape[2]), dtype=features.dtype)
    stop = 0
    for day, of_day in zip(features, known, strict=True):
        start, stop = stop, stop + int(of_day.sum())
        result[start:stop] = day[of_day]
    return result


def day_weights(labels: FloatArray) -> FloatArray:
    """Compute the (k,) weights of the k known labels: days weigh equally, the mean weight is 1."""
    known = ~np.isnan(labels)
    weight = (known / np.maximum(known.sum(axis=1, keepdims=True), 1))[known]
    return np.asarray(weight / weight.mean())


def decorrelation_matrix(ranks: FloatArray, shrinkage: float) -> Matrix:
    """Compute the (m, m) inverse of the covariance of ranks, in units of their mean variance.

    Expected ranks times this matrix are the scores with the largest mean over deviation. Above
    ``WHOLE_MATRIX`` targets it comes as factors, which n days give exactly.

    Args:
        ranks: (n, m) daily ranks; NaN counts as the middle rank, 0.
        shrinkage: share of the identity in the covariance; with 1 the result is the identity. It
            should be large, since overlapping holding periods make n days worth fewer.
    """
    known = (~np.isnan(ranks)).any(axis=1)
    if ranks.shape[1] > WHOLE_MATRIX:
        return _decorrelate_many(np.nan_to_num(ranks[known]), shrinkage)
    covariance = np.cov(np.nan_to_num(ranks[known]), rowvar=False, ddof=0)
    variance = max(float(np.trace(covariance)) / len(covariance), np.finfo(float).tiny)
    mixed = (1.0 - shrinkage) * covariance / variance + shrinkage * np.eye(len(covariance))
    return np.asarray(np.linalg.inv(mixed), dtype=np.float64)


def _decorrelate_many(ranks: FloatArray, shrinkage: float) -> Matrix:
    deviations = ranks - ranks.mean(axis=0)
    variance = max(float(np.mean(deviations**2)), np.finfo(float).tiny)
    return invert_shrunk(deviations, (1.0 - shrinkage) / (len(ranks) * variance), shrinkage)


def multiply_by_day(x: FloatArray, matrix: Matrix) -> FloatArray:
    """Compute the (n, m) product of (n, p) inputs and a (p, m) matrix, one day at a time.

    A product over many days may round differently from one over a single day, and a day forecast
    again alone must give the same bits.
    """
    return np.stack([day @ matrix for day in x])

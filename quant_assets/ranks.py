"""Ranks across a day's units: the one ranking used by features, models, ensemble and metric."""

import numpy as np

from quant_assets.typing import FloatArray


def average_ranks(values: FloatArray) -> FloatArray:
    """(n, m) ranks within each row, from 1, ties sharing their average; NaN stays NaN.

    The same as ``scipy.stats.rankdata`` over the finite entries of each row.
    """
    if not values.size:
        return values.astype(np.float64)
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    starts = np.ones(ordered.shape, dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    position = np.arange(values.shape[1], dtype=np.float64)
    if starts.all():
        shared = np.broadcast_to(position + 1.0, ordered.shape)
    else:
        ends = np.ones_like(starts)
        ends[:, :-1] = starts[:, 1:]
        first = np.maximum.accumulate(np.where(starts, position, 0.0), axis=1)
        last = np.where(ends, position, position[-1])[:, ::-1]
        shared = (first + np.minimum.accumulate(last, axis=1)[:, ::-1]) / 2.0 + 1.0
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, shared, axis=1)
    ranks[np.isnan(values)] = np.nan
    return ranks


def standardised_ranks(values: FloatArray) -> FloatArray:
    """(n, m) ranks scaled to the open interval (-1, 1) with mean zero; NaN stays NaN."""
    ranks = average_ranks(values)
    count = np.sum(~np.isnan(values), axis=1, keepdims=True)
    return np.asarray((2.0 * ranks - count - 1.0) / np.maximum(count, 1))

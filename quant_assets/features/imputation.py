"""Estimates of missing closes: the mean of a return given the day's returns of other instruments.

Arrays only. An estimate of day t depends on the day's closes and on earlier closes. Only features
use estimates; labels are computed from observed closes.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.features.instruments import WINSOR_WINDOW, winsorised_returns
from quant_assets.features.kernels import NEGLIGIBLE, min_count, positive_log, tail_rows
from quant_assets.market.targets import shift

_LEAST_SHRINKAGE = 1e-6


@dataclass(frozen=True)
class ImputedCloses:
    """Estimates of missing closes.

    Attributes:
        value: (n, k) estimated closes; NaN where a close was observed, where there was none in the
            ``limit`` days before, and before the first.
        standard_error: (n, k) standard errors of the log closes; NaN also where the history is too
            short for an estimate, and the last close is the value.
    """

    value: FloatArray
    standard_error: FloatArray


def imputation_lookback(window: int, limit: int) -> int:
    """Return the number of days before a day whose closes its estimates need."""
    return window + limit + WINSOR_WINDOW


def impute_closes(close: FloatArray, window: int, limit: int, rows: int) -> ImputedCloses:
    """Estimate the missing closes of the last days from the returns of the other instruments.

    The estimate is the last close times exp(sum of m), over the days since, where m is the mean of
    the daily log return given the returns of the day that were observed. Errors of different days
    are taken as independent. Returns arrays of shape (rows, k).

    Args:
        close: (n, k) closes; NaN where nothing was observed. With ``imputation_lookback`` rows
            before the last ``rows``, the result equals that from the whole history bit for bit.
        window: number of rows before a day from which the covariance of returns is estimated.
        limit: number of days in a row without a close that are estimated.
        rows: number of last rows to return.
    """
    from threadpoolctl import threadpool_limits

    returns = winsorised_returns(positive_log(close))
    gap, last = _measure_gaps(close)
    open_gap = (gap > 0) & (gap <= limit) & ~np.isnan(last)
    mean, variance = np.zeros(close.shape), np.full(close.shape, np.nan)
    first = max(len(close) - rows - limit + 1, 0)
    # The bits of a product can depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        for day in first + np.flatnonzero(open_gap[first:].any(axis=1)):
            history = returns[max(day - window, 0) : day]
            mean[day], variance[day] = estimate_returns(
                history, returns[day], open_gap[day], min_count(window)
            )
    total, squares = _sum_over_gap(mean, gap, limit), _sum_over_gap(variance, gap, limit)
    value = np.where(open_gap, last * np.exp(total), np.nan)
    error = np.where(open_gap, np.sqrt(squares), np.nan)
    return ImputedCloses(tail_rows(value, rows), tail_rows(error, rows))


def estimate_returns(
    history: FloatArray, returns: FloatArray, missing: BoolArray, least: int
) -> tuple[FloatArray, FloatArray]:
    """Estimate a day's missing returns: their mean and variance, given the observed returns.

    Returns are taken as normal with mean zero. Their correlations are shrunk towards none by the
    estimate of Ledoit and Wolf ("A well-conditioned estimator for large-dimensional covariance
    matrices", 2004); a missing return of the history counts as zero. With p instruments and T days,
    the matrices are T x T, by the identity of Woodbury: O(T^2 p) operations, and O(T p) memory.

    Returns arrays of shape (k,). The mean is zero and the variance NaN where nothing is estimated.

    Args:
        history: (T, k) returns of the days before; NaN where missing.
        returns: (k,) returns of the day; NaN where missing.
        missing: (k,) the instruments to estimate.
        least: number of returns in the history from which an instrument takes part.
    """
    known = ~np.isnan(history)
    squares = np.where(known, history * history, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    deviation = np.sqrt(squares / np.maximum(count, 1))
    usable = (count >= least) & (deviation >= NEGLIGIBLE)
    given, wanted = np.flatnonzero(usable & ~np.isnan(returns)), np.flatnonzero(usable & missing)
    mean, variance = np.zeros(len(returns)), np.full(len(returns), np.nan)
    if not len(wanted):
        return mean, variance
    days = len(history)
    # An array that `take` returns is contiguous, so that its products have the same bits always.
    z_given, z_wanted = (
        np.nan_to_num(np.take(history, i, axis=1)) * np.sqrt(days / squares[i])
        for i in (given, wanted)
    )
    gram = z_given @ z_given.T
    shrinkage = ledoit_wolf_shrinkage(gram + z_wanted @ z_wanted.T, len(given) + len(wanted))
    weight = (1 - shrinkage) / days
    inner = weight * gram + shrinkage * np.eye(days)
    moves = z_given @ (returns[given] / deviation[given])
    solved = np.linalg.solve(inner, np.column_stack([moves, z_wanted]))
    mean[wanted] = deviation[wanted] * weight * (z_wanted.T @ solved[:, 0])
    unexplained = shrinkage * (1 + weight * (z_wanted * solved[:, 1:]).sum(axis=0))
    variance[wanted] = deviation[wanted] ** 2 * unexplained
    return mean, variance


def ledoit_wolf_shrinkage(gram: FloatArray, columns: int) -> float:
    """Compute the shrinkage of a correlation matrix from the products of its days.

    It equals scikit-learn's ``ledoit_wolf_shrinkage(z, assume_centered=True)``, which takes
    O(T p^2) operations. It is at least 1e-6, so that equal series do no harm.

    Args:
        gram: (T, T) products z z', where the columns of z have a mean square of 1.
        columns: number p of columns of z.
    """
    days = len(gram)
    distance = (gram * gram).sum() / days**2 - columns
    if distance <= 0:
        return 1.0
    noise = ((np.diagonal(gram) ** 2).sum() / days - distance - columns) / days
    return float(np.clip(noise / distance, _LEAST_SHRINKAGE, 1.0))


def _measure_gaps(close: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the (n, k) number of days since the last close, and that close; NaN before any."""
    rows = np.arange(len(close))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(close), 0, rows), axis=0)
    return rows - last, np.take_along_axis(close, last, axis=0)


def _sum_over_gap(values: FloatArray, gap: IntArray, limit: int) -> FloatArray:
    """Sum (n, k) values of the days since the last close, of which there are ``limit`` at most."""
    total = values.copy()
    for days in range(1, limit):
        total += np.where(gap > days, shift(values, days), 0.0)
    return total

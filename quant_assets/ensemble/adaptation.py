"""The adaptation of intervals: quantiles of past residuals, and the share of labels to miss.

Arrays only. Labels, volatility and bounds belong in ``ensemble.intervals``, which says the method
and its sources.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray, IntArray
from quant_assets.market.targets import horizons_of

WINDOW = 500
"""Days whose residuals the quantiles are computed from."""
MIN_DAYS = 60
"""Days with residuals in the window before there are intervals."""
PRIOR_RESIDUALS = 250.0
"""Weight of the residuals of all targets together, as a number of a target's own residuals."""
GAMMA = 0.02
"""Step of the adaptation."""
_TARGETS_AT_ONCE = 512
"""Number of targets whose residuals fit into the processor's cache."""
_EDGES = np.concatenate([[0.0], np.geomspace(0.05, 50.0, 140)])
"""Edges of the bins, 5% wide, in which residuals are counted, so that sums stay exact."""


def mixed_quantiles(counts: IntArray, probabilities: FloatArray) -> FloatArray:
    """Compute quantiles of each target's residuals, shrunk towards those of all targets.

    The distribution is the mean of the target's own and the pooled distribution, weighted by the
    number of the target's residuals and by ``PRIOR_RESIDUALS``: the posterior mean under a
    Dirichlet prior. Residuals within a bin count as evenly spread, residuals above the last edge
    as equal to it.

    Returns an array of shape (m, k), in the units of residuals.

    Args:
        counts: (m, bins) number of residuals per target and bin; at least one in all.
        probabilities: (k,) probabilities between 0 and 1.
    """
    pooled = counts.sum(axis=0)
    prior = PRIOR_RESIDUALS * (pooled / pooled.sum())
    result = np.empty((len(counts), len(probabilities)))
    for start in range(0, len(counts), _TARGETS_AT_ONCE):
        part = slice(start, start + _TARGETS_AT_ONCE)
        result[part] = _quantiles_of(counts[part] + prior, probabilities)
    return result


def _quantiles_of(mass: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Compute the (m, k) quantiles of (m, bins) masses."""
    below = np.cumsum(mass, axis=1)
    targets = np.arange(len(mass))
    edges = np.append(_EDGES, _EDGES[-1])
    result = np.empty((len(mass), len(probabilities)))
    for column, probability in enumerate(probabilities):
        mass_below = probability * below[:, -1]
        # Masses below ascend: the first bin that reaches the probability follows the others.
        bins = np.argmax(below >= mass_below[:, None], axis=1)
        inside = mass_below - np.where(bins > 0, below[targets, bins - 1], 0.0)
        width = edges[bins + 1] - edges[bins]
        result[:, column] = edges[bins] + inside / mass[targets, bins] * width
    return result


def adaptive_quantiles(
    residuals: FloatArray, lags: IntArray, nominal: FloatArray, rows: IntArray, alpha: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute the quantiles Q(1 - alpha(t)) of some days, and alpha of every day.

    Returns quantiles of shape (k, m, levels), NaN on a day with fewer than ``MIN_DAYS`` days in its
    window, and the (n, levels) alpha.

    Args:
        residuals: (n, m) residuals by the day on which they become known; NaN where missing.
        lags: (m,) horizons in trading days.
        nominal: (levels,) shares of the labels to miss.
        rows: (k,) the rows whose quantiles are wanted, ascending.
        alpha: (p, levels) alpha of the first p rows, computed from equal residuals; p may be 0.
    """
    n, m = residuals.shape
    horizons = [(lag, np.flatnonzero(lags == lag)) for lag in horizons_of(lags)]
    reach = max((lag for lag, _ in horizons), default=0) + 1
    needed, first = _find_needed(n, [lag for lag, _ in horizons], rows, len(alpha))
    begin = max(first - WINDOW + 1, 0)
    observed = ~np.isnan(residuals)
    enough = _days_in_window(observed) >= MIN_DAYS
    bins = np.searchsorted(_EDGES, residuals[begin:], side="right") - 1
    counts = np.zeros((m, len(_EDGES)), dtype=np.int64)
    alphas = np.concatenate([alpha[:n], np.empty((max(n - len(alpha), 0), len(nominal)))])
    missing = np.full((m, len(nominal)), np.nan)
    quantiles: dict[int, FloatArray] = {}
    result = np.full((len(rows), m, len(nominal)), np.nan)
    place = {row: i for i, row in enumerate(rows.tolist())}
    for row in range(begin, n):
        if row >= len(alpha):
            # The first row has no interval, so it can stand for all rows before the history.
            forecast = missing.copy()
            for lag, targets in horizons:
                forecast[targets] = quantiles.get(row - lag - 1, missing)[targets]
            before = alphas[row - 1] if row else nominal
            alphas[row] = _adapt(before, nominal, residuals[row], forecast)
        _update_counts(counts, bins, observed[begin:], row - begin)
        if needed[row] and enough[row]:
            of_row = mixed_quantiles(counts, 1.0 - alphas[row])
            quantiles[row] = np.maximum.accumulate(of_row, axis=1)
            if row in place:
                result[place[row]] = quantiles[row]
        quantiles.pop(row - reach, None)
    return result, alphas


def _find_needed(n: int, lags: Sequence[int], rows: IntArray, known: int) -> tuple[BoolArray, int]:
    """Find the rows whose quantiles are needed, and the first of them.

    Args:
        n: number of rows.
        lags: the distinct horizons.
        rows: rows whose quantiles are wanted.
        known: number of rows whose alpha is known.
    """
    needed = np.zeros(n, dtype=np.bool_)
    needed[rows] = True
    for lag in lags:
        forecast = np.arange(known, n) - lag - 1
        needed[forecast[forecast >= 0]] = True
    first = int(np.argmax(needed)) if needed.any() else n
    return needed, min(first, known)


def _adapt(
    alpha: FloatArray, nominal: FloatArray, residuals: FloatArray, quantiles: FloatArray
) -> FloatArray:
    """Compute the next (levels,) alpha from a day's residuals and the quantiles forecast for them.

    Alpha is kept away from 0 and 1, where a quantile says nothing.
    """
    known = ~np.isnan(residuals) & ~np.isnan(quantiles[:, 0])
    if not known.any():
        return alpha
    missed = np.count_nonzero(residuals[known, None] > quantiles[known], axis=0) / known.sum()
    stepped = alpha + GAMMA * (nominal - missed)
    return np.asarray(stepped.clip(nominal / 5.0, (1.0 + nominal) / 2.0))


def _update_counts(counts: IntArray, bins: AnyArray, observed: BoolArray, row: int) -> None:
    """Add a day's residuals to the (m, bins) counts, and remove those that leave the window."""
    enters = observed[row]
    counts[enters, bins[row, enters]] += 1
    if row >= WINDOW:
        leaves = observed[row - WINDOW]
        counts[leaves, bins[row - WINDOW, leaves]] -= 1


def _days_in_window(observed: BoolArray) -> IntArray:
    """Count the (n,) days of each row's window on which any residual became known."""
    days: IntArray = np.cumsum(observed.any(axis=1), dtype=np.int64)
    days[WINDOW:] -= days[:-WINDOW].copy()
    return days

"""Distances of a sample from a reference: PSI, Kolmogorov-Smirnov, and the share that is missing.

Distances are not tests: pooled samples hold thousands of values that move together, so every
p-value would be zero. The limits come from the reference itself, because its own windows differ as
well: slow features more than fast ones, and 20 values of the market more than 8,480 of the targets.
A column has drifted if its window is farther from the reference than any window of the reference is
from the others, and farther than a limit for all columns. If all windows were alike by nature, a
distance would exceed the limit by chance once in ``windows + 1`` times.

Arrays only; ``monitoring.drift.samples`` decides which days they hold.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray, IntArray

PSI_LIMIT = 0.25
"""The rule of thumb for a major shift (Siddiqi, *Credit Risk Scorecards*, 2006).

PSI is the symmetrised Kullback-Leibler divergence. For two normal distributions whose means are d
standard deviations apart it is d^2, so this limit is half a standard deviation.
"""
KS_LIMIT = 0.2
"""The KS distance for half a standard deviation as well: 2 Phi(d / 2) - 1 = 0.197."""
MISSING_LIMIT = 0.1
"""Rise of the share of cells without a value. It does not depend on the reference: the first
windows of a history lack every feature that looks far back."""
_MIN_SHARE = 1e-4
_PERCENT = np.arange(1, 100)
_GRID_SHARE = 0.01
"""Largest error of a KS distance read at percentiles: the share that lies between two of them."""


class Distances(NamedTuple):
    """How far a sample is from a reference.

    Attributes:
        psi: population stability index over the reference's deciles.
        ks: largest difference of the two distribution functions.
        missing: share of cells without a value, less that of the reference.
    """

    psi: float
    ks: float
    missing: float


@dataclass(frozen=True)
class ReferenceSummary:
    """The distribution of a column over the windows of a reference.

    Attributes:
        ordered: (n,) the known values, ascending.
        edges: (b,) the distinct deciles; none if all values are equal.
        shares: (b + 1,) share of the values up to each edge, and beyond the last.
        missing: share of cells without a value.
        spanned: share of the windows that have any value.
        limits: distances beyond which a sample has drifted, none of them NaN.
    """

    ordered: AnyArray
    edges: AnyArray
    shares: FloatArray
    missing: float
    spanned: float
    limits: Distances

    @property
    def reason(self) -> str | None:
        """Why a distance from this reference is undefined; None if all are defined."""
        if not len(self.ordered):
            return "no value in the reference"
        return None if len(self.edges) else "constant in the reference"


def summarise_reference(windows: AnyArray, counted: int | None = None) -> ReferenceSummary:
    """Summarise a column, and find how far its own windows are from one another.

    Args:
        windows: (w, c) the c cells of each of w windows; values that are not finite are missing.
        counted: number of the cells that could have a value; None for all.
    """
    counted = windows.size if counted is None else counted
    windows = np.where(np.isfinite(windows), windows, np.nan)
    by_window = np.sort(windows, axis=1)
    ordered = np.sort(windows, axis=None)
    ordered = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
    percentiles = quantiles(ordered, _PERCENT)
    edges = np.unique(percentiles[9::10])
    if len(edges) and ordered[0] == ordered[-1]:
        edges = edges[:0]
    return ReferenceSummary(
        ordered,
        edges,
        _shares(counts_between(ordered, edges)),
        1.0 - len(ordered) / max(counted, 1),
        float((~np.isnan(by_window)).any(axis=1).sum()) / max(len(windows), 1),
        _find_limits(by_window, percentiles, edges),
    )


def measure_distances(
    reference: ReferenceSummary, current: AnyArray
) -> tuple[Distances, str | None]:
    """Measure the distances of a sample from a reference.

    Args:
        reference: the distribution that the sample is compared with.
        current: (c,) cells of the sample; values that are not finite are missing.

    Returns:
        The distances, and why one of them is NaN, or None. PSI is NaN where the reference is
        constant; PSI and KS are NaN where the reference or the sample has no value.
    """
    ordered = np.sort(current[np.isfinite(current)])
    missing = 1.0 - len(ordered) / max(current.size, 1) - reference.missing
    if not len(reference.ordered) or not len(ordered):
        reason = reference.reason if not len(reference.ordered) else "no value in the window"
        return Distances(np.nan, np.nan, missing), reason
    shares = _shares(counts_between(ordered, reference.edges))
    psi = stability_index(reference.shares, shares) if len(reference.edges) else np.nan
    distance = kolmogorov_smirnov(reference.ordered, ordered)
    return Distances(float(psi), distance, missing), reference.reason


def is_drifted(distances: Distances, limits: Distances) -> bool:
    """Whether one of the distances is beyond its limit; an undefined distance is not."""
    return any(value > limit for value, limit in zip(distances, limits, strict=True))


def stability_index(expected: FloatArray, actual: FloatArray) -> FloatArray:
    """Compute the population stability index (PSI) of a sample against a reference.

    The PSI is the sum over bins of (actual - expected) ln(actual / expected): 0 for equal shares,
    and 0.25 or more by the rule of thumb for a major shift. An empty bin counts as a share of 1e-4,
    so the index is finite.

    Returns an array of shape (...), the leading shape of the arguments.

    Args:
        expected: (..., b) share of the reference in each bin.
        actual: (..., b) share of the sample in each bin.

    Examples:
        >>> expected = np.array([0.25, 0.25, 0.25, 0.25])
        >>> actual = np.array([[0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]])
        >>> stability_index(expected, actual).round(3)
        array([0.   , 0.228])
    """
    expected, actual = np.maximum(expected, _MIN_SHARE), np.maximum(actual, _MIN_SHARE)
    index: FloatArray = ((actual - expected) * np.log(actual / expected)).sum(axis=-1)
    return index


def kolmogorov_smirnov(reference: AnyArray, current: AnyArray) -> float:
    """Compute the largest difference between the distribution functions of two samples.

    Between two values of ``current`` its distribution function is level while that of ``reference``
    rises, so the largest difference is at a value of ``current`` or just before it.

    Args:
        reference: (n,) ascending values, not empty, none NaN.
        current: (c,) ascending values, not empty, none NaN.

    Examples:
        Half of the current values lie above all values of the reference:

        >>> kolmogorov_smirnov(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 5.0, 6.0]))
        0.5
    """
    steps = np.arange(len(current) + 1) / len(current)
    at = np.searchsorted(reference, current, side="right") / len(reference)
    before = np.searchsorted(reference, current, side="left") / len(reference)
    # Of equal values only the last has the function's value, and the first the value before it.
    last = np.append(current[1:] != current[:-1], True)
    first = np.append(True, current[1:] != current[:-1])
    above = np.abs(steps[1:] - at)[last].max()
    below = np.abs(steps[:-1] - before)[first].max()
    return float(max(above, below))


def quantiles(ordered: AnyArray, percent: IntArray) -> AnyArray:
    """Find the smallest value up to which a sample has at least each given share of its values.

    Args:
        ordered: (n,) ascending; an empty one gives an empty result.
        percent: (p,) shares in per cent, whole numbers.

    Returns:
        (p,) values of the sample.
    """
    if not len(ordered):
        return ordered
    # In whole numbers: 0.07 * 100 is a little more than 7.
    result: AnyArray = ordered[np.maximum(-(-percent * len(ordered) // 100), 1) - 1]
    return result


def counts_between(ordered: AnyArray, edges: AnyArray) -> IntArray:
    """(b + 1,) how many of the ascending values lie up to each edge, and beyond the last."""
    up_to = np.searchsorted(ordered, edges, side="right")
    counts: IntArray = np.diff(up_to, prepend=0, append=len(ordered))
    return counts


def _shares(counts: IntArray) -> FloatArray:
    """(..., b) counts as shares of their sum; NaN where the sum is 0."""
    total = counts.sum(axis=-1, keepdims=True)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, total, out=shares, where=total > 0)
    return shares


def _find_limits(by_window: AnyArray, percentiles: AnyArray, edges: AnyArray) -> Distances:
    """Find the largest distance of a window from all other windows, at least the general limit.

    Args:
        by_window: (w, c) cells of each window, ascending, NaN last.
        percentiles: (99,) of all windows together.
        edges: (b,) distinct deciles of all windows together.
    """
    known = by_window.shape[1] - np.isnan(by_window).sum(axis=1)
    others = known.sum() - known
    both = (known > 0) & (others > 0)
    if not both.any():
        return Distances(PSI_LIMIT, KS_LIMIT, MISSING_LIMIT)
    rows = [row[:n] for row, n in zip(by_window, known, strict=True)]
    up_to = np.array([np.searchsorted(row, percentiles, side="right") for row in rows])
    counts = np.array([counts_between(row, edges) for row in rows])
    share, rest = up_to[both] / known[both, None], (up_to.sum(0) - up_to)[both] / others[both, None]
    index = stability_index(_shares(counts.sum(0) - counts)[both], _shares(counts)[both])
    return Distances(
        float(max(PSI_LIMIT, index.max())),
        float(min(1.0, max(KS_LIMIT, np.abs(share - rest).max() + _GRID_SHARE))),
        MISSING_LIMIT,
    )

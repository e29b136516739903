"""Distances of a sample from a reference: PSI, Kolmogorov-Smirnov and the share of missing values.

These are distances without significance tests: a pooled sample holds thousands of dependent values,
so every p-value is zero. Limits are learnt from the reference instead, whose own windows differ
too: windows of slow features more than those of fast features, and 20 values of the market more
than 8,480 values of the targets. A column has drifted if its distance exceeds both the distance of
every reference window from the other windows, and a limit that is the same for all columns. If all
windows had the same distribution, a distance would exceed the former once in ``windows + 1`` times.

Arrays only; ``monitoring.drift.samples`` chooses the days.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray, IntArray

PSI = 0.25
"""The rule of thumb for a major shift (Siddiqi, *Credit Risk Scorecards*, 2006).

PSI is the symmetrised Kullback-Leibler divergence. For two normal distributions whose means are d
standard deviations apart it is d^2, so this limit is half a standard deviation.
"""
KS = 0.2
"""Limit of the Kolmogorov-Smirnov distance: 2 Phi(d / 2) - 1 = 0.197 for the same d."""
MISSING = 0.1
"""Limit of the rise of the share of cells without a value.

No limit is learnt from the reference, because the first windows of a history lack all features with
long windows.
"""
_EPSILON = 1e-4
_PERCENT = np.arange(1, 100)
_GRID = 0.01
"""Largest error of a distance computed at percentiles, since 1 % lies between two of them."""


class Distances(NamedTuple):
    """Distances of a sample from a reference.

    Attributes:
        psi: population stability index over the reference's deciles.
        ks: largest difference of the two distribution functions.
        missing: share of cells without a value, less the same share of the reference.
    """

    psi: float
    ks: float
    missing: float


@dataclass(frozen=True)
class ReferenceSummary:
    """Summary of a column's values in the reference.

    Attributes:
        ordered: (n,) known values, ascending.
        edges: (b,) distinct deciles; empty if all values are equal.
        shares: (b + 1,) share of the values up to each edge, and beyond the last edge.
        missing: share of cells without a value.
        spanned: share of the windows that have any value.
        limits: distances beyond which a sample has drifted, none NaN.
    """

    ordered: AnyArray
    edges: AnyArray
    shares: FloatArray
    missing: float
    spanned: float
    limits: Distances

    @property
    def reason(self) -> str | None:
        """Return why a distance from this reference is undefined; None if all are defined."""
        if not len(self.ordered):
            return "no value in the reference"
        return None if len(self.edges) else "constant in the reference"


def summarise_reference(windows: AnyArray) -> ReferenceSummary:
    """Summarise a column and the distances of its windows from one another.

    Args:
        windows: (w, c) cells of each of w windows; values that are not finite count as missing.
    """
    windows = np.where(np.isfinite(windows), windows, np.nan)
    by_window = np.sort(windows, axis=1)
    ordered = np.sort(windows, axis=None)
    ordered = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
    grid = quantiles(ordered, _PERCENT)
    edges = np.unique(grid[9::10])
    if len(edges) and ordered[0] == ordered[-1]:
        edges = edges[:0]
    return ReferenceSummary(
        ordered,
        edges,
        _shares(counts_between(ordered, edges)),
        1.0 - len(ordered) / max(windows.size, 1),
        float((~np.isnan(by_window)).any(axis=1).sum()) / max(len(windows), 1),
        _limits(by_window, grid, edges),
    )


def measure_distances(
    reference: ReferenceSummary, current: AnyArray
) -> tuple[Distances, str | None]:
    """Compute the distances of a sample from a reference, and the reason if a distance is NaN.

    The PSI is NaN if the reference is constant. PSI and KS are NaN if the reference or the sample
    has no value.

    Args:
        reference: summary of the reference.
        current: (c,) cells of the sample; values that are not finite count as missing.
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


def is_drifted(found: Distances, limits: Distances) -> bool:
    """Return whether any distance exceeds its limit; an undefined distance does not."""
    return any(value > limit for value, limit in zip(found, limits, strict=True))


def stability_index(expected: FloatArray, found: FloatArray) -> FloatArray:
    """Compute the population stability index (PSI) of a sample against a reference.

    The PSI is the sum over bins of (found - expected) ln(found / expected): 0 for equal shares, and
    0.25 or more by the rule of thumb for a major shift. An empty bin counts as a share of 1e-4, so
    the index is finite.

    Returns an array of shape (...), the leading shape of the arguments.

    Args:
        expected: (..., b) share of the reference in each bin.
        found: (..., b) share of the sample in each bin.

    Examples:
        >>> expected = np.array([0.25, 0.25, 0.25, 0.25])
        >>> found = np.array([[0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]])
        >>> stability_index(expected, found).round(3)
        array([0.   , 0.228])
    """
    expected, found = np.maximum(expected, _EPSILON), np.maximum(found, _EPSILON)
    index: FloatArray = ((found - expected) * np.log(found / expected)).sum(axis=-1)
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
    # Of equal values only the last has the function's value, and the first the one before.
    last = np.append(current[1:] != current[:-1], True)
    first = np.append(True, current[1:] != current[:-1])
    above = np.abs(steps[1:] - at)[last].max()
    below = np.abs(steps[:-1] - before)[first].max()
    return float(max(above, below))


def quantiles(ordered: AnyArray, percent: IntArray) -> AnyArray:
    """Find the (p,) quantiles of ascending values.

    A quantile is the smallest value with at least the given percentage of the values up to it.
    """
    if not len(ordered):
        return ordered
    # In whole numbers: 0.07 * 100 is a little more than 7.
    found: AnyArray = ordered[np.maximum(-(-percent * len(ordered) // 100), 1) - 1]
    return found


def counts_between(ordered: AnyArray, edges: AnyArray) -> IntArray:
    """Count the ascending values up to each edge and beyond the last; returns (b + 1,) counts."""
    up_to = np.searchsorted(ordered, edges, side="right")
    counts: IntArray = np.diff(up_to, prepend=0, append=len(ordered))
    return counts


def _shares(counts: IntArray) -> FloatArray:
    """Divide (..., b) counts by their sum; NaN where the sum is 0."""
    total = counts.sum(axis=-1, keepdims=True)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, total, out=shares, where=total > 0)
    return shares


def _limits(by_window: AnyArray, grid: AnyArray, edges: AnyArray) -> Distances:
    """Compute limits: the largest distance of a window from all others, or the general limit."""
    known = by_window.shape[1] - np.isnan(by_window).sum(axis=1)
    others = known.sum() - known
    both = (known > 0) & (others > 0)
    if not both.any():
        return Distances(PSI, KS, MISSING)
    rows = [row[:n] for row, n in zip(by_window, known, strict=True)]
    up_to = np.array([np.searchsorted(row, grid, side="right") for row in rows])
    counts = np.array([counts_between(row, edges) for row in rows])
    share, rest = up_to[both] / known[both, None], (up_to.sum(0) - up_to)[both] / others[both, None]
    index = stability_index(_shares(counts.sum(0) - counts)[both], _shares(counts)[both])
    return Distances(
        float(max(PSI, index.max())),
        float(min(1.0, max(KS, np.abs(share - rest).max() + _GRID))),
        MISSING,
    )

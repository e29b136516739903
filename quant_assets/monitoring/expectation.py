"""What a family was like before: the days that a figure is compared with, and what chance allows.

Arrays of daily figures only. What the figures are is said in ``monitoring.rolling``,
``monitoring.cusum`` and ``monitoring.health``; reading them, in ``monitoring.records``.

A reference ends before the window it is compared with, on a day of a coarse grid: on the days
between it stays the same, and so do limits, which are costly.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quant_assets.typing import FloatArray, IntArray

LEAST, MOST = 120, 750
"""Judged days of a reference: with fewer nothing is said, of more the newest are taken."""
GRID = 20
BLOCK = 20
"""Days of a bootstrap's block: labels of four days overlap, and skill comes and goes slower."""


@dataclass(frozen=True)
class Record:
    """A daily figure, in the order in which it became known.

    Attributes:
        numbers: (n,) numbers of the trading days on which the figures are known, ascending.
        values: (n,) or (n, p) the figures; of one dimension, none is NaN.
    """

    numbers: IntArray
    values: FloatArray

    def known(self, numbers: IntArray) -> IntArray:
        """(k,) how many figures are known at the close of the days with these numbers."""
        return np.searchsorted(self.numbers, numbers, side="right")


def references(numbers: IntArray, first: IntArray) -> tuple[IntArray, IntArray]:
    """(k,) the rows ``start`` to ``end`` of the references of windows that begin with given rows.

    Args:
        numbers: (n,) of a record.
        first: (k,) its rows with which the windows begin.
    """
    end = np.searchsorted(numbers, numbers[first] // GRID * GRID)
    return np.maximum(end - MOST, 0), end


def by_reference(start: IntArray, end: IntArray) -> Iterator[tuple[slice, IntArray]]:
    """Each reference that is long enough, and the positions that share it."""
    for last in np.unique(end[end - start >= LEAST]):
        shared = np.flatnonzero(end == last)
        yield slice(int(start[shared[0]]), int(last)), shared


def long_run_variance(values: FloatArray, lags: int = 10) -> float:
    """Variance of the mean of many neighbouring values times their number, Bartlett's weights.

    Source: Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix". ``lags`` is twice what labels overlap.
    """
    centred = values - values.mean()
    n = len(centred)
    weights = 1.0 - np.arange(1, lags + 1) / (lags + 1)
    covariances = [centred[i:] @ centred[:-i] / n for i in range(1, lags + 1)]
    return float(centred @ centred / n + 2.0 * weights @ np.array(covariances))

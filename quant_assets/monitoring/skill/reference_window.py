"""What a family was like before: the days that a figure is compared with, and what chance allows.

Arrays of daily figures only. What the figures are is said in ``monitoring.rolling``,
``monitoring.cusum`` and ``monitoring.health``; reading them, in ``monitoring.records``.

A reference ends before the window it is compared with, on a day of a coarse grid: on the days
between it stays the same, and so do limits, which are costly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray, IntArray

LEAST, MOST = 120, 750
"""Judged days of a reference: with fewer nothing is said, of more the newest are taken."""
NO_LABELS = "no labels of a forecast are released yet"
GRID = 20
BLOCK = 20
"""Days of a bootstrap's block: labels of four days overlap, and skill comes and goes slower."""


@dataclass(frozen=True)
class DailyRecord:
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


@dataclass(frozen=True)
class WindowComparison:
    """A figure of the newest judged days on each of k days, and what is expected; NaN without.

    Attributes:
        value: (k,) the figure.
        expected: (k,) the same in the reference.
        bounds: (k, 2) what it is held against, from the reference too.
        known: (k,) judged days so far.
        reference: (k,) days of the reference.
    """

    value: FloatArray
    expected: FloatArray
    bounds: FloatArray
    known: IntArray
    reference: IntArray


def compare_windows(
    record: DailyRecord,
    numbers: IntArray,
    window: int,
    measure: Callable[[FloatArray, IntArray], FloatArray],
    expect: Callable[[FloatArray], tuple[float, float, float]],
) -> WindowComparison:
    """A figure of the newest ``window`` judged days against the days before these.

    Args:
        record: (n,) of all days that may be known.
        numbers: (k,) numbers of the days asked for.
        window: judged days.
        measure: the figure of windows that end before the given rows, from all values.
        expect: the figure expected, and two bounds, from the values of a reference.

    A day's figures depend on what was known on it, and not on which other days are asked for.
    """
    known = record.known(numbers)
    value, expected = np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
    bounds = np.full((len(numbers), 2), np.nan)
    length = np.zeros(len(numbers), np.int64)
    full = np.flatnonzero(known >= window)
    if len(full):
        value[full] = measure(record.values, known[full])
        start, end = reference_rows(record.numbers, known[full] - window)
        length[full] = end - start
        for rows, shared in group_by_reference(start, end):
            expected[full[shared]], *held = expect(record.values[rows])
            bounds[full[shared]] = held
    return WindowComparison(value, expected, bounds, known, length)


def explain_shortage(known: IntArray, reference: IntArray, window: int) -> AnyArray:
    """(k,) why there is nothing to compare, or to compare with; None where there is."""
    result = np.full(len(known), None, dtype=object)
    brief, few = reference < LEAST, known < window
    result[brief] = [f"the reference has {n} days, {LEAST} are needed" for n in reference[brief]]
    result[few] = [f"{n} days are judged, {window} are needed" for n in known[few]]
    result[known == 0] = NO_LABELS
    return result


def running_sums(values: FloatArray) -> FloatArray:
    """(n + 1,) sums of the first values: each depends on those before alone."""
    return np.concatenate([[0.0], np.cumsum(values)])


def reference_rows(numbers: IntArray, first: IntArray) -> tuple[IntArray, IntArray]:
    """(k,) the rows ``start`` to ``end`` of the references of windows that begin with given rows.

    Args:
        numbers: (n,) of a record.
        first: (k,) its rows with which the windows begin.
    """
    end = np.searchsorted(numbers, numbers[first] // GRID * GRID)
    return np.maximum(end - MOST, 0), end


def group_by_reference(start: IntArray, end: IntArray) -> Iterator[tuple[slice, IntArray]]:
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

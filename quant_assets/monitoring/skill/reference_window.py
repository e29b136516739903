"""Compare the newest days of a daily measure with a reference window of earlier days.

Arrays only. The measures are computed in ``monitoring.skill.rolling_score``,
``monitoring.skill.cusum`` and ``monitoring.skill.health``.

A reference ends before the window that is compared with it, on a day of a coarse grid. So it stays
the same for several days, and its limits, which are slow to compute, are shared by them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray, IntArray

MIN_REFERENCE_DAYS, MAX_REFERENCE_DAYS = 120, 750
"""Judged days of a reference: with fewer there is no comparison; of more, the newest are taken."""
NO_LABELS = "no labels of a forecast are known yet"
REFERENCE_GRID_DAYS = 20
"""A reference ends on a day whose ``date_id`` is a multiple of this."""
BLOCK_DAYS = 20
"""Days of a bootstrap block. Labels of four days overlap, and skill changes more slowly still."""


@dataclass(frozen=True)
class DailyRecord:
    """A daily measure, in the order in which its values became known.

    Attributes:
        date_ids: (n,) numbers of the trading days on which the values are known, ascending.
        values: (n,) or (n, p) the measure; an array of shape (n,) has no NaN.
    """

    date_ids: IntArray
    values: FloatArray

    def count_known(self, date_ids: IntArray) -> IntArray:
        """Count the values that are known at the close of each given day. Returns shape (k,)."""
        return np.searchsorted(self.date_ids, date_ids, side="right")


@dataclass(frozen=True)
class WindowComparison:
    """A measure over the newest judged days, as of k days, beside its value in the reference.

    Values are NaN where too few days are judged, or the reference is too short.

    Attributes:
        value: (k,) the measure over the window.
        expected: (k,) the value expected from the reference.
        bounds: (k, 2) limits of the value, from the reference as well.
        known_days: (k,) judged days known so far.
        reference_days: (k,) judged days of the reference.
    """

    value: FloatArray
    expected: FloatArray
    bounds: FloatArray
    known_days: IntArray
    reference_days: IntArray


def compare_windows(
    record: DailyRecord,
    date_ids: IntArray,
    window: int,
    measure: Callable[[FloatArray, IntArray], FloatArray],
    expect: Callable[[FloatArray], tuple[float, float, float]],
) -> WindowComparison:
    """Compare a measure over the newest ``window`` judged days with the days before them.

    The result for a day depends on what is known on it, and not on the other days asked for.

    Args:
        record: (n,) values of all days that may be known.
        date_ids: (k,) numbers of the days for which the comparison is made.
        window: judged days.
        measure: computes the measure from all values, for windows that end before given rows.
        expect: computes the expected value and two bounds from the values of a reference.
    """
    known = record.count_known(date_ids)
    value, expected = np.full(len(date_ids), np.nan), np.full(len(date_ids), np.nan)
    bounds = np.full((len(date_ids), 2), np.nan)
    reference_days = np.zeros(len(date_ids), np.int64)
    full = np.flatnonzero(known >= window)
    if len(full):
        value[full] = measure(record.values, known[full])
        start, end = reference_rows(record.date_ids, known[full] - window)
        reference_days[full] = end - start
        for rows, positions in group_by_reference(start, end):
            expected[full[positions]], *limits = expect(record.values[rows])
            bounds[full[positions]] = limits
    return WindowComparison(value, expected, bounds, known, reference_days)


def explain_shortage(known_days: IntArray, reference_days: IntArray, window: int) -> AnyArray:
    """Say why there is no comparison.

    Args:
        known_days: (k,) judged days known so far.
        reference_days: (k,) days of the reference.
        window: judged days that are compared.

    Returns:
        (k,) texts; None where there is a comparison.
    """
    result = np.full(len(known_days), None, dtype=object)
    short, few = reference_days < MIN_REFERENCE_DAYS, known_days < window
    result[short] = [
        f"the reference has {n} days, {MIN_REFERENCE_DAYS} are needed"
        for n in reference_days[short]
    ]
    result[few] = [f"{n} days are judged, {window} are needed" for n in known_days[few]]
    result[known_days == 0] = NO_LABELS
    return result


def running_sums(values: FloatArray) -> FloatArray:
    """(n + 1,) sums of the first 0, 1, ..., n values; each depends on earlier values only."""
    return np.concatenate([[0.0], np.cumsum(values)])


def reference_rows(date_ids: IntArray, first: IntArray) -> tuple[IntArray, IntArray]:
    """Find the reference of each window.

    Args:
        date_ids: (n,) numbers of the days of a record, ascending.
        first: (k,) rows of the record at which the windows begin.

    Returns:
        (k,) first rows of the references, and (k,) rows after their last ones.
    """
    end = np.searchsorted(date_ids, date_ids[first] // REFERENCE_GRID_DAYS * REFERENCE_GRID_DAYS)
    return np.maximum(end - MAX_REFERENCE_DAYS, 0), end


def group_by_reference(start: IntArray, end: IntArray) -> Iterator[tuple[slice, IntArray]]:
    """Yield each reference that is long enough, and the positions in ``start`` that share it."""
    for last in np.unique(end[end - start >= MIN_REFERENCE_DAYS]):
        positions = np.flatnonzero(end == last)
        yield slice(int(start[positions[0]]), int(last)), positions


def long_run_variance(values: FloatArray, lags: int = 10) -> float:
    """Estimate the variance of the mean of n neighbouring values, times n, by Bartlett's weights.

    Source: Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix".

    Args:
        values: (n,) without NaN.
        lags: days over which values depend on each other; labels overlap by half as many.
    """
    centred = values - values.mean()
    n = len(centred)
    weights = 1.0 - np.arange(1, lags + 1) / (lags + 1)
    covariances = [centred[i:] @ centred[:-i] / n for i in range(1, lags + 1)]
    return float(centred @ centred / n + 2.0 * weights @ np.array(covariances))

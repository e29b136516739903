"""The metric over the newest judged days against that of the days before: score, limits, level.

A level needs both: a shortfall that matters, and a score below what windows of the same length
drawn from the reference show. Arrays only; rows of the table are made in
``monitoring.performance``.
"""

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, FloatArray, IntArray
from quant_assets.monitoring.skill.reference_window import (
    BLOCK,
    DailyRecord,
    WindowComparison,
    compare_windows,
    explain_shortage,
    running_sums,
)
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import resample_scores

WINDOWS = (20, 60, 250)
DEVIATIONS = {20: 3.7, 60: 3.0, 250: 2.8}
DEVIATIONS_CRITICAL = {20: 4.5, 60: 3.6, 250: 3.4}
_DRAWS = 500
_FLAT = 1e-12
NO_SKILL = "the reference shows no skill that could be lost"
_NO_SPREAD = "the daily IC does not vary"


def rolling_scores(record: DailyRecord, numbers: IntArray, window: int) -> WindowComparison:
    """The metric over the newest ``window`` days on each of the days with the given numbers.

    The bounds are the score below which a level is a warning, and the one for a critical.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return metric_of_windows(running_sums(values), running_sums(values**2), end - window, end)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        if np.ptp(reference) == 0:
            return np.nan, np.nan, np.nan
        return score_of_ic(reference), *chance_limits(reference, window)

    return compare_windows(record, numbers, window, measure, expect)


def chance_limits(reference: FloatArray, window: int) -> tuple[float, float]:
    """Below which scores of so many days are a warning, and critical.

    Standard deviations of windows drawn from the reference, below their mean: what is as rare as
    it has to be, for a window is judged every day, a hundred blocks do not show. It is widened by
    how unsure the reference's own score is: a difference of means of w and n days has 1 + w / n
    times the variance.
    """
    drawn = resample_scores(reference, window, block=BLOCK, draws=_DRAWS)
    spread = float(drawn.std() * np.sqrt(1.0 + window / len(reference)))
    mean = float(drawn.mean())
    return mean - DEVIATIONS[window] * spread, mean - DEVIATIONS_CRITICAL[window] * spread


def shortfall(score: FloatArray, expected: FloatArray) -> FloatArray:
    """(k,) share of the expected score that is lost; NaN where none is expected."""
    result = np.full(len(score), np.nan)
    np.divide(expected - score, expected, out=result, where=expected > 0)
    return result


def score_levels(found: WindowComparison, settings: Settings) -> AnyArray:
    """(k,) ok, warning or critical; None where none can be told."""
    lost = shortfall(found.value, found.expected)
    result = np.full(len(lost), "ok", dtype=object)
    result[np.isnan(lost)] = None
    limit, limit_critical = found.bounds.T
    # A limit that is NaN is not passed.
    low = (found.value < limit) & (lost >= settings.performance_warning)
    result[low] = "warning"
    critical = found.value < limit_critical
    result[low & critical & (lost > settings.performance_critical)] = "critical"
    return result


def explain_missing_levels(found: WindowComparison, window: int) -> AnyArray:
    """(k,) why there is no level; None where there is one."""
    result = explain_shortage(found.known, found.reference, window)
    told = np.array([one is not None for one in result], dtype=np.bool_)
    open_ = ~told & np.isnan(shortfall(found.value, found.expected))
    result[open_] = np.where(found.expected <= 0, NO_SKILL, _NO_SPREAD)[open_]
    return result


def metric_of_windows(
    totals: FloatArray, squares: FloatArray, start: IntArray, end: IntArray
) -> FloatArray:
    """(k,) the metric of the rows ``start`` to ``end``, from running sums; NaN if all are equal."""
    mean = (totals[end] - totals[start]) / (end - start)
    variance = (squares[end] - squares[start]) / (end - start) - mean**2
    result = np.full(len(mean), np.nan)
    np.divide(mean, np.sqrt(np.maximum(variance, 0.0)), out=result, where=variance > _FLAT)
    return result

"""Compare the score over the newest judged days with that of a reference: score, limits, level.

A level other than ok needs two things: a shortfall that matters, and a score below what windows of
the same length drawn from the reference show. Arrays only; ``monitoring.skill.rolling_rows`` makes
rows of the table.
"""

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, FloatArray, IntArray
from quant_assets.monitoring.skill.reference_window import (
    BLOCK_DAYS,
    DailyRecord,
    WindowComparison,
    compare_windows,
    explain_shortage,
    running_sums,
)
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import resample_scores

WINDOWS = (20, 60, 250)
"""Lengths of the windows, in judged days."""
DEVIATIONS = {20: 3.7, 60: 3.0, 250: 2.8}
"""By window, the limit of a warning: standard deviations below the mean of drawn windows."""
DEVIATIONS_CRITICAL = {20: 4.5, 60: 3.6, 250: 3.4}
"""By window, the limit of a critical level, in the same unit."""
_DRAWS = 500
_FLAT = 1e-12
NO_SKILL = "the reference shows no skill that could be lost"
_NO_SPREAD = "the daily IC does not vary"


def rolling_scores(record: DailyRecord, date_ids: IntArray, window: int) -> WindowComparison:
    """Compare the score over the newest ``window`` judged days with that of the reference.

    Args:
        record: (n,) daily ICs.
        date_ids: (k,) numbers of the days asked for.
        window: judged days, one of ``WINDOWS``.

    Returns:
        Scores; their bounds are the limits of a warning and of a critical level.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return metric_of_windows(running_sums(values), running_sums(values**2), end - window, end)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        if np.ptp(reference) == 0:
            return np.nan, np.nan, np.nan
        return score_of_ic(reference), *chance_limits(reference, window)

    return compare_windows(record, date_ids, window, measure, expect)


def chance_limits(reference: FloatArray, window: int) -> tuple[float, float]:
    """Compute the limits below which a window's score is a warning, and critical.

    A limit lies some standard deviations below the mean score of windows drawn from the reference.
    A window is judged every day, so a limit has to be so rare that a quantile of the few blocks of
    a reference cannot give it. The deviation is widened by the uncertainty of the reference's own
    score: a difference of means of w and n days has 1 + w / n times the variance.

    Args:
        reference: (n,) daily ICs.
        window: judged days, one of ``WINDOWS``.
    """
    drawn = resample_scores(reference, window, block=BLOCK_DAYS, draws=_DRAWS)
    spread = float(drawn.std() * np.sqrt(1.0 + window / len(reference)))
    mean = float(drawn.mean())
    return mean - DEVIATIONS[window] * spread, mean - DEVIATIONS_CRITICAL[window] * spread


def shortfall(score: FloatArray, expected: FloatArray) -> FloatArray:
    """(k,) share of the expected score that is lost; NaN where none is expected, or one below 0."""
    result = np.full(len(score), np.nan)
    np.divide(expected - score, expected, out=result, where=expected > 0)
    return result


def score_levels(comparison: WindowComparison, settings: Settings) -> AnyArray:
    """(k,) ok, warning or critical; None where there is no score or no positive expected score."""
    lost = shortfall(comparison.value, comparison.expected)
    result = np.full(len(lost), "ok", dtype=object)
    result[np.isnan(lost)] = None
    limit, limit_critical = comparison.bounds.T
    # A comparison with a limit that is NaN is false.
    low = (comparison.value < limit) & (lost >= settings.performance_warning)
    result[low] = "warning"
    critical = comparison.value < limit_critical
    result[low & critical & (lost > settings.performance_critical)] = "critical"
    return result


def explain_missing_levels(comparison: WindowComparison, window: int) -> AnyArray:
    """(k,) texts that say why there is no level; None where there is one."""
    result = explain_shortage(comparison.known_days, comparison.reference_days, window)
    explained = np.array([text is not None for text in result], dtype=np.bool_)
    open_ = ~explained & np.isnan(shortfall(comparison.value, comparison.expected))
    result[open_] = np.where(comparison.expected <= 0, NO_SKILL, _NO_SPREAD)[open_]
    return result


def metric_of_windows(
    totals: FloatArray, squares: FloatArray, start: IntArray, end: IntArray
) -> FloatArray:
    """Compute the score, mean over standard deviation, of windows of daily ICs.

    Args:
        totals: (n + 1,) running sums of the ICs.
        squares: (n + 1,) running sums of their squares.
        start: (k,) first rows of the windows.
        end: (k,) rows after their last ones.

    Returns:
        (k,) scores; NaN where all ICs of a window are equal.
    """
    mean = (totals[end] - totals[start]) / (end - start)
    variance = (squares[end] - squares[start]) / (end - start) - mean**2
    result = np.full(len(mean), np.nan)
    np.divide(mean, np.sqrt(np.maximum(variance, 0.0)), out=result, where=variance > _FLAT)
    return result

"""Measures of a family's forecasts besides their score: rows of ``monitoring.health``.

Scores are in ``monitoring.skill.rolling_score``. These measures raise no alerts: they help to see
where a drop comes from, or that one is coming.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import HEALTH
from quant_assets.monitoring.rows import to_frame
from quant_assets.monitoring.skill.daily_records import WHOLE, Part
from quant_assets.monitoring.skill.reference_window import (
    BLOCK_DAYS,
    DailyRecord,
    WindowComparison,
    compare_windows,
    explain_shortage,
    long_run_variance,
    running_sums,
)
from quant_assets.scoring.significance import draw_blocks

DRAWDOWN_WINDOW, FORECAST_WINDOW = 120, 20
COVERAGE_WINDOWS = (60, 250)
_FORECAST_MEASURES = ("dispersion", "stability", "agreement")
_DRAWDOWN_QUANTILE = 0.99
_COVERAGE_DEVIATIONS = 3.0
_DRAWS = 500
_ROUNDING = 1e-9
NamedComparison = tuple[str, int, WindowComparison]
"""Name of a measure, its window in judged days, and its comparison with the reference."""


def health_rows(
    records: Mapping[Part, DailyRecord],
    agreement: Mapping[str, DailyRecord],
    days: DayArray,
    date_ids: IntArray,
) -> pd.DataFrame:
    """Make rows of ``monitoring.health`` for some days.

    A day has a row for each measure that a family has had by the last day.

    Args:
        records: measures known by the last of the days, by family and part.
        agreement: of each family, mean rank correlation of its forecast with the others'.
        days: (k,) days.
        date_ids: (k,) their numbers.
    """
    measures = [
        {"family": family, "figure": name, "window": window, **_to_columns(comparison, window)}
        for family in sorted({family for family, _, _ in records})
        for name, window, comparison in _compare_measures(family, records, agreement, date_ids)
    ]
    return to_frame(HEALTH, days, date_ids, measures)


def compare_drawdown(
    record: DailyRecord, date_ids: IntArray, window: int = DRAWDOWN_WINDOW
) -> WindowComparison:
    """Compare how far the cumulated IC is below its peak in the window with what chance allows.

    The bounds are 0 and the 99 % quantile over windows drawn from the reference.

    Args:
        record: (n,) daily ICs.
        date_ids: (k,) numbers of the days asked for.
        window: judged days.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return drawdowns(running_sums(values), end, window)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        drawn = draw_blocks(reference, window, block=BLOCK_DAYS, draws=_DRAWS)
        totals = np.concatenate([np.zeros((_DRAWS, 1)), drawn.cumsum(axis=1)], axis=1)
        below_peak = totals.max(axis=1) - totals[:, -1]
        return float(below_peak.mean()), 0.0, float(np.quantile(below_peak, _DRAWDOWN_QUANTILE))

    return compare_windows(record, date_ids, window, measure, expect)


def drawdowns(totals: FloatArray, end: IntArray, window: int) -> FloatArray:
    """Compute how far running sums are below their peak over the ``window`` values before an end.

    Args:
        totals: (n + 1,) running sums of n values.
        end: (k,) rows after the windows, at least ``window``.
        window: number of values.

    Returns:
        (k,) peak less last sum, never below 0.
    """
    windows = np.lib.stride_tricks.sliding_window_view(totals, window + 1)
    result: FloatArray = windows[end - window].max(axis=1) - totals[end]
    return result


def compare_mean(
    record: DailyRecord, date_ids: IntArray, window: int = FORECAST_WINDOW
) -> WindowComparison:
    """Compare the mean of the newest days with the range of means over the reference's windows.

    The range is widened by half of itself on either side: a fit's forecasts keep their character,
    so a reference holds few windows that are independent. It is widened by rounding as well.

    Args:
        record: (n,) a daily measure.
        date_ids: (k,) numbers of the days asked for.
        window: judged days.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return _window_means(values, end, window)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        means = _window_means(reference, np.arange(window, len(reference) + 1), window)
        slack = np.ptp(means) / 2 + _ROUNDING
        return float(reference.mean()), float(means.min() - slack), float(means.max() + slack)

    return compare_windows(record, date_ids, window, measure, expect)


def compare_coverage(
    record: DailyRecord, date_ids: IntArray, window: int, nominal: float
) -> WindowComparison:
    """Compare the share of labels within an interval with the nominal share.

    The bounds are three standard errors from the nominal share. The standard error comes from how
    the days of the reference vary.

    Args:
        record: (n,) share of a day's labels within the interval.
        date_ids: (k,) numbers of the days asked for.
        window: judged days.
        nominal: share of labels that the interval is made to hold.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return _window_means(values, end, window)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        error = np.sqrt(max(long_run_variance(reference), 0.0) / window)
        off = _COVERAGE_DEVIATIONS * error
        return nominal, float(nominal - off), float(min(nominal + off, 1.0))

    return compare_windows(record, date_ids, window, measure, expect)


def _compare_measures(
    family: str,
    records: Mapping[Part, DailyRecord],
    agreement: Mapping[str, DailyRecord],
    date_ids: IntArray,
) -> Iterator[NamedComparison]:
    if whole := records.get((family, *WHOLE)):
        yield "drawdown", DRAWDOWN_WINDOW, compare_drawdown(whole, date_ids)
    turnover = records.get((family, "forecast", "turnover"))
    of_forecasts = (
        records.get((family, "forecast", "dispersion")),
        turnover and DailyRecord(turnover.date_ids, 1.0 - turnover.values),
        agreement.get(family),
    )
    for name, record in zip(_FORECAST_MEASURES, of_forecasts, strict=True):
        if record:
            yield name, FORECAST_WINDOW, compare_mean(record, date_ids)
    for percent in ("80", "95"):
        if record := records.get((family, "interval", percent)):
            for window in COVERAGE_WINDOWS:
                coverage = compare_coverage(record, date_ids, window, int(percent) / 100)
                yield f"coverage_{percent}", window, coverage


def _window_means(values: FloatArray, end: IntArray, window: int) -> FloatArray:
    """(k,) mean of the ``window`` values before each end."""
    totals = running_sums(values)
    result: FloatArray = (totals[end] - totals[end - window]) / window
    return result


def _to_columns(comparison: WindowComparison, window: int) -> dict[str, Any]:
    reason = explain_shortage(comparison.known_days, comparison.reference_days, window)
    low, high = comparison.bounds.T
    within = ((comparison.value >= low) & (comparison.value <= high)).astype(object)
    within[[text is not None for text in reason]] = None
    return {
        "value": comparison.value,
        "expected": comparison.expected,
        "low": low,
        "high": high,
        "within": within,
        "reason": reason,
    }

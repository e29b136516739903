"""What else there is to a family's forecasts, against what it used to be: ``monitoring.health``.

How good they are is in ``monitoring.rolling``. Nobody is told of these figures: they are there to
see what a drop comes from, or that one is coming.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import HEALTH
from quant_assets.monitoring.rows import to_frame
from quant_assets.monitoring.skill.daily_records import Part
from quant_assets.monitoring.skill.reference_window import (
    BLOCK,
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
_OF_FORECASTS = ("dispersion", "stability", "agreement")
_RARE = 0.99
_DEVIATIONS = 3.0
_DRAWS = 500
_ROUNDING = 1e-9
Shown = tuple[str, int, WindowComparison]
"""Figure, window, and what it is."""


def health_rows(
    records: Mapping[Part, DailyRecord],
    agreement: Mapping[str, DailyRecord],
    days: DayArray,
    numbers: IntArray,
) -> pd.DataFrame:
    """Rows of ``monitoring.health`` for some days.

    Args:
        records: what is known by the last of the days, by family and part.
        agreement: likewise, each family's mean rank correlation with the others.
        days: (k,) days.
        numbers: (k,) their numbers.

    A day has a row for each figure that a family ever had by the last day.
    """
    figures = [
        {"family": family, "figure": figure, "window": window, **_columns(found, window)}
        for family in sorted({family for family, _, _ in records})
        for figure, window, found in _figures(family, records, agreement, numbers)
    ]
    return to_frame(HEALTH, days, numbers, figures)


def compare_drawdown(
    record: DailyRecord, numbers: IntArray, window: int = DRAWDOWN_WINDOW
) -> WindowComparison:
    """How far the cumulated IC is below its peak among the newest days; both bounds of chance.

    Bounds are 0, and what 99 % of windows drawn from the reference stay below.
    """

    def measure(values: FloatArray, end: IntArray) -> FloatArray:
        return drawdowns(running_sums(values), end, window)

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        drawn = draw_blocks(reference, window, block=BLOCK, draws=_DRAWS)
        totals = np.concatenate([np.zeros((_DRAWS, 1)), drawn.cumsum(axis=1)], axis=1)
        below = totals.max(axis=1) - totals[:, -1]
        return float(below.mean()), 0.0, float(np.quantile(below, _RARE))

    return compare_windows(record, numbers, window, measure, expect)


def drawdowns(totals: FloatArray, end: IntArray, window: int) -> FloatArray:
    """(k,) peak of the running sums of the ``window`` values before each end, less the last."""
    windows = np.lib.stride_tricks.sliding_window_view(totals, window + 1)
    result: FloatArray = windows[end - window].max(axis=1) - totals[end]
    return result


def compare_mean(
    record: DailyRecord, numbers: IntArray, window: int = FORECAST_WINDOW
) -> WindowComparison:
    """Mean of the newest days, against the range of the reference's own windows.

    The range is widened by half of itself on either side, since forecasts keep their character from
    one fit to the next, so a reference holds few that are independent; and by what sums round.
    """

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        means = _means(reference, np.arange(window, len(reference) + 1), window)
        slack = np.ptp(means) / 2 + _ROUNDING
        return float(reference.mean()), float(means.min() - slack), float(means.max() + slack)

    return compare_windows(record, numbers, window, lambda x, end: _means(x, end, window), expect)


def compare_coverage(
    record: DailyRecord, numbers: IntArray, window: int, nominal: float
) -> WindowComparison:
    """Mean share of labels within an interval, against the share it is made for.

    What it may be off by comes from how the days of the reference vary.
    """

    def expect(reference: FloatArray) -> tuple[float, float, float]:
        off = _DEVIATIONS * np.sqrt(max(long_run_variance(reference), 0.0) / window)
        return nominal, float(nominal - off), float(min(nominal + off, 1.0))

    return compare_windows(record, numbers, window, lambda x, end: _means(x, end, window), expect)


def _figures(
    family: str,
    records: Mapping[Part, DailyRecord],
    agreement: Mapping[str, DailyRecord],
    numbers: IntArray,
) -> Iterator[Shown]:
    if whole := records.get((family, "all", "")):
        yield "drawdown", DRAWDOWN_WINDOW, compare_drawdown(whole, numbers)
    turnover = records.get((family, "forecast", "turnover"))
    of_forecasts = (
        records.get((family, "forecast", "dispersion")),
        turnover and DailyRecord(turnover.numbers, 1.0 - turnover.values),
        agreement.get(family),
    )
    for name, record in zip(_OF_FORECASTS, of_forecasts, strict=True):
        if record:
            yield name, FORECAST_WINDOW, compare_mean(record, numbers)
    for percent in ("80", "95"):
        if record := records.get((family, "interval", percent)):
            for window in COVERAGE_WINDOWS:
                found = compare_coverage(record, numbers, window, int(percent) / 100)
                yield f"coverage_{percent}", window, found


def _means(values: FloatArray, end: IntArray, window: int) -> FloatArray:
    totals = running_sums(values)
    result: FloatArray = (totals[end] - totals[end - window]) / window
    return result


def _columns(found: WindowComparison, window: int) -> dict[str, Any]:
    reason = explain_shortage(found.known, found.reference, window)
    low, high = found.bounds.T
    within = ((found.value >= low) & (found.value <= high)).astype(object)
    within[[one is not None for one in reason]] = None
    return {
        "value": found.value,
        "expected": found.expected,
        "low": low,
        "high": high,
        "within": within,
        "reason": reason,
    }

"""Intervals between the lake and arrays. How they are made is said in ``ensemble.intervals``."""

from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.ensemble.intervals import LEVELS, covered, intervals
from quant_assets.lake.readers.arrays import long_rows, to_cube
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.point_in_time import (
    read_date_ids,
    read_known_days,
    read_known_labels,
)
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.tables import ENSEMBLE_FORECASTS, INTERVALS
from quant_assets.lake.store.lake import Lake

PERCENT = tuple(round(100 * level) for level in LEVELS)
BOUNDS = tuple(column.name for column in INTERVALS.columns[3:])


def interval_rows(lake: Lake, start: date, end: date) -> dict[str, Any]:
    """Rows of ``forecasts.intervals`` for the days with an ensemble forecast.

    All labels released by ``end`` are read: intervals adapt from the first day on.
    """
    pairs, days = read_pairs(lake), read_known_days(lake, end)
    forecasts = read_forecasts(lake, ENSEMBLE_FORECASTS, pairs.targets, start, end)
    bounds = intervals(read_known_labels(lake, days, pairs.targets), pairs.lags, forecasts.on(days))
    of_days = bounds[np.isin(days, forecasts.days)]
    values = {name: of_days[:, :, i] for i, name in enumerate(BOUNDS)}
    date_ids = read_date_ids(lake, forecasts.days)
    return long_rows(forecasts.days, date_ids, values, "target", pairs.targets)


def read_coverage(
    lake: Lake, days: DayArray, targets: tuple[str, ...], labels: FloatArray
) -> dict[str, FloatArray]:
    """(n,) share of each day's labels within their stored intervals, by level in percent.

    Args:
        lake: the lake.
        days: n consecutive days.
        targets: m names.
        truth: (n, m) labels of the days.

    NaN on a day without intervals or labels.
    """
    within = covered(_bounds(lake, days, targets), labels)
    known = (~np.isnan(within)).sum(axis=1)
    share = np.where(known > 0, np.nansum(within, axis=1) / np.maximum(known, 1), np.nan)
    return {str(level): share[:, i] for i, level in enumerate(PERCENT)}


def _bounds(lake: Lake, days: DayArray, targets: tuple[str, ...]) -> FloatArray:
    """(n, m, 4); NaN where there are none."""
    if not lake.has(INTERVALS):
        return np.full((len(days), len(targets), len(BOUNDS)), np.nan)
    columns = ", ".join(BOUNDS)
    rows = lake.arrow(
        f"SELECT trading_day, target, {columns} FROM {INTERVALS.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [days[0].item(), days[-1].item()],
    )
    bounds: FloatArray = to_cube(rows, days, "target", targets, BOUNDS)
    return bounds

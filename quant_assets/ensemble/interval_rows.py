"""Intervals as rows of the lake, and their coverage. ``ensemble.intervals`` computes them."""

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
BOUNDS = tuple(c.name for c in INTERVALS.columns if c.name.startswith(("lower", "upper")))


def interval_rows(lake: Lake, start: date, end: date) -> dict[str, Any]:
    """Compute rows of ``forecasts.intervals``, without origin, on days with an ensemble forecast.

    All labels known on ``end`` are read, since intervals adapt from the first day on.

    Args:
        lake: the lake.
        start: first forecast day.
        end: last forecast day.
    """
    pairs, days = read_pairs(lake), read_known_days(lake, end)
    forecasts = read_forecasts(lake, ENSEMBLE_FORECASTS, pairs.targets, start, end)
    bounds = intervals(read_known_labels(lake, days, pairs), pairs.lags, forecasts.on(days))
    forecast_bounds = bounds[np.isin(days, forecasts.days)]
    values = {name: forecast_bounds[:, :, i] for i, name in enumerate(BOUNDS)}
    date_ids = read_date_ids(lake, forecasts.days)
    return long_rows(forecasts.days, date_ids, values, "target", pairs.targets)


def read_coverage(
    lake: Lake, days: DayArray, targets: tuple[str, ...], labels: FloatArray
) -> dict[str, FloatArray]:
    """Compute the share of each day's labels that lie within their stored intervals.

    Returns (n,) shares by level in percent; NaN on a day without intervals or labels.

    Args:
        lake: the lake.
        days: (n,) consecutive forecast days.
        targets: m names.
        labels: (n, m) labels by forecast day; NaN where empty.
    """
    within = covered(_read_bounds(lake, days, targets), labels)
    known = (~np.isnan(within)).sum(axis=1)
    share = np.where(known > 0, np.nansum(within, axis=1) / np.maximum(known, 1), np.nan)
    return {str(level): share[:, i] for i, level in enumerate(PERCENT)}


def _read_bounds(lake: Lake, days: DayArray, targets: tuple[str, ...]) -> FloatArray:
    """Read the (n, m, 2 * levels) bounds of the stored intervals; NaN without an interval."""
    if not lake.has(INTERVALS):
        return np.full((len(days), len(targets), len(BOUNDS)), np.nan)
    columns = ", ".join(BOUNDS)
    # A withdrawn day that was submitted live has intervals, and is no forecast day any more.
    rows = lake.arrow(
        f"SELECT trading_day, target, {columns} FROM {INTERVALS.quoted}"
        " WHERE trading_day IN (SELECT unnest(?::DATE[]))",
        [days.tolist()],
    )
    bounds: FloatArray = to_cube(rows, days, "target", targets, BOUNDS)
    return bounds

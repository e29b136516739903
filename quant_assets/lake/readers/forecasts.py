"""Forecasts between the lake and arrays."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.arrays import day_positions, long_rows, repeat_days, to_cube
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of some days.

    Attributes:
        days: (n,) days with a forecast, ascending.
        values: (n, m) scores.
        fit_as_of: (n,) as-of day of the fit used.
        targets: m names.
    """

    days: DayArray
    values: FloatArray
    fit_as_of: DayArray
    targets: tuple[str, ...]

    def on(self, days: DayArray) -> FloatArray:
        """(len(days), m) scores on the given days; NaN on a day without a forecast."""
        result = np.full((len(days), len(self.targets)), np.nan)
        found = np.isin(days, self.days)
        result[found] = self.values[day_positions(days[found], self.days)]
        return result


def forecast_rows(lake: Lake, forecasts: Forecasts) -> dict[str, Any]:
    """Rows of a forecasts table."""
    return {
        **long_rows(
            forecasts.days,
            read_date_ids(lake, forecasts.days),
            {"value": forecasts.values},
            "target",
            forecasts.targets,
        ),
        "fit_as_of": repeat_days(forecasts.fit_as_of, len(forecasts.targets)),
    }


def read_forecasts(
    lake: Lake, table: Table, targets: tuple[str, ...], start: date, end: date
) -> Forecasts:
    """The stored forecasts from ``start`` to ``end``; no days if the table has none."""
    if not lake.has(table):
        none = np.empty(0, dtype="datetime64[D]")
        return Forecasts(none, np.empty((0, len(targets))), none, targets)
    rows = lake.arrow(
        f"SELECT trading_day, target, value, fit_as_of FROM {table.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [start, end],
    )
    found, first = np.unique(rows["trading_day"].to_numpy(), return_index=True)
    days = found.astype("datetime64[D]")
    values = to_cube(rows, days, "target", targets, ["value"])[:, :, 0]
    return Forecasts(days, values, rows["fit_as_of"].to_numpy()[first], targets)

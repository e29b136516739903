"""Reading forecasts as arrays, and converting them to rows."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.arrays import (
    day_positions,
    drop_empty,
    long_rows,
    repeat_days,
    to_cube,
)
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.schemas.revision_tables import SUPERSEDED_FORECASTS
from quant_assets.lake.schemas.table import LIVE, RESUBMITTED, Table
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a family or a release.

    Attributes:
        days: (n,) forecast days, ascending.
        values: (n, m) forecasts.
        fit_as_of: (n,) as-of days of the fits that forecast.
        targets: names of the m targets.
    """

    days: DayArray
    values: FloatArray
    fit_as_of: DayArray
    targets: tuple[str, ...]

    def select(self, days: DayArray) -> "Forecasts":
        """Return the forecasts of those days that are among ``days``."""
        kept = np.isin(self.days, days)
        return replace(
            self,
            days=self.days[kept],
            values=self.values[kept],
            fit_as_of=self.fit_as_of[kept],
        )

    def on(self, days: DayArray) -> FloatArray:
        """Return forecasts of shape (len(days), m); NaN on a day without a forecast."""
        result = np.full((len(days), len(self.targets)), np.nan)
        has_forecast = np.isin(days, self.days)
        result[has_forecast] = self.values[day_positions(days[has_forecast], self.days)]
        return result


def forecast_rows(lake: Lake, forecasts: Forecasts) -> dict[str, Any]:
    """Convert forecasts to rows of a forecasts table; a target without a forecast has no row.

    Raises:
        LakeError: a day has no features.
    """
    rows = long_rows(
        forecasts.days,
        read_date_ids(lake, forecasts.days),
        {"value": forecasts.values},
        "target",
        forecasts.targets,
    )
    fits = repeat_days(forecasts.fit_as_of, len(forecasts.targets))
    return drop_empty({**rows, "fit_as_of": fits})


def read_live_forecasts(lake: Lake, targets: tuple[str, ...], start: date, end: date) -> Forecasts:
    """Read the forecasts of a range of days as they were submitted live.

    A day that was submitted several times before later prices were known has the last of these
    versions. A day that was submitted again after that has the version before. Days that were
    never live have the rows of the history.

    Args:
        lake: the lake.
        targets: names of the m targets.
        start: first forecast day.
        end: last forecast day.
    """
    current = read_forecasts(lake, SUBMITTED_FORECASTS, targets, start, end)
    if not lake.has(SUPERSEDED_FORECASTS):
        return current
    rows = lake.arrow(
        f"SELECT trading_day, target, value FROM {SUPERSEDED_FORECASTS.quoted}"
        f" WHERE origin = '{LIVE}' AND trading_day IN (SELECT trading_day"
        f" FROM {SUBMITTED_FORECASTS.quoted} WHERE origin = '{RESUBMITTED}')"
        " AND trading_day BETWEEN ? AND ?"
        " QUALIFY stored_at = max(stored_at) OVER (PARTITION BY trading_day)",
        [start, end],
    )
    days = np.unique(rows["trading_day"].to_numpy()).astype("datetime64[D]")
    values = current.values.copy()
    live = to_cube(rows, days, "target", targets, ["value"])[:, :, 0]
    values[np.searchsorted(current.days, days)] = live
    return replace(current, values=values)


def read_forecasts(
    lake: Lake, table: Table, targets: tuple[str, ...], start: date, end: date
) -> Forecasts:
    """Read the forecasts of a range of days; the result has no days if none are stored.

    Args:
        lake: the lake.
        table: the forecasts table.
        targets: names of the m targets.
        start: first forecast day.
        end: last forecast day.
    """
    if not lake.has(table):
        no_days = np.empty(0, dtype="datetime64[D]")
        return Forecasts(no_days, np.empty((0, len(targets))), no_days, targets)
    rows = lake.arrow(
        f"SELECT trading_day, target, value, fit_as_of FROM {table.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [start, end],
    )
    stored, first = np.unique(rows["trading_day"].to_numpy(), return_index=True)
    days = stored.astype("datetime64[D]")
    values = to_cube(rows, days, "target", targets, ["value"])[:, :, 0]
    return Forecasts(days, values, rows["fit_as_of"].to_numpy()[first], targets)

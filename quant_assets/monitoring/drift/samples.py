"""Read the cells of features and forecasts, and choose the days that they are compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, IntArray
from quant_assets.lake.readers.features import read_cube
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.inputs import read_market_inputs, read_target_inputs
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import read_members, read_target_members
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import DAILY
from quant_assets.monitoring.skill.champion_periods import read_champion_periods

WINDOW_DAYS = 20
"""Days of the window that is compared; it ends with the day itself."""
MAX_WINDOWS = 16
"""Windows of a reference at most: 320 days, spread evenly over all of it."""
MIN_WINDOWS = 3
"""Windows of a reference at least; with fewer there is no reference."""
FORECAST_REFERENCE_DAYS = 250
"""Days before the window with which forecasts are compared; forecasts have no training days."""


@dataclass(frozen=True)
class ColumnSample:
    """Cells of one level's columns on some days.

    Attributes:
        level: instrument, market, target or forecast.
        names: names of the k columns.
        cells: (k, n, u) float32 values of n days and u units, such as instruments; NaN where there
            is no value, or the unit is not in the universe.
        members: (n, u) whether a unit is in the universe; no other cell is missing.
    """

    level: str
    names: tuple[str, ...]
    cells: AnyArray
    members: BoolArray


def window_rows(days: int) -> IntArray:
    """(w, WINDOW_DAYS) rows of windows spread evenly over so many days, the newest day included.

    Windows do not overlap. There is none if the days hold fewer than ``MIN_WINDOWS``.
    """
    count = min(MAX_WINDOWS, days // WINDOW_DAYS)
    if count < MIN_WINDOWS:
        return np.empty((0, WINDOW_DAYS), np.int64)
    starts = np.linspace(0, days - WINDOW_DAYS, count).astype(np.int64)
    return starts[:, None] + np.arange(WINDOW_DAYS)


def find_reference_rows(values: AnyArray) -> IntArray:
    """Find the rows of forecasts before a window in windows that it is compared with.

    Args:
        values: (n, u) forecasts up to the day before the window; NaN on days without a forecast.

    Returns:
        (w, WINDOW_DAYS) rows of the last ``FORECAST_REFERENCE_DAYS`` days, days without a forecast
        left out.
    """
    first = max(0, len(values) - FORECAST_REFERENCE_DAYS)
    rows = first + np.flatnonzero(~np.isnan(values[first:]).all(axis=1))
    return rows[window_rows(len(rows))]


def read_feature_columns(lake: Lake, days: DayArray) -> Iterator[ColumnSample]:
    """Read the features of each level on the given days, which need not be consecutive.

    Instruments are those that have features by the newest of the days.
    """
    rows = lake.columns(
        f"SELECT DISTINCT instrument FROM {INSTRUMENT_FEATURES.quoted} WHERE trading_day <= ?"
        " ORDER BY 1",
        [days.max().item()],
        needs=INSTRUMENT_FEATURES,
    )
    instruments = tuple(rows["instrument"])
    yield _to_sample(
        "instrument",
        *read_cube(
            lake, INSTRUMENT_FEATURES, days, "instrument", instruments, np.float32, gaps=True
        ),
        read_members(lake, days, instruments),
    )
    names, values = read_market_inputs(lake, days, np.float32, gaps=True)
    always = np.ones((len(days), 1), dtype=np.bool_)
    yield ColumnSample("market", names, np.ascontiguousarray(values.T)[:, :, None], always)
    pairs = read_pairs(lake)
    targets = read_target_inputs(lake, days, pairs, np.float32, gaps=True)
    yield _to_sample("target", *targets, read_target_members(lake, days, pairs))


def _to_sample(
    level: str, names: tuple[str, ...], cube: AnyArray, members: BoolArray
) -> ColumnSample:
    """Return the (n, u, k) features of a level's units as a sample."""
    cells = np.ascontiguousarray(np.moveaxis(cube, 2, 0))
    if not members.all():
        cells[:, ~members] = np.nan
    return ColumnSample(level, names, cells, members)


def read_forecast_columns(
    lake: Lake, families: Sequence[str], days: DayArray
) -> Iterator[ColumnSample]:
    """Read the forecasts of each family and of the ensemble.

    Args:
        lake: has the forecasts.
        families: model families with forecasts.
        days: (n,) consecutive trading days; NaN on days without a forecast.
    """
    pairs = read_pairs(lake)
    members = read_target_members(lake, days, pairs)
    ends = days[0].item(), days[-1].item()
    for name in (*families, "ensemble"):
        forecasts = read_forecasts(lake, forecasts_table(name), pairs.targets, *ends)
        values = np.where(members, forecasts.on(days).astype(np.float32), np.float32(np.nan))
        yield ColumnSample("forecast", (name,), values[None], members)


def read_reference_fits(lake: Lake, families: Sequence[str], days: DayArray) -> DayArray:
    """Find, for each day, the fit whose training days the features are compared with.

    This is the champion's newest fit, or, without a champion, the newest fit that a forecast used.
    Families that are fitted every day do not count: they see no features, and a reference that ends
    with yesterday would make every drift look normal.

    Args:
        lake: has releases, decisions and forecasts.
        families: model families with forecasts.
        days: (n,) ascending.

    Returns:
        (n,) as-of days; NaT on days before the first forecast.
    """
    result = _newest_fits_in_use(lake, families, days)
    for period, positions in read_champion_periods(lake, days):
        if period:
            result[positions] = _read_newest_fit(lake, period.release)
    return result


def _read_newest_fit(lake: Lake, release: str) -> np.datetime64:
    """Read the as-of day of a release's newest pinned fit, or of its newest fit if none is pinned.

    NaT for a release that is not in the table.
    """
    row = lake.columns(
        "SELECT coalesce(max(fit_as_of) FILTER (pinned), max(fit_as_of)) AS as_of"
        f" FROM {RELEASES.quoted} WHERE release = ?",
        [release],
    )
    as_of: np.datetime64 = row["as_of"].astype("datetime64[D]")[0]
    return as_of


def _newest_fits_in_use(lake: Lake, families: Sequence[str], days: DayArray) -> DayArray:
    """(n,) as-of day of the newest fit that a forecast of the day or the days before used."""
    result = np.full(len(days), np.datetime64("NaT", "D"))
    not_daily = [name for name in families if name not in DAILY] or families
    tables = [table for name in not_daily if lake.has(table := forecasts_table(name))]
    if not len(days) or not tables:
        return result
    every_forecast = " UNION ALL ".join(
        f"SELECT trading_day, fit_as_of FROM {t.quoted}" for t in tables
    )
    newest = lake.columns(
        f"SELECT trading_day, max(fit_as_of) AS as_of FROM ({every_forecast})"
        " WHERE trading_day <= ? GROUP BY trading_day ORDER BY trading_day",
        [days[-1].item()],
    )
    row = np.searchsorted(newest["trading_day"].astype("datetime64[D]"), days, side="right") - 1
    has_forecast = row >= 0
    result[has_forecast] = newest["as_of"].astype("datetime64[D]")[row[has_forecast]]
    return result

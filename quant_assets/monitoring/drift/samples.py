"""Which days a column is compared with, and its cells on them: of features and of forecasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, DayArray, IntArray
from quant_assets.lake.readers.features import read_cube
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import (
    INSTRUMENT_FEATURES,
    MARKET_FEATURES,
    TARGET_FEATURES,
    forecasts_table,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import DAILY
from quant_assets.monitoring.skill.champion_periods import read_champion_periods

WINDOW = 20
"""Days compared, ending with the day itself."""
WINDOWS = 16
"""Windows of a reference at most: 320 days, spread evenly over all of it."""
LEAST_WINDOWS = 3
FORECAST_DAYS = 250
"""Days before the window that forecasts are compared with: they have no training days."""


@dataclass(frozen=True)
class ColumnSample:
    """Cells of one level's columns on some days.

    Attributes:
        level: instrument, market, target or forecast.
        names: k columns.
        cells: (k, n, u) float32 values of n days and u units; NaN where there is none.
    """

    level: str
    names: tuple[str, ...]
    cells: AnyArray


def window_rows(days: int) -> IntArray:
    """(w, WINDOW) rows of windows spread evenly over so many days, the newest day included.

    Windows do not overlap. There are none if the days hold fewer than ``LEAST_WINDOWS``.
    """
    count = min(WINDOWS, days // WINDOW)
    if count < LEAST_WINDOWS:
        return np.empty((0, WINDOW), np.int64)
    starts = np.linspace(0, days - WINDOW, count).astype(np.int64)
    return starts[:, None] + np.arange(WINDOW)


def read_feature_columns(lake: Lake, days: DayArray) -> Iterator[ColumnSample]:
    """Features of each level on the given days, which may lie apart.

    Of instruments that the newest of the days knows.
    """
    instruments = lake.columns(
        f"SELECT DISTINCT instrument FROM {INSTRUMENT_FEATURES.quoted} WHERE trading_day <= ?"
        " ORDER BY 1",
        [days.max().item()],
        needs=INSTRUMENT_FEATURES,
    )["instrument"]
    levels: tuple[tuple[str, Table, str, Sequence[str]], ...] = (
        ("instrument", INSTRUMENT_FEATURES, "instrument", tuple(instruments)),
        ("market", MARKET_FEATURES, "", ()),
        ("target", TARGET_FEATURES, "target", read_pairs(lake).targets),
    )
    for level, table, unit_column, units in levels:
        names, cube = read_cube(lake, table, days, unit_column, units, np.float32, gaps=True)
        yield ColumnSample(level, names, np.ascontiguousarray(np.moveaxis(cube, 2, 0)))


def read_forecast_columns(
    lake: Lake, families: Sequence[str], days: DayArray
) -> Iterator[ColumnSample]:
    """Forecasts of each family and of the ensemble on consecutive days; NaN on days without."""
    targets = read_pairs(lake).targets
    ends = days[0].item(), days[-1].item()
    for name in (*families, "ensemble"):
        found = read_forecasts(lake, forecasts_table(name), targets, *ends)
        yield ColumnSample("forecast", (name,), found.on(days).astype(np.float32)[None])


def read_reference_fits(lake: Lake, families: Sequence[str], days: DayArray) -> DayArray:
    """(n,) as-of day of the champion's newest fit; without one, of the newest fit in use.

    Families that are fitted anew each day are left aside: they see no features, and a reference
    that ends with yesterday would take every drift for normal. NaT on days before the first
    forecast.
    """
    result = _newest_in_use(lake, families, days)
    for reign, held in read_champion_periods(lake, days):
        if reign:
            result[held] = _trained_until(lake, reign.release)
    return result


def _trained_until(lake: Lake, release: str) -> np.datetime64:
    """As-of day of the newest fit that a release holds on to; of its newest if it holds on to none.

    A release whose record is gone gives NaT.
    """
    found = lake.columns(
        "SELECT coalesce(max(fit_as_of) FILTER (pinned), max(fit_as_of)) AS as_of"
        f" FROM {RELEASES.quoted} WHERE release = ?",
        [release],
    )
    as_of: np.datetime64 = found["as_of"].astype("datetime64[D]")[0]
    return as_of


def _newest_in_use(lake: Lake, families: Sequence[str], days: DayArray) -> DayArray:
    """(n,) as-of day of the newest fit that a forecast of the day or before used."""
    result = np.full(len(days), np.datetime64("NaT", "D"))
    others = [name for name in families if name not in DAILY] or families
    tables = [table for name in others if lake.has(table := forecasts_table(name))]
    if not len(days) or not tables:
        return result
    every = " UNION ALL ".join(f"SELECT trading_day, fit_as_of FROM {t.quoted}" for t in tables)
    found = lake.columns(
        f"SELECT trading_day, max(fit_as_of) AS as_of FROM ({every})"
        " WHERE trading_day <= ? GROUP BY trading_day ORDER BY trading_day",
        [days[-1].item()],
    )
    row = np.searchsorted(found["trading_day"].astype("datetime64[D]"), days, side="right") - 1
    forecast = row >= 0
    result[forecast] = found["as_of"].astype("datetime64[D]")[row[forecast]]
    return result

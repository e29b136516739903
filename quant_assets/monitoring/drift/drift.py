"""Drift of every feature and forecast on a day: rows of ``monitoring.drift``.

The distances are in ``monitoring.distances``, the days compared in ``monitoring.samples``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, DayArray, IntArray
from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.schemas.tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.drift.distances import (
    KS,
    MISSING,
    PSI,
    Distances,
    ReferenceSummary,
    is_drifted,
    measure_distances,
    summarise_reference,
)
from quant_assets.monitoring.drift.samples import (
    FORECAST_DAYS,
    WINDOW,
    read_feature_columns,
    read_forecast_columns,
    read_reference_fits,
    window_rows,
)
from quant_assets.monitoring.drift.training_reference import read_summaries

WATCHED_DAYS = 20
"""Of a range of days only so many, the newest, are compared.

A day alone takes most of a second on a real market, for reading what the fit was trained on, and a
further one a tenth of that. Older days want ranges of their own.
"""
FAR = 3.0
"""Times its limit from which a single column's distance is told: a year without faults, as
``quant-assets rehearse --no-faults`` makes one, comes close to it."""
MEMORIES = 2
"""Times its longest window that a feature has to be known in a reference: what looks back a year
hardly changes within one, and would be taken for drifted ever after."""
_MEMORY = {(str(one.level), one.name): one.window for one in CATALOGUE}
_NO_FIT = "no forecast, so no fit in force"
_SHORT = "reference too short"
_NOTHING = Distances(np.nan, np.nan, np.nan)
_BASE = Distances(PSI, KS, MISSING)


@dataclass(frozen=True)
class ColumnDrift:
    """What became of one column on one day."""

    day: np.datetime64
    level: str
    name: str
    found: Distances
    limits: Distances
    reason: str | None
    reference_until: np.datetime64

    def row(self) -> tuple[object, ...]:
        """In the table's order, without the day's number."""
        limits, far = self.limits, is_drifted(self.found, self.limits)
        figures = self.found.psi, limits.psi, self.found.ks, limits.ks, self.found.missing, far
        return (self.day, self.level, self.name, *figures, self.reason, self.reference_until)


def first_compared_day(lake: Lake, start: date, end: date) -> date:
    """The first day of a range that is compared."""
    return max(start, find_history_start(lake, MARKET_FEATURES, end, WATCHED_DAYS - 1))


def drift_rows(
    lake: Lake, families: Sequence[str], start: date, end: date, artifacts: Path | None = None
) -> pd.DataFrame:
    """Rows of ``monitoring.drift`` for every day with features from ``start`` to ``end``.

    Args:
        lake: the lake.
        families: model families with forecasts.
        start: first day.
        end: last day.
        artifacts: folder where the features' references are kept, one a fit; None keeps nothing.
    """
    days = read_known_days(lake, end)
    wanted = np.flatnonzero(days >= np.datetime64(start))
    found = [
        *_of_features(lake, families, artifacts, days, wanted),
        *_of_forecasts(lake, families, days, wanted),
    ]
    names = [column.name for column in DRIFT.columns if column.name != "date_id"]
    rows = pd.DataFrame([one.row() for one in found], columns=names)
    rows["date_id"] = read_date_ids(lake, rows["trading_day"].to_numpy().astype("datetime64[D]"))
    return rows[[column.name for column in DRIFT.columns]]


def share_drifted(rows: pd.DataFrame) -> pd.Series:
    """Share of each day's features that have drifted, of those that could be compared."""
    known = rows["ks"].notna() | rows["drifted"].astype(bool)
    compared = rows[(rows["level"] != "forecast") & known]
    return compared["drifted"].astype(float).groupby(compared["trading_day"]).mean()


def severity(rows: pd.DataFrame) -> pd.Series:
    """How many times its limit a column's largest distance is; 0 where none is known."""
    times = pd.concat(
        [
            rows["psi"] / rows["psi_limit"],
            rows["ks"] / rows["ks_limit"],
            rows["missing_change"] / MISSING,
        ],
        axis=1,
    )
    return times.max(axis=1).fillna(0.0).clip(lower=0.0)


def select_far_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the columns that are told of one by one."""
    found: pd.DataFrame = rows[severity(rows) > FAR]
    return found


def reference_forecasts(values: AnyArray) -> AnyArray:
    """(w, WINDOW, u) windows of the last ``FORECAST_DAYS`` days, of those with a forecast.

    Args:
        values: (n, u) forecasts up to the day before the window compared; NaN on days without.
    """
    before = values[-FORECAST_DAYS:]
    before = before[~np.isnan(before).all(axis=1)]
    windows: AnyArray = before[window_rows(len(before))]
    return windows


def _of_features(
    lake: Lake,
    families: Sequence[str],
    artifacts: Path | None,
    days: DayArray,
    wanted: IntArray,
) -> Iterator[ColumnDrift]:
    """Of days that share a fit the reference is read once."""
    if not len(wanted):
        return
    first = max(0, int(wanted[0]) - WINDOW + 1)
    with lake.at_once():
        recent = list(read_feature_columns(lake, days[first : wanted[-1] + 1]))
        in_force = read_reference_fits(lake, families, days[wanted])
    for as_of, group in groupby(zip(wanted, in_force, strict=True), key=lambda pair: str(pair[1])):
        references = read_summaries(lake, families, artifacts, days, np.datetime64(as_of))
        seen = int(np.searchsorted(days, np.datetime64(as_of), side="right"))
        why = _NO_FIT if as_of == "NaT" else _SHORT
        for row, _ in group:
            for columns in recent:
                for j, name in enumerate(columns.names):
                    key = (days[row], columns.level, name)
                    current = _window(columns.cells[j], row - first)
                    reference = references[columns.level, name] if references else why
                    found = _compared(*key, reference, current, np.datetime64(as_of))
                    if isinstance(reference, ReferenceSummary):
                        found = _long_enough(found, round(seen * reference.spanned))
                    yield found


def _of_forecasts(
    lake: Lake, families: Sequence[str], days: DayArray, wanted: IntArray
) -> Iterator[ColumnDrift]:
    if not len(wanted):
        return
    first = max(0, int(wanted[0]) - WINDOW - FORECAST_DAYS + 1)
    with lake.at_once():
        samples = list(read_forecast_columns(lake, families, days[first : wanted[-1] + 1]))
    for columns in samples:
        values = columns.cells[0]
        for row in wanted - first:
            windows = reference_forecasts(values[: max(0, row - WINDOW + 1)])
            reference = (
                summarise_reference(windows.reshape(len(windows), -1)) if len(windows) else _SHORT
            )
            key = (days[first + row], columns.level, columns.names[0])
            until = days[first + max(0, row - WINDOW)]
            yield _compared(*key, reference, _window(values, row), until)


def _window(values: AnyArray, row: int) -> AnyArray:
    """Cells of the window that ends with a row."""
    return values[max(0, row - WINDOW + 1) : row + 1].ravel()


def _long_enough(found: ColumnDrift, known: int) -> ColumnDrift:
    """The drift of a feature, without distances if it was known on too few days of a reference."""
    needed = MEMORIES * _MEMORY[found.level, found.name]
    if known >= needed or found.reason:
        return found
    why = f"{_SHORT}: known on {known} days of it, {needed} are needed"
    return replace(found, found=Distances(np.nan, np.nan, found.found.missing), reason=why)


def _compared(
    day: np.datetime64,
    level: str,
    name: str,
    reference: ReferenceSummary | str,
    current: AnyArray,
    until: np.datetime64,
) -> ColumnDrift:
    """The column's drift; a ``reference`` of text says why there is none."""
    if isinstance(reference, str):
        return ColumnDrift(day, level, name, _NOTHING, _BASE, reference, np.datetime64("NaT"))
    found, reason = measure_distances(reference, current)
    return ColumnDrift(day, level, name, found, reference.limits, reason, until)

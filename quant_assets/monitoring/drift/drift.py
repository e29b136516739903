"""Drift of every feature and forecast on a day: rows of ``monitoring.drift``, the table.

The distances are in ``monitoring.drift.distances``, the days that are compared in
``monitoring.drift.samples``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, IntArray
from quant_assets.features.catalogue import Feature
from quant_assets.lake.readers.inputs import list_stored_inputs
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.drift.distances import (
    KS_LIMIT,
    MISSING_LIMIT,
    PSI_LIMIT,
    Distances,
    ReferenceSummary,
    is_drifted,
    measure_distances,
    summarise_reference,
)
from quant_assets.monitoring.drift.samples import (
    FORECAST_REFERENCE_DAYS,
    WINDOW_DAYS,
    find_reference_rows,
    read_feature_columns,
    read_forecast_columns,
    read_reference_fits,
)
from quant_assets.monitoring.drift.training_reference import read_summaries

MAX_COMPARED_DAYS = 20
"""Of a range of days only the newest ones are compared, at most this many.

A single day takes most of a second on a real market, because the training days of the fit are read;
each further day takes a tenth of that. Older days need a run over a range of their own.
"""
SEVERITY_LIMIT = 3.0
"""Times its limit beyond which a single column's distance raises an alert. A year without faults,
as ``quant-assets rehearse --no-faults`` simulates it, comes close to this."""
MIN_FEATURE_WINDOWS = 2
"""Times its longest window that a feature has to be known in a reference. A feature that looks back
a year hardly changes within one; with fewer days it would count as drifted ever after."""
_NO_FIT = "no forecast, so no fit in force"
_SHORT = "reference too short"
_UNDEFINED = Distances(np.nan, np.nan, np.nan)
_GENERAL_LIMITS = Distances(PSI_LIMIT, KS_LIMIT, MISSING_LIMIT)


@dataclass(frozen=True)
class ColumnDrift:
    """The drift of one column on one day.

    Attributes:
        day: the day.
        level: instrument, market, target or forecast.
        name: name of the feature, or of the family of a forecast.
        distances: of the window that ends with the day from the reference.
        limits: distances beyond which the column has drifted.
        reason: why a distance is NaN; None if none is.
        reference_until: last day of the reference; NaT without one.
    """

    day: np.datetime64
    level: str
    name: str
    distances: Distances
    limits: Distances
    reason: str | None
    reference_until: np.datetime64

    def to_row(self) -> tuple[object, ...]:
        """Return the values in the order of the table's columns, without the day's number."""
        distances, limits = self.distances, self.limits
        measures = distances.psi, limits.psi, distances.ks, limits.ks, distances.missing
        outcome = is_drifted(distances, limits), self.reason, self.reference_until
        return (self.day, self.level, self.name, *measures, *outcome)


def first_compared_day(lake: Lake, start: date, end: date) -> date:
    """Find the first day of a range that is compared, see ``MAX_COMPARED_DAYS``.

    Args:
        lake: the lake.
        start: first day of the range.
        end: last day of the range.
    """
    return max(start, find_history_start(lake, MARKET_FEATURES, end, MAX_COMPARED_DAYS - 1))


def drift_rows(
    lake: Lake, families: Sequence[str], start: date, end: date, artifacts: Path | None = None
) -> pd.DataFrame:
    """Make rows of ``monitoring.drift`` for every day with features from ``start`` to ``end``.

    Args:
        lake: the lake.
        families: model families with forecasts.
        start: first day.
        end: last day.
        artifacts: folder where the features' references are kept, one a fit; None keeps nothing.
    """
    days = read_known_days(lake, end)
    wanted = np.flatnonzero(days >= np.datetime64(start))
    drifts = [
        *_compare_features(lake, families, artifacts, days, wanted),
        *_compare_forecasts(lake, families, days, wanted),
    ]
    names = [column.name for column in DRIFT.columns if column.name != "date_id"]
    rows = pd.DataFrame([drift.to_row() for drift in drifts], columns=names)
    rows["date_id"] = read_date_ids(lake, rows["trading_day"].to_numpy().astype("datetime64[D]"))
    return rows[[column.name for column in DRIFT.columns]]


def share_drifted(rows: pd.DataFrame) -> pd.Series:
    """Compute, for each day, the share of the compared features that have drifted.

    Args:
        rows: of ``monitoring.drift``. Days without a compared feature are not in the result.
    """
    known = rows["ks"].notna() | rows["drifted"].astype(bool)
    compared = rows[(rows["level"] != "forecast") & known]
    return compared["drifted"].astype(float).groupby(compared["trading_day"]).mean()


def drift_severity(rows: pd.DataFrame) -> pd.Series:
    """Compute how many times its limit each column's largest distance is; 0 where none is known.

    Args:
        rows: of ``monitoring.drift``.
    """
    times = pd.concat(
        [
            rows["psi"] / rows["psi_limit"],
            rows["ks"] / rows["ks_limit"],
            rows["missing_change"] / MISSING_LIMIT,
        ],
        axis=1,
    )
    return times.max(axis=1).fillna(0.0).clip(lower=0.0)


def select_severe_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows whose drift raises an alert on its own, see ``SEVERITY_LIMIT``."""
    severe: pd.DataFrame = rows[drift_severity(rows) > SEVERITY_LIMIT]
    return severe


def _compare_features(
    lake: Lake,
    families: Sequence[str],
    artifacts: Path | None,
    days: DayArray,
    wanted: IntArray,
) -> Iterator[ColumnDrift]:
    """Compare features; the reference is read once for all days that share a fit."""
    if not len(wanted):
        return
    first = max(0, int(wanted[0]) - WINDOW_DAYS + 1)
    with lake.at_once():
        recent = list(read_feature_columns(lake, days[first : wanted[-1] + 1]))
        fits = read_reference_fits(lake, families, days[wanted])
        features = list_stored_inputs(lake)
    for as_of, group in groupby(zip(wanted, fits, strict=True), key=lambda pair: str(pair[1])):
        references = read_summaries(lake, families, artifacts, days, np.datetime64(as_of))
        training_days = int(np.searchsorted(days, np.datetime64(as_of), side="right"))
        why_none = _NO_FIT if as_of == "NaT" else _SHORT
        for row, _ in group:
            for columns in recent:
                for j, name in enumerate(columns.names):
                    key = (days[row], columns.level, name)
                    current = _window_cells(columns.cells[j], columns.members, row - first)
                    reference = references[columns.level, name] if references else why_none
                    drift = _compare_column(*key, reference, current, np.datetime64(as_of))
                    if isinstance(reference, ReferenceSummary):
                        known_days = round(training_days * reference.spanned)
                        drift = _require_days(drift, features[columns.level, name], known_days)
                    yield drift


def _compare_forecasts(
    lake: Lake, families: Sequence[str], days: DayArray, wanted: IntArray
) -> Iterator[ColumnDrift]:
    if not len(wanted):
        return
    first = max(0, int(wanted[0]) - WINDOW_DAYS - FORECAST_REFERENCE_DAYS + 1)
    with lake.at_once():
        samples = list(read_forecast_columns(lake, families, days[first : wanted[-1] + 1]))
    for columns in samples:
        values = columns.cells[0]
        for row in wanted - first:
            rows = find_reference_rows(values[: max(0, row - WINDOW_DAYS + 1)])
            windows, counted = values[rows], int(columns.members[rows].sum())
            reference = (
                summarise_reference(windows.reshape(len(windows), -1), counted)
                if len(windows)
                else _SHORT
            )
            key = (days[first + row], columns.level, columns.names[0])
            until = days[first + max(0, row - WINDOW_DAYS)]
            current = _window_cells(values, columns.members, row)
            yield _compare_column(*key, reference, current, until)


def _window_cells(values: AnyArray, members: BoolArray, row: int) -> AnyArray:
    """The members' cells, in one dimension, of the window that ends with a row."""
    window = slice(max(0, row - WINDOW_DAYS + 1), row + 1)
    return values[window][members[window]]


def _require_days(drift: ColumnDrift, feature: Feature, known_days: int) -> ColumnDrift:
    """Remove a feature's PSI and KS if it was known on too few days of its reference."""
    needed = MIN_FEATURE_WINDOWS * feature.window
    if known_days >= needed or drift.reason:
        return drift
    why = f"{_SHORT}: known on {known_days} days of it, {needed} are needed"
    return replace(drift, distances=Distances(np.nan, np.nan, drift.distances.missing), reason=why)


def _compare_column(
    day: np.datetime64,
    level: str,
    name: str,
    reference: ReferenceSummary | str,
    current: AnyArray,
    until: np.datetime64,
) -> ColumnDrift:
    """Compare one column; a ``reference`` that is a text says why there is none."""
    if isinstance(reference, str):
        nat = np.datetime64("NaT")
        return ColumnDrift(day, level, name, _UNDEFINED, _GENERAL_LIMITS, reference, nat)
    distances, reason = measure_distances(reference, current)
    return ColumnDrift(day, level, name, distances, reference.limits, reason, until)

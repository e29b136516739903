"""Fits as of a day and forecasts by the fit in force: families, lake and artifacts together."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np

from quant_assets.evaluation.walk_forward import fit_in_force, fit_rows
from quant_assets.features.catalogue import CATALOGUE_VERSION
from quant_assets.lake.arrays import day_positions
from quant_assets.lake.artifacts import fetch, store
from quant_assets.lake.forecasts import Forecasts
from quant_assets.lake.lake import Lake
from quant_assets.lake.point_in_time import date_ids_of, observations
from quant_assets.lake.prices import history_start
from quant_assets.lake.tables import MARKET_FEATURES, fits_table
from quant_assets.models.base import Observations, Resources
from quant_assets.models.registry import family
from quant_assets.settings import Settings
from quant_assets.typing import AnyArray, DayArray, IntArray

FitRow = dict[str, Any]


def rows_to_fit(days: DayArray, start: date, end: date, settings: Settings) -> IntArray:
    """As-of rows to fit for a range of days: a single day itself, else the walk-forward days in it.

    Raises:
        LakeError: the single day is not among the days.
    """
    ends = np.array([start, end], dtype="datetime64[D]")
    if start == end:
        return day_positions(ends[:1], days)
    first, last = np.searchsorted(days, ends)
    grid = fit_rows(len(days), settings.first_fit_after, settings.refit_every)
    wanted: IntArray = grid[(grid >= first) & (grid <= last)]
    return wanted


def make_fits(
    lake: Lake, settings: Settings, name: str, start: date, end: date, note: Callable[[str], None]
) -> Iterator[FitRow]:
    """Fit a family for each as-of day of the range; rows of its fits table.

    Raises:
        LakeError: the single day wanted has no features.
        NotEnoughHistoryError: a day has too few released labels before it.
    """
    snapshot = lake.snapshot_id()
    seen = observations(lake, end)
    rows = rows_to_fit(seen.days, start, end, settings)
    date_ids = date_ids_of(lake, seen.days[rows])
    for count, row in enumerate(rows, 1):
        fitted = _fit(name, seen.rows(0, int(row) + 1), settings)
        note(
            f"{name}: fit {count} of {len(rows)}, as of {seen.days[row]}, {fitted['seconds']:.1f} s"
        )
        yield {**fitted, "date_id": int(date_ids[count - 1]), "snapshot": snapshot}


def forecast(lake: Lake, settings: Settings, name: str, start: date, end: date) -> Forecasts:
    """Forecasts of a family for each day of the range that has a fit as of that day or before.

    Raises:
        ArtifactError: a stored fit is missing or altered.
    """
    chosen = family(name)
    fits = _fits_until(lake, name, end)
    since = history_start(lake, MARKET_FEATURES, start, chosen.lookback)
    seen = observations(lake, end, since=since)
    first = int(np.searchsorted(seen.days, np.datetime64(start, "D")))
    wanted = np.arange(first, len(seen.days))
    in_force = fit_in_force(
        seen.days[wanted].astype(np.int64), fits["trading_day"].astype(np.int64)
    )
    wanted, in_force = wanted[in_force >= 0], in_force[in_force >= 0]
    values = np.full((len(wanted), len(seen.targets)), np.nan)
    for fit in np.unique(in_force):
        of_fit = in_force == fit
        stored = fetch(settings.artifacts_dir, fits["artifact"][fit], fits["sha256"][fit])
        until = seen.rows(0, int(wanted[of_fit][-1]) + 1)
        values[of_fit] = chosen.load(stored).forecast(until, int(of_fit.sum()))
    return Forecasts(seen.days[wanted], values, fits["trading_day"][in_force], seen.targets)


def _fit(name: str, seen: Observations, settings: Settings) -> FitRow:
    chosen = family(name)
    begun = time.perf_counter()
    model = chosen.fit(seen, chosen.defaults, Resources(settings.seed, settings.threads))
    seconds = time.perf_counter() - begun
    artifact, digest = store(settings.artifacts_dir, model.to_bytes())
    labels = int((~np.isnan(seen.labels())).sum())
    return {
        "trading_day": seen.days[-1].item(),
        "parameters": json.dumps(dict(chosen.defaults), sort_keys=True),
        "metrics": json.dumps({"labels": labels, "days": len(seen.days)}),
        "artifact": artifact,
        "sha256": digest,
        "features_version": CATALOGUE_VERSION,
        "seconds": seconds,
    }


def _fits_until(lake: Lake, name: str, end: date) -> dict[str, AnyArray]:
    table = fits_table(name)
    return lake.columns(
        f"SELECT trading_day, artifact, sha256 FROM {table.quoted}"
        " WHERE trading_day <= ? ORDER BY trading_day",
        [end],
        needs=table,
    )

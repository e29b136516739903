"""Fits as of a day and forecasts by the fit in force: families, lake and artifacts together."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import ArtifactError, LakeError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, DayArray, IntArray
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.point_in_time import read_date_ids, read_observations
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.schemas.tables import MARKET_FEATURES, fits_table
from quant_assets.lake.store.artifacts import is_artifact_stored, read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Forecaster, Observations, Parameters, Resources
from quant_assets.models.registry import DAILY, load_family
from quant_assets.training.fitting import (
    FitOrder,
    FitRow,
    digest_days,
    fingerprint_fit,
    make_fit,
    require_features,
)
from quant_assets.training.parameter_selection import SelectedParameters, select_parameters
from quant_assets.training.walk_forward import find_fit_in_force, rows_to_fit


def make_fits(
    lake: Lake,
    settings: Settings,
    name: str,
    start: date,
    end: date,
    note: Callable[[str], None],
    *,
    by_hand: Parameters | None = None,
    warn: Callable[[str], None] | None = None,
    dagster_run: str | None = None,
) -> Iterator[FitRow]:
    """Fit a family for each as-of day of the range; rows of its fits table, as they are ready.

    A day whose stored fit has the same fingerprint is left out. Several fits share the cores.

    Args:
        lake: the lake.
        settings: seed, cores, and whether studies are used.
        name: the family.
        start: first day of the range.
        end: last day; nothing known later is read.
        note: told of every fit.
        by_hand: parameters to use instead of a study's, or of the defaults.
        warn: told of studies that cannot be used; ``note`` if None.
        dagster_run: recorded with the fits.

    Raises:
        LakeError: the single day wanted has no features.
        UnknownNameError: the family has no parameter that is set by hand.
        SettingsError: such a one is out of range.
    """
    from joblib import Parallel, delayed

    with lake.at_once() as snapshot:
        seen = read_observations(lake, end, features=name not in DAILY)
    stored = _fingerprints(lake, settings, name)
    rows = rows_to_fit(seen.days, start, end, settings, list(stored))
    chosen = select_parameters(lake, settings, name, seen.days[rows], by_hand or {}, warn or note)
    orders = _orders(settings, name, rows, digest_days(seen), chosen)
    todo = [order for order in orders if order.fingerprint not in stored.values()]
    if len(todo) < len(orders):
        note(f"{name}: {len(orders) - len(todo)} of {len(orders)} fits are there already")
    jobs = max(1, min(settings.threads, len(todo)))
    date_ids = read_date_ids(lake, seen.days[[order.row for order in todo]])
    # A worker whose memory has grown is replaced by another: nothing is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    made = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(make_fit)(order, seen, settings.artifacts_dir) for order in todo
    )
    for count, (row, date_id) in enumerate(zip(made, date_ids, strict=True), 1):
        failed = f", failed: {row['failure']}" if row["failure"] else ""
        day, seconds = row["trading_day"], row["seconds"]
        note(f"{name}: fit {count} of {len(todo)}, as of {day}, {seconds:.1f} s{failed}")
        origin = {"date_id": int(date_id), "snapshot": snapshot, "dagster_run": dagster_run}
        yield {**row, **origin}


def _orders(
    settings: Settings,
    name: str,
    rows: IntArray,
    known: Sequence[str],
    chosen: Sequence[SelectedParameters],
) -> list[FitOrder]:
    jobs = max(1, min(settings.threads, len(rows)))
    resources = Resources(settings.seed, max(1, settings.threads // jobs))
    return [
        FitOrder(
            name,
            int(row),
            one,
            resources,
            fingerprint_fit(name, known[row], one.parameters, settings.seed),
        )
        for row, one in zip(rows, chosen, strict=True)
    ]


def make_forecasts(
    lake: Lake, settings: Settings, names: Sequence[str], start: date, end: date
) -> Iterator[tuple[str, Forecasts | ArtifactError]]:
    """Forecasts of each family for each day of the range that has a fit as of that day or before.

    Features are read once for all families. One that was never fitted has no days; of one whose
    stored fit is missing, altered or cannot forecast the error is handed out, and the others go on.

    Raises:
        LakeError: no family was ever fitted.
    """
    fitted = [name for name in names if lake.has(fits_table(name))]
    if not fitted:
        raise LakeError(
            "no family has a fit yet",
            where=", ".join(names),
            hint="run retrain_models or load_history first",
        )
    seen = read_observations_for(lake, fitted, start, end)
    for name in names:
        try:
            yield name, _forecast(seen, list(find_fit_periods(lake, settings, seen, name, start)))
        except ArtifactError as error:
            yield name, error
        except Exception as error:  # noqa: BLE001 - a library may raise anything; others go on
            yield name, _cannot_forecast(name, error)


def _cannot_forecast(name: str, error: Exception) -> ArtifactError:
    found, hint = f"{type(error).__name__}: {error}", "run retrain_models"
    return ArtifactError("a stored fit cannot forecast", where=name, found=found, hint=hint)


def read_observations_for(lake: Lake, names: Sequence[str], start: date, end: date) -> Observations:
    """The days from ``start`` to ``end``, and those before that the families look back on."""
    lookback = max(load_family(name).lookback for name in names)
    return read_observations(
        lake, end, since=find_history_start(lake, MARKET_FEATURES, start, lookback)
    )


@dataclass(frozen=True)
class FitPeriod:
    """Days on which one fit is in force.

    Attributes:
        model: the fit.
        as_of: day it was fitted as of.
        seen: what is known on the last of the days.
        rows: how many days, the last ones of ``seen``.
    """

    model: Forecaster
    as_of: np.datetime64
    seen: Observations
    rows: int

    @property
    def days(self) -> DayArray:
        """(rows,) the days."""
        return self.seen.days[-self.rows :]


def find_fit_periods(
    lake: Lake, settings: Settings, seen: Observations, name: str, start: date
) -> Iterator[FitPeriod]:
    """The family's fits in force on the days of ``seen`` from ``start`` on, in order.

    That is the newest as of the day or before; of a family that is fitted daily, the newest before
    the day, unless the first is as of the day. None for days before the first fit, or of a family
    that was never fitted.

    Raises:
        ArtifactError: a stored fit is missing, altered, or was made on other features.
    """
    if not lake.has(fits_table(name)):
        return
    fits = _fits_until(lake, name, seen.days[-1].item())
    as_of = fits["trading_day"].astype("datetime64[D]")
    first = int(np.searchsorted(seen.days, np.datetime64(start, "D")))
    days, made = seen.days[first:].astype(np.int64), as_of.astype(np.int64)
    in_force = find_fit_in_force(days, made)
    if name in DAILY:
        # The fit as of a day is made after its submission: done again, the day must not use it.
        in_force = np.maximum(find_fit_in_force(days - 1, made), np.minimum(in_force, 0))
    for fit in np.unique(in_force[in_force >= 0]):
        require_features(name, fits["features_version"][fit])
        stored = read_artifact(settings.artifacts_dir, fits["artifact"][fit], fits["sha256"][fit])
        of_fit = np.flatnonzero(in_force == fit)
        until = seen.rows(0, first + int(of_fit[-1]) + 1)
        yield FitPeriod(load_family(name).load(stored), as_of[fit], until, len(of_fit))


def _forecast(seen: Observations, found: Sequence[FitPeriod]) -> Forecasts:
    none = np.empty(0, "datetime64[D]")
    values = [spell.model.forecast(spell.seen, spell.rows) for spell in found]
    return Forecasts(
        np.concatenate([none, *(spell.days for spell in found)]),
        np.concatenate([np.empty((0, len(seen.targets))), *values]),
        np.concatenate([none, *(np.repeat(spell.as_of, spell.rows) for spell in found)]),
        seen.targets,
    )


def _fits_until(lake: Lake, name: str, end: date) -> dict[str, AnyArray]:
    table = fits_table(name)
    return lake.columns(
        f"SELECT trading_day, artifact, sha256, features_version FROM {table.quoted}"
        " WHERE trading_day <= ? AND artifact IS NOT NULL ORDER BY trading_day",
        [end],
        needs=table,
    )


def _fingerprints(lake: Lake, settings: Settings, name: str) -> dict[date, str | None]:
    """By as-of day that of the finished fit whose model is still there, unaltered; else None."""
    table = fits_table(name)
    if not lake.has(table):
        return {}
    columns = "trading_day, fingerprint, artifact, sha256, failure"
    stored = lake.arrow(f"SELECT {columns} FROM {table.quoted}").to_pylist()
    return {
        one["trading_day"]: one["fingerprint"]
        if not one["failure"]
        and is_artifact_stored(settings.artifacts_dir, one["artifact"], one["sha256"])
        else None
        for one in stored
    }

"""Making a family's fits from the lake, and forecasting with the stored fits in force."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import ArtifactError, LakeError
from quant_assets.core.processes import end_with_parent
from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, DayArray, FloatArray, IntArray
from quant_assets.lake.readers.arrays import day_blocks
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
    """Fit a family as of each day to fit in the range, and yield rows of its fits table.

    A row is yielded as soon as its fit is finished. A day whose stored fit has the same fingerprint
    is not fitted again. Fits run in parallel on the cores that the settings allow.

    Args:
        lake: the lake.
        settings: the seed, the number of cores, and whether studies are used.
        name: name of the family.
        start: first day of the range.
        end: last day of the range; nothing known later is read.
        note: called with a message about every finished fit.
        by_hand: parameters that replace those of a study and the defaults.
        warn: called with a message about each study that cannot be used; ``note`` by default.
        dagster_run: id of the run, stored with the fits.

    Raises:
        LakeError: the only day of the range has no features.
        UnknownNameError: the family lacks a parameter of ``by_hand``.
        SettingsError: a value of ``by_hand`` is out of range.
    """
    from joblib import Parallel, delayed

    with lake.at_once() as snapshot:
        observations = read_observations(lake, end, features=name not in DAILY)
    stored = _read_fingerprints(lake, settings, name)
    rows = rows_to_fit(observations.days, start, end, settings, list(stored))
    selected = select_parameters(
        lake, settings, name, observations.days[rows], by_hand or {}, warn or note
    )
    orders = _order_fits(settings, name, rows, digest_days(observations), selected)
    missing = [order for order in orders if order.fingerprint not in stored.values()]
    if len(missing) < len(orders):
        note(f"{name}: {len(orders) - len(missing)} of {len(orders)} fits are there already")
    jobs = max(1, min(settings.threads, len(missing)))
    date_ids = read_date_ids(lake, observations.days[[order.row for order in missing]])
    # Joblib replaces a worker whose memory has grown, and repeats its fit.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    fit_rows = Parallel(
        n_jobs=jobs, return_as="generator", initializer=end_with_parent, initargs=(os.getpid(),)
    )(delayed(make_fit)(order, observations, settings.artifacts_dir) for order in missing)
    for count, (row, date_id) in enumerate(zip(fit_rows, date_ids, strict=True), 1):
        failed = f", failed: {row['failure']}" if row["failure"] else ""
        day, seconds = row["trading_day"], row["seconds"]
        note(f"{name}: fit {count} of {len(missing)}, as of {day}, {seconds:.1f} s{failed}")
        origin = {"date_id": int(date_id), "snapshot": snapshot, "dagster_run": dagster_run}
        yield {**row, **origin}


def _order_fits(
    settings: Settings,
    name: str,
    rows: IntArray,
    day_digests: Sequence[str],
    selected: Sequence[SelectedParameters],
) -> list[FitOrder]:
    jobs = max(1, min(settings.threads, len(rows)))
    resources = Resources(settings.seed, max(1, settings.threads // jobs))
    return [
        FitOrder(
            name,
            int(row),
            choice,
            resources,
            fingerprint_fit(name, day_digests[row], choice.parameters, settings.seed),
        )
        for row, choice in zip(rows, selected, strict=True)
    ]


def make_forecasts(
    lake: Lake, settings: Settings, names: Sequence[str], start: date, end: date
) -> Iterator[tuple[str, Forecasts | ArtifactError]]:
    """Forecast the days from ``start`` to ``end`` with each family's fits in force.

    Yields each family's name with its forecasts, which lack the days without a fit in force. If a
    stored fit is missing, altered or cannot forecast, the error takes the place of the family's
    forecasts, and the other families go on. Features are read once for all families.

    Args:
        lake: the lake.
        settings: where artifacts are.
        names: names of the families.
        start: first forecast day.
        end: last forecast day.

    Raises:
        LakeError: no family was ever fitted.
    """
    fitted = [name for name in names if lake.has(fits_table(name))]
    if not fitted:
        raise _no_fit_error(lake, settings, names)
    observations = read_observations_for(lake, fitted, start, end)
    for name in names:
        try:
            yield (
                name,
                _forecast(
                    observations, list(find_fit_periods(lake, settings, observations, name, start))
                ),
            )
        except ArtifactError as error:
            yield name, error
        except Exception as error:  # noqa: BLE001 - a library may raise anything; others go on
            yield name, _forecast_error(name, error)


def _no_fit_error(lake: Lake, settings: Settings, names: Sequence[str]) -> LakeError:
    """Create the error for a lake without fits; its history may be too short for one."""
    days = 0
    if lake.has(MARKET_FEATURES):
        sql = f"SELECT count(DISTINCT trading_day) AS days FROM {MARKET_FEATURES.quoted}"
        days = int(lake.columns(sql)["days"][0])
    needed = settings.first_fit_after + 1
    return LakeError(
        "no family has a fit yet",
        where=", ".join(names),
        expected=f"{needed} trading days at least, since QUANT_FIRST_FIT_AFTER is {needed - 1}",
        found=f"{days} days with features",
        hint="run retrain_models or load_history first"
        if days >= needed
        else "load a longer history; a smaller QUANT_FIRST_FIT_AFTER, 60 at least, fits earlier",
    )


def _forecast_error(name: str, error: Exception) -> ArtifactError:
    cause, hint = f"{type(error).__name__}: {error}", "run retrain_models"
    return ArtifactError("a stored fit cannot forecast", where=name, found=cause, hint=hint)


def read_observations_for(lake: Lake, names: Sequence[str], start: date, end: date) -> Observations:
    """Read the observations that families need to forecast the days from ``start`` to ``end``.

    They begin as many days before ``start`` as the longest lookback of the families.

    Args:
        lake: the lake.
        names: names of the families.
        start: first forecast day.
        end: last forecast day; nothing known later is read.
    """
    lookback = max(load_family(name).lookback for name in names)
    return read_observations(
        lake, end, since=find_history_start(lake, MARKET_FEATURES, start, lookback)
    )


@dataclass(frozen=True)
class FitPeriod:
    """Consecutive days on which one fit is in force.

    Attributes:
        model: the fitted model.
        as_of: as-of day of the fit.
        observations: observations known on the last of the days.
        rows: number of days, which are the last days of ``observations``.
    """

    model: Forecaster
    as_of: np.datetime64
    observations: Observations
    rows: int

    @property
    def days(self) -> DayArray:
        """(rows,) days of the period."""
        return self.observations.days[-self.rows :]


def find_fit_periods(
    lake: Lake, settings: Settings, observations: Observations, name: str, start: date
) -> Iterator[FitPeriod]:
    """Find the periods of a family's fits on the days of ``observations`` from ``start`` on.

    The fit in force on a day is the newest as of that day or before. For a family that is fitted
    daily it is the newest as of an earlier day, except on the as-of day of the first fit. Days
    before the first fit are in no period.

    Args:
        lake: the lake.
        settings: where artifacts are.
        observations: the forecast days, and the lookback before them.
        name: name of the family.
        start: first forecast day.

    Yields:
        Periods in the order of days; none for a family that was never fitted.

    Raises:
        ArtifactError: a stored fit is missing, altered, or was made from other features.
    """
    if not lake.has(fits_table(name)):
        return
    fits = _read_fits(lake, name, observations.days[-1].item())
    as_of = fits["trading_day"].astype("datetime64[D]")
    first = int(np.searchsorted(observations.days, np.datetime64(start, "D")))
    days, fitted = observations.days[first:].astype(np.int64), as_of.astype(np.int64)
    in_force = find_fit_in_force(days, fitted)
    if name in DAILY:
        # The fit as of a day is made after the day's submission. Repeating the day's forecast must
        # not use it, lest it differ from what was submitted.
        in_force = np.maximum(find_fit_in_force(days - 1, fitted), np.minimum(in_force, 0))
    for fit in np.unique(in_force[in_force >= 0]):
        require_features(name, fits["features_version"][fit])
        stored = read_artifact(settings.artifacts_dir, fits["artifact"][fit], fits["sha256"][fit])
        of_fit = np.flatnonzero(in_force == fit)
        until = observations.rows(0, first + int(of_fit[-1]) + 1)
        yield FitPeriod(load_family(name).load(stored), as_of[fit], until, len(of_fit))


def _forecast(observations: Observations, periods: Sequence[FitPeriod]) -> Forecasts:
    none = np.empty(0, "datetime64[D]")
    values = [scores for period in periods for scores in _forecast_in_blocks(period)]
    return Forecasts(
        np.concatenate([none, *(period.days for period in periods)]),
        np.concatenate([np.empty((0, len(observations.targets))), *values]),
        np.concatenate([none, *(np.repeat(period.as_of, period.rows) for period in periods)]),
        observations.targets,
    )


def _forecast_in_blocks(period: FitPeriod) -> Iterator[FloatArray]:
    """Yield the scores of a period, block of days by block of days, which have the same bits."""
    before = len(period.observations.days) - period.rows
    for part in day_blocks(period.rows, len(period.observations.targets)):
        until = period.observations.rows(0, before + part.stop)
        yield period.model.forecast(until, part.stop - part.start)


def _read_fits(lake: Lake, name: str, end: date) -> dict[str, AnyArray]:
    table = fits_table(name)
    return lake.columns(
        f"SELECT trading_day, artifact, sha256, features_version FROM {table.quoted}"
        " WHERE trading_day <= ? AND artifact IS NOT NULL ORDER BY trading_day",
        [end],
        needs=table,
    )


def _read_fingerprints(lake: Lake, settings: Settings, name: str) -> dict[date, str | None]:
    """Read the fingerprints of a family's stored fits by as-of day.

    The value is None for a fit that failed, and for one whose artifact is missing or altered.
    """
    table = fits_table(name)
    if not lake.has(table):
        return {}
    columns = "trading_day, fingerprint, artifact, sha256, failure"
    stored = lake.arrow(f"SELECT {columns} FROM {table.quoted}").to_pylist()
    return {
        fit["trading_day"]: fit["fingerprint"]
        if not fit["failure"]
        and is_artifact_stored(settings.artifacts_dir, fit["artifact"], fit["sha256"])
        else None
        for fit in stored
    }

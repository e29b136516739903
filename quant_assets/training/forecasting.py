"""Forecasting with the stored fits in force; ``training.fits`` makes and stores fits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import ArtifactError, LakeError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, BoolArray, DayArray, FloatArray
from quant_assets.lake.readers.arrays import day_blocks
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Forecaster, Observations
from quant_assets.models.registry import DAILY, load_family
from quant_assets.training.fitting import require_features
from quant_assets.training.walk_forward import find_fit_in_force


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
        lookback: number of days before a day that its forecast needs.
        targets: (m,) which targets had begun on the as-of day.
    """

    model: Forecaster
    as_of: np.datetime64
    observations: Observations
    rows: int
    lookback: int
    targets: BoolArray

    def blocks(self) -> Iterator[tuple[Observations, int]]:
        """Cut the days into blocks that fit into memory.

        Yields:
            The observations that a block's forecasts need, without instruments and targets that
            had not begun on the as-of day; and the number of days, which are the last of them.
        """
        before = len(self.observations.days) - self.rows
        for part in day_blocks(self.rows, len(self.targets)):
            first = max(before + part.start - self.lookback, 0)
            known = self.observations.rows(first, before + part.stop)
            yield known.begun_by(self.as_of), part.stop - part.start

    def spread(self, values: FloatArray) -> FloatArray:
        """Return (n, m) values of all targets, NaN where a target had not begun."""
        if self.targets.all():
            return values
        result = np.full((len(values), len(self.targets)), np.nan)
        result[:, self.targets] = values
        return result

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
        require_features(name, fits["features_version"][fit], read_further_inputs(lake))
        stored = read_artifact(settings.artifacts_dir, fits["artifact"][fit], fits["sha256"][fit])
        of_fit = np.flatnonzero(in_force == fit)
        family = load_family(name)
        yield FitPeriod(
            family.load(stored),
            as_of[fit],
            observations.rows(0, first + int(of_fit[-1]) + 1),
            len(of_fit),
            family.lookback,
            observations.begun_targets(as_of[fit]),
        )


def _forecast(observations: Observations, periods: Sequence[FitPeriod]) -> Forecasts:
    none = np.empty(0, "datetime64[D]")
    values = [
        period.spread(period.model.forecast(known, rows))
        for period in periods
        for known, rows in period.blocks()
    ]
    return Forecasts(
        np.concatenate([none, *(period.days for period in periods)]),
        np.concatenate([np.empty((0, len(observations.targets))), *values]),
        np.concatenate([none, *(np.repeat(period.as_of, period.rows) for period in periods)]),
        observations.targets,
    )


def _read_fits(lake: Lake, name: str, end: date) -> dict[str, AnyArray]:
    table = fits_table(name)
    return lake.columns(
        f"SELECT trading_day, artifact, sha256, features_version FROM {table.quoted}"
        " WHERE trading_day <= ? AND artifact IS NOT NULL ORDER BY trading_day",
        [end],
        needs=table,
    )

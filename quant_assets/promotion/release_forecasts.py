"""Forecasts of a day by releases, from their pinned fits and the families that are fitted daily.

A release forecasts with all of its families or not at all. Mixing the forecasts of releases
belongs in ``promotion.publishing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import numpy as np

from quant_assets.core.errors import LakeError, QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.ensemble.blend import rank_average, read_weights
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import find_begun_targets, read_target_members
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.promotion_tables import (
    RELEASE_FORECASTS,
    SUBMITTED_FORECASTS,
    SUBMITTED_NAME,
)
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs, delay_of
from quant_assets.models.protocol import Forecaster, Observations
from quant_assets.models.registry import load_family
from quant_assets.promotion.release_store import Release, ReleaseFit
from quant_assets.training.fitting import require_features
from quant_assets.training.forecasting import read_observations_for


@dataclass(frozen=True)
class ReleaseForecast:
    """The forecast of one day by one release.

    Attributes:
        values: (m,) weighted mean of the families' standardised ranks.
        fit_as_of: as-of day of the newest fit used.
    """

    values: FloatArray
    fit_as_of: np.datetime64


class ForecastInputs(Protocol):
    """What the forecasts of days depend on, beside the models of a release.

    Rows count the forecast days.
    """

    def read_observations(self) -> Observations:
        """Return the observations of the days, and of the lookback of all families before them."""

    def read_family_forecast(self, name: str, day: date) -> ReleaseForecast:
        """Return the forecast that the newest fit of a family that is fitted daily made.

        Raises:
            LakeError: there is none.
        """

    def read_weights(self, families: tuple[str, ...]) -> FloatArray:
        """Return the (n, families) weights that are known on each of the n days."""

    def read_members(self, day: date) -> BoolArray:
        """Return (m,) whether every leg of each target is in the universe on a day."""

    def read_begun(self, as_of: np.datetime64) -> BoolArray:
        """Return (m,) whether every leg of each target had come into the universe by a day."""


@dataclass
class LakeInputs:
    """Inputs of the forecasts of stored days.

    Attributes:
        lake: the lake.
        days: (n,) forecast days, ascending.
        families: all families of the releases that may be asked.
    """

    lake: Lake
    days: DayArray
    families: Sequence[str]
    _observations: Observations | None = None
    _stored_forecasts: dict[str, Forecasts] = field(default_factory=dict)
    _weights: dict[tuple[str, ...], FloatArray] = field(default_factory=dict)

    def read_observations(self) -> Observations:
        """Read the observations once, when a model needs them first."""
        if self._observations is None:
            first, last = self.days[0].item(), self.days[-1].item()
            self._observations = read_observations_for(self.lake, self.families, first, last)
        return self._observations

    def read_family_forecast(self, name: str, day: date) -> ReleaseForecast:
        """Read the forecast that the family's newest fit made for the day."""
        if name not in self._stored_forecasts:
            ends = self.days[0].item(), self.days[-1].item()
            targets = read_pairs(self.lake).targets
            forecasts = read_forecasts(self.lake, forecasts_table(name), targets, *ends)
            self._stored_forecasts[name] = forecasts
        stored = self._stored_forecasts[name]
        row = np.flatnonzero(stored.days == np.datetime64(day))
        if not len(row):
            raise LakeError("the family has no forecast", where=f"{name} on {day}")
        return ReleaseForecast(stored.values[row[0]], stored.fit_as_of[row[0]])

    def read_weights(self, families: tuple[str, ...]) -> FloatArray:
        """Read the weights from the track records of the families."""
        if families not in self._weights:
            self._weights[families] = read_weights(self.lake, families, self.days)
        return self._weights[families]

    def read_members(self, day: date) -> BoolArray:
        """Read the membership of the targets."""
        days, pairs = np.array([day], dtype="datetime64[D]"), read_pairs(self.lake)
        members: BoolArray = read_target_members(self.lake, days, pairs)[0]
        return members

    def read_begun(self, as_of: np.datetime64) -> BoolArray:
        """Read which targets had begun."""
        days = np.array([as_of], dtype="datetime64[D]")
        begun: BoolArray = find_begun_targets(self.lake, read_pairs(self.lake), days)[0]
        return begun


@dataclass
class ReleaseForecaster:
    """Forecasts the days of a range by any release, and reads what the days share once.

    Attributes:
        lake: the lake.
        settings: name the artifacts folder.
        days: (n,) forecast days, ascending.
        inputs: what the forecasts depend on.
        models: fitted models by the digest of their artifact; others are loaded when needed.
    """

    lake: Lake
    settings: Settings
    days: DayArray
    inputs: ForecastInputs
    models: dict[str, Forecaster] = field(default_factory=dict)

    def forecast(self, release: Release, day: date) -> ReleaseForecast | str:
        """Forecast a day by a release; if it cannot, return the reason in words."""
        try:
            parts = [self._forecast_by_fit(fit, day) for fit in release.fits]
            members = self.inputs.read_members(day)
        except QuantAssetsError as error:
            return str(error).replace("\n ", ";")
        except Exception as error:  # noqa: BLE001 - a library may raise anything; the day goes on
            return f"{type(error).__name__}: {error}"
        row = int(np.searchsorted(self.days, np.datetime64(day)))
        weights = self.inputs.read_weights(release.families)[row : row + 1]
        forecasts = [np.where(members[None], part.values[None], np.nan) for part in parts]
        values = rank_average(forecasts, weights)[0]
        return ReleaseForecast(values, max(part.fit_as_of for part in parts))

    def _forecast_by_fit(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        """Forecast by one fit; raise unless the values are finite and vary."""
        if fit.pinned:
            forecast = self._forecast_by_model(fit, day)
        else:
            forecast = self.inputs.read_family_forecast(fit.family, day)
        values = forecast.values[self.inputs.read_begun(forecast.fit_as_of)]
        if len(values) and np.isfinite(values).all() and np.ptp(values) > 0:
            return forecast
        raise LakeError(
            "a forecast is missing, infinite, or the same for all targets",
            where=f"{fit.family} as of {fit.fit_as_of}, on {day}",
        )

    def _forecast_by_model(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        """Forecast by the fit's own model, whose digest is verified."""
        if fit.sha256 not in self.models:
            self.models[fit.sha256] = load_model(self.lake, self.settings, fit)
        as_of = np.datetime64(fit.fit_as_of)
        values = forecast_day(
            self.models[fit.sha256], fit.family, as_of, self.inputs.read_observations(), day
        )
        return ReleaseForecast(values, as_of)


def load_model(lake: Lake, settings: Settings, fit: ReleaseFit) -> Forecaster:
    """Load the model of a fit, whose digest is verified.

    Raises:
        ArtifactError: the artifact is missing or altered, or was made on other features.
    """
    if fit.features_version:
        require_features(fit.family, fit.features_version, read_further_inputs(lake))
    content = read_artifact(settings.artifacts_dir, fit.artifact, fit.sha256)
    return load_family(fit.family).load(content)


def forecast_day(
    model: Forecaster, family: str, as_of: np.datetime64, observations: Observations, day: date
) -> FloatArray:
    """Forecast a day by a fitted model.

    Returns an array of shape (m,); NaN for a target that had not begun on the as-of day.

    Args:
        model: the model.
        family: name of its family.
        as_of: as-of day of the fit.
        observations: observations of the day, and of the family's lookback before it.
        day: the forecast day.
    """
    known = int(np.searchsorted(observations.days, np.datetime64(day))) + 1
    first = max(known - 1 - load_family(family).lookback, 0)
    until = observations.rows(first, known)
    values = np.full(len(until.targets), np.nan)
    begun = until.begun_by(as_of)
    values[until.begun_targets(as_of)] = model.forecast(begun, 1)[0]
    return values


def read_unjudged_forecasts(
    lake: Lake, known_days: DayArray, start: date, pairs: TargetPairs
) -> dict[tuple[date, str], FloatArray]:
    """Read the (m,) stored forecasts of the days before ``start`` whose labels are not known yet.

    Args:
        lake: the lake.
        known_days: (n,) days with features, ascending.
        start: first day of the range that is promoted.
        pairs: the m targets.

    Returns:
        The forecasts by day and release; the submitted forecast is named ``SUBMITTED_NAME``.
    """
    first = int(np.searchsorted(known_days, np.datetime64(start)))
    days = known_days[max(first - delay_of(pairs.lags), 0) : first]
    if not len(days) or not lake.has(RELEASE_FORECASTS):
        return {}
    ends = days[0].item(), days[-1].item()
    submitted = read_forecasts(lake, SUBMITTED_FORECASTS, pairs.targets, *ends)
    by_day = zip(submitted.days.tolist(), submitted.values, strict=True)
    forecasts = {(day, SUBMITTED_NAME): values for day, values in by_day}
    rows = lake.query(
        f"SELECT trading_day, release, target, value FROM {RELEASE_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        list(ends),
    )
    for (day, name), of_release in rows.groupby([rows["trading_day"].dt.date, "release"]):
        values = of_release.set_index("target")["value"].reindex(pairs.targets).to_numpy()
        forecasts[day, str(name)] = values
    return forecasts

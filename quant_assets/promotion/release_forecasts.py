"""Forecasts of a day by releases, from their pinned fits and the families that are fitted daily.

A release forecasts with all of its families or not at all. Mixing the forecasts of releases
belongs in ``promotion.publishing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from quant_assets.core.errors import LakeError, QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
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


@dataclass
class ReleaseForecaster:
    """Forecasts the days of a range by any release, and reads what the days share once.

    Attributes:
        lake: the lake.
        settings: name the artifacts folder.
        days: (n,) forecast days, ascending.
        families: all families of the releases that may be asked.
    """

    lake: Lake
    settings: Settings
    days: DayArray
    families: Sequence[str]
    _observations: Observations | None = None
    _models: dict[str, Forecaster] = field(default_factory=dict)
    _stored_forecasts: dict[str, Forecasts] = field(default_factory=dict)
    _weights: dict[tuple[str, ...], FloatArray] = field(default_factory=dict)

    def forecast(self, release: Release, day: date) -> ReleaseForecast | str:
        """Forecast a day by a release; if it cannot, return the reason in words."""
        try:
            parts = [self._forecast_by_fit(fit, day) for fit in release.fits]
        except QuantAssetsError as error:
            return str(error).replace("\n ", ";")
        except Exception as error:  # noqa: BLE001 - a library may raise anything; the day goes on
            return f"{type(error).__name__}: {error}"
        members = read_target_members(
            self.lake, np.array([day], dtype="datetime64[D]"), read_pairs(self.lake)
        )
        row = int(np.searchsorted(self.days, np.datetime64(day)))
        weights = self._read_weights(release.families)[row : row + 1]
        forecasts = [np.where(members, part.values[None], np.nan) for part in parts]
        values = rank_average(forecasts, weights)[0]
        return ReleaseForecast(values, max(part.fit_as_of for part in parts))

    def _forecast_by_fit(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        """Forecast by one fit; raise unless the values are finite and vary."""
        if fit.pinned:
            forecast = self._forecast_by_model(fit, day)
        else:
            forecast = self._read_stored_forecast(fit.family, day)
        as_of = np.array([forecast.fit_as_of], dtype="datetime64[D]")
        begun = find_begun_targets(self.lake, read_pairs(self.lake), as_of)[0]
        values = forecast.values[begun]
        if len(values) and np.isfinite(values).all() and np.ptp(values) > 0:
            return forecast
        raise LakeError(
            "a forecast is missing, infinite, or the same for all targets",
            where=f"{fit.family} as of {fit.fit_as_of}, on {day}",
        )

    def _forecast_by_model(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        """Forecast by the fit's own model, whose digest is verified."""
        if fit.sha256 not in self._models:
            if fit.features_version:
                further = read_further_inputs(self.lake)
                require_features(fit.family, fit.features_version, further)
            content = read_artifact(self.settings.artifacts_dir, fit.artifact, fit.sha256)
            self._models[fit.sha256] = load_family(fit.family).load(content)
        if self._observations is None:
            first, last = self.days[0].item(), self.days[-1].item()
            self._observations = read_observations_for(self.lake, self.families, first, last)
        observations = self._observations
        known = int(np.searchsorted(observations.days, np.datetime64(day))) + 1
        first = max(known - 1 - load_family(fit.family).lookback, 0)
        until, as_of = observations.rows(first, known), np.datetime64(fit.fit_as_of)
        values = np.full(len(until.targets), np.nan)
        begun = until.begun_by(as_of)
        values[until.begun_targets(as_of)] = self._models[fit.sha256].forecast(begun, 1)[0]
        return ReleaseForecast(values, as_of)

    def _read_stored_forecast(self, name: str, day: date) -> ReleaseForecast:
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

    def _read_weights(self, families: tuple[str, ...]) -> FloatArray:
        if families not in self._weights:
            self._weights[families] = read_weights(self.lake, families, self.days)
        return self._weights[families]


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

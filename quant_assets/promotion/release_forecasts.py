"""Forecasts of a day by releases: pinned fits, verified, and the families that learn daily.

A release forecasts as a whole or not at all.
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
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.tables import forecasts_table
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Forecaster, Observations
from quant_assets.models.registry import load_family
from quant_assets.promotion.release_store import Release, ReleaseFit
from quant_assets.training.fits import read_observations_for
from quant_assets.training.fitting import require_features


@dataclass(frozen=True)
class ReleaseForecast:
    """A release's forecast of a day.

    Attributes:
        values: (m,) weighted mean of standardised ranks.
        fit_as_of: as-of day of the newest fit used.
    """

    values: FloatArray
    fit_as_of: np.datetime64


@dataclass
class ReleaseForecaster:
    """Forecasts of the days of a range, what they share being read once.

    Attributes:
        lake: the lake.
        settings: where the models lie.
        days: (n,) the days, ascending.
        families: those of all releases that may be asked.
    """

    lake: Lake
    settings: Settings
    days: DayArray
    families: Sequence[str]
    _seen: Observations | None = None
    _models: dict[str, Forecaster] = field(default_factory=dict)
    _newest: dict[str, Forecasts] = field(default_factory=dict)
    _weights: dict[tuple[str, ...], FloatArray] = field(default_factory=dict)

    def forecast(self, release: Release, day: date) -> ReleaseForecast | str:
        """The release's forecast, or why there is none."""
        try:
            parts = [self._part(fit, day) for fit in release.fits]
        except QuantAssetsError as error:
            return str(error).replace("\n ", ";")
        except Exception as error:  # noqa: BLE001 - a library may raise anything; the day goes on
            return f"{type(error).__name__}: {error}"
        row = int(np.searchsorted(self.days, np.datetime64(day)))
        weights = self._weights_of(release.families)[row : row + 1]
        values = rank_average([part.values[None] for part in parts], weights)[0]
        return ReleaseForecast(values, max(part.fit_as_of for part in parts))

    def _part(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        served = self._by_model(fit, day) if fit.pinned else self._stored(fit.family, day)
        if np.isfinite(served.values).all() and np.ptp(served.values) > 0:
            return served
        raise LakeError(
            "a forecast is missing, infinite, or the same for all targets",
            where=f"{fit.family} as of {fit.fit_as_of}, on {day}",
        )

    def _by_model(self, fit: ReleaseFit, day: date) -> ReleaseForecast:
        if fit.sha256 not in self._models:
            if fit.features_version:
                require_features(fit.family, fit.features_version)
            content = read_artifact(self.settings.artifacts_dir, fit.artifact, fit.sha256)
            self._models[fit.sha256] = load_family(fit.family).load(content)
        if self._seen is None:
            first, last = self.days[0].item(), self.days[-1].item()
            self._seen = read_observations_for(self.lake, self.families, first, last)
        known = int(np.searchsorted(self._seen.days, np.datetime64(day))) + 1
        values = self._models[fit.sha256].forecast(self._seen.rows(0, known), 1)[0]
        return ReleaseForecast(values, np.datetime64(fit.fit_as_of))

    def _stored(self, name: str, day: date) -> ReleaseForecast:
        """By the family's newest fit, as it was stored for the day."""
        if name not in self._newest:
            ends = self.days[0].item(), self.days[-1].item()
            targets = read_pairs(self.lake).targets
            self._newest[name] = read_forecasts(self.lake, forecasts_table(name), targets, *ends)
        found = self._newest[name]
        row = np.flatnonzero(found.days == np.datetime64(day))
        if not len(row):
            raise LakeError("the family has no forecast", where=f"{name} on {day}")
        return ReleaseForecast(found.values[row[0]], found.fit_as_of[row[0]])

    def _weights_of(self, families: tuple[str, ...]) -> FloatArray:
        if families not in self._weights:
            self._weights[families] = read_weights(self.lake, families, self.days)
        return self._weights[families]

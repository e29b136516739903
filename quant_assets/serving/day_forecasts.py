"""Forecasts of days that are not stored, by releases and by the families' fits in force.

They are what the assets would submit, were the days stored: the weights learn from the labels that
become known on these days, families that are fitted daily are fitted on them, and the rules of
promotion decide about the releases that exist.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from quant_assets.core.errors import (
    LakeError,
    NotEnoughHistoryError,
    RequestError,
    UnknownNameError,
    unknown_name,
)
from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.ensemble.blend import rank_average, weigh_days
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import align_to_forecast_day, delay_of
from quant_assets.models.protocol import Forecaster, Observations, Resources
from quant_assets.models.registry import DAILY, FALL_BACK, load_family
from quant_assets.promotion.course import JudgedDay
from quant_assets.promotion.publishing import SubmittedForecast
from quant_assets.promotion.release_forecasts import (
    ReleaseForecast,
    ReleaseForecaster,
    forecast_day,
)
from quant_assets.scoring.daily_performance import masked_ic
from quant_assets.serving.fits_in_force import ModelStore, ServingState
from quant_assets.serving.known_days import KnownDays


@dataclass
class DayForecasts:
    """Forecasts of the days after a stored day, one after the other.

    It is what releases ask for their inputs, too: see ``ForecastInputs``.

    Attributes:
        lake: says which targets had begun when a fit was made.
        settings: name the artifacts folder.
        state: releases, fits and track records at the close of the stored day.
        store: the models.
        known: what is known at the close of the newest day.
        last_stored: the stored day.
    """

    lake: Lake
    settings: Settings
    state: ServingState
    store: ModelStore
    known: KnownDays
    last_stored: date
    _members: dict[date, BoolArray] = field(default_factory=dict)
    _forecasts: dict[tuple[str, date], ReleaseForecast | None] = field(default_factory=dict)
    _daily_fits: dict[tuple[str, date], Forecaster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.record_days, self.record = self.state.record_days, self.state.record
        self.course = self.state.course.copy()

    def add_day(self, known: KnownDays) -> tuple[SubmittedForecast, list[str]]:
        """Take in one further day, promote it, and forecast it as it would be submitted.

        Returns the forecast, and in words why a release could not forecast.

        Args:
            known: what is known at the close of the day.

        Raises:
            NotEnoughHistoryError: nothing can forecast the day.
        """
        self.known = known
        day: date = known.days[-1].item()
        self._members[day] = _find_target_members(known, -1)
        judged = self._judge()
        if judged is not None:
            self._record_ics(day, *judged)
        before = len(self.course.failures)
        submitted, _ = self.course.promote_day(
            known.days, judged, self._forecaster().forecast, self._fall_back
        )
        if submitted is None:
            raise NotEnoughHistoryError(
                "nothing could forecast the day yet",
                where=str(day),
                expected="a fit as of an earlier day",
                found="no fit of a family that can forecast",
                hint="ask for a later day; the first fits come after QUANT_FIRST_FIT_AFTER days",
            )
        return submitted, [
            f"release {failure.release} cannot forecast {day}: {failure.reason}"
            for failure in self.course.failures[before:]
        ]

    def forecast_by(self, name: str) -> SubmittedForecast:
        """Forecast the newest day by one release.

        Args:
            name: name of the release.

        Raises:
            UnknownNameError: no release has this name.
            RequestError: the release was made when the day was known already.
            LakeError: the release cannot forecast the day.
        """
        day: date = self.known.days[-1].item()
        release = self.course.releases.get(name)
        if release is None:
            known = list(self.course.releases)
            if not known:
                raise UnknownNameError("there is no release yet", found=name)
            raise unknown_name("release", name, known)
        if release.registered_after >= day:
            raise RequestError(
                "the release was made when the day was known already",
                where=name,
                expected=f"days after {release.registered_after}",
                found=str(day),
                hint="leave the release out: the day is forecast by what was in force then",
            )
        outcome = self._forecaster().forecast(release, day)
        if isinstance(outcome, str):
            raise LakeError("a release cannot forecast", where=f"{name}, {day}", found=outcome)
        return SubmittedForecast(day, outcome.values, outcome.fit_as_of, name)

    def _forecaster(self) -> ReleaseForecaster:
        days = self.known.days[-1:]
        return ReleaseForecaster(self.lake, self.settings, days, self, self.store.models)

    def _fall_back(self, day: date) -> SubmittedForecast | None:
        """Return the forecast without a champion: the ensemble's, else the rank prior's."""
        made = {name: self._forecast_family(name, day) for name in self.state.families}
        parts = {name: part for name, part in made.items() if part is not None}
        if not parts:
            return None
        members = self.read_members(day)
        weights = self.read_weights(tuple(parts))
        values = [np.where(members, part.values, np.nan)[None] for part in parts.values()]
        blend = rank_average(values, weights)[0]
        fit_as_of = max(part.fit_as_of for part in parts.values())
        ranked = blend[np.isfinite(blend)]
        if not len(ranked) or np.ptp(ranked) == 0:
            prior = parts.get(FALL_BACK)
            blend = np.where(members, prior.values, np.nan) if prior else blend
        return SubmittedForecast(day, blend, fit_as_of)

    def read_observations(self) -> Observations:
        """Return the observations of the newest day, and of the lookback before it."""
        return self.known.observations

    def read_members(self, day: date) -> BoolArray:
        """Return (m,) whether every leg of each target is in the universe on a day."""
        return self._members[day]

    def read_begun(self, as_of: np.datetime64) -> BoolArray:
        """Return (m,) whether every leg of each target had come into the universe by a day."""
        return self.known.observations.begun_targets(as_of)

    def read_weights(self, families: tuple[str, ...]) -> FloatArray:
        """Return the (1, families) weights that are known on the newest day."""
        columns = [self.state.record_families.index(name) for name in families]
        return weigh_days(self.known.days[-1:], self.record_days, self.record[:, columns])

    def read_family_forecast(self, name: str, day: date) -> ReleaseForecast:
        """Return the forecast that the newest fit of a family makes for the newest day."""
        forecast = self._forecast_family(name, day)
        if forecast is None:
            raise LakeError("the family has no forecast", where=f"{name} on {day}")
        return forecast

    def _forecast_family(self, name: str, day: date) -> ReleaseForecast | None:
        """Forecast a day by the fit of a family in force; None if it cannot."""
        if (name, day) not in self._forecasts:
            try:
                self._forecasts[name, day] = self._make_forecast(name, day)
            except Exception:  # noqa: BLE001 - a library may raise anything; other families go on
                self._forecasts[name, day] = None
        return self._forecasts[name, day]

    def _make_forecast(self, name: str, day: date) -> ReleaseForecast | None:
        in_force = self.state.fits.get(name)
        if in_force is None:
            return None
        model, as_of = self.store.get(in_force.fit), np.datetime64(in_force.fit.fit_as_of)
        before = self.known.days[self.known.days < np.datetime64(day)][-1].item()
        if name in DAILY and before > self.last_stored:
            model, as_of = self._fit_daily(name, before), np.datetime64(before)
        values = forecast_day(model, name, as_of, self.known.observations, day)
        return ReleaseForecast(values, as_of)

    def _fit_daily(self, name: str, day: date) -> Forecaster:
        """Fit a family that uses labels only as of a day after the stored days."""
        from threadpoolctl import threadpool_limits

        if (name, day) not in self._daily_fits:
            in_force, labels = self.state.fits[name], self.known.labels
            past = labels.rows(0, int(np.searchsorted(labels.days, np.datetime64(day))) + 1)
            past = past.begun_by(past.days[-1])
            with threadpool_limits(1, user_api="blas"):
                self._daily_fits[name, day] = load_family(name).fit(
                    past, in_force.parameters, Resources(in_force.seed, 1)
                )
        return self._daily_fits[name, day]

    def _judge(self) -> JudgedDay | None:
        """Return the forecast day whose last labels become known on the newest day."""
        known, delay = self.known, delay_of(self.known.pairs.lags)
        if len(known.days) <= delay:
            return None
        labels = align_to_forecast_day(known.labels.known_labels[-1 - delay :], known.pairs.lags)
        judged: date = known.days[-1 - delay].item()
        row = int(np.searchsorted(known.panel.days, np.datetime64(judged)))
        return judged, np.where(_find_target_members(known, row), labels[0], np.nan)

    def _record_ics(self, day: date, judged: date, labels: FloatArray) -> None:
        """Add the families' daily ICs of the forecast day that became known on a day."""
        row = np.full((1, len(self.state.record_families)), np.nan)
        for column, name in enumerate(self.state.record_families):
            if name not in self.state.families:
                continue
            values = self._find_forecast(name, judged)
            if values is not None:
                row[0, column] = masked_ic(values[None], labels[None])[0]
        if np.isfinite(row).any():
            self.record_days = np.append(self.record_days, np.datetime64(day))
            self.record = np.concatenate([self.record, row])

    def _find_forecast(self, name: str, day: date) -> FloatArray | None:
        if day <= self.last_stored:
            return self.state.forecasts.get((name, day))
        made = self._forecast_family(name, day)
        return None if made is None else made.values


def _find_target_members(known: KnownDays, row: int) -> BoolArray:
    """Return (m,) whether every leg of each target is in the universe on a day of the panel."""
    first, second = known.pairs.legs(known.panel.instruments)
    members = known.members[row]
    # A target without a second leg depends on its first alone.
    return np.asarray(members[first] & members[np.where(second < 0, first, second)])

"""The course of promotion over days in order: decisions, track records, submitted forecasts.

Each day depends on the decisions and the evidence before it. Nothing is read from the lake here:
the same course goes over stored days (``daily_promotion``) and over days whose prices are stored
nowhere (``serving``). The rules are in ``promotion.rules``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import takewhile

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.promotion.failures import forecast_releases
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import Decision, PromotionState, fold_decisions
from quant_assets.promotion.publishing import SubmittedForecast, mix_releases
from quant_assets.promotion.release_forecasts import ReleaseForecast
from quant_assets.promotion.release_store import Release
from quant_assets.promotion.rules import decide_day
from quant_assets.promotion.track_records import TrackRecords
from quant_assets.scoring.daily_performance import masked_ic

JudgedDay = tuple[date, FloatArray]
"""A forecast day whose labels are all known, and its (m,) labels."""


@dataclass(frozen=True)
class ReleaseFailure:
    """A release that could not forecast a day.

    Attributes:
        day: the forecast day.
        release: name of the release.
        reason: why, in words.
        was_champion: whether the release was champion.
    """

    day: date
    release: str
    reason: str
    was_champion: bool

    def __str__(self) -> str:
        return f"{self.day}: {self.release}: {self.reason}"


@dataclass
class PromotionCourse:
    """The promotion of days, while it goes on.

    Attributes:
        releases: all releases, by name.
        state: the state before the next day.
        thresholds: the limits of the rules.
        track_records: the daily ICs that are known before the next day.
        unjudged: (m,) forecasts of days whose labels are not all known, by day and release.
        pending: decisions to apply on the days, in order.
        newest_submitted: day up to which the rules decide nothing anew.
        new_decisions: decisions that the rules made.
        failures: releases that could not forecast a day.
    """

    releases: Mapping[str, Release]
    state: PromotionState
    thresholds: Thresholds
    track_records: TrackRecords
    unjudged: dict[tuple[date, str], FloatArray]
    pending: list[Decision] = field(default_factory=list)
    newest_submitted: date = date.min
    new_decisions: list[Decision] = field(default_factory=list)
    failures: list[ReleaseFailure] = field(default_factory=list)

    def copy(self) -> "PromotionCourse":
        """Return a course that goes on from here without changing this one."""
        return replace(
            self,
            track_records=TrackRecords(dict(self.track_records.columns)),
            unjudged=dict(self.unjudged),
            pending=list(self.pending),
            new_decisions=list(self.new_decisions),
            failures=list(self.failures),
        )

    def promote_day(
        self,
        known_days: DayArray,
        judged: JudgedDay | None,
        forecast: Callable[[Release, date], ReleaseForecast | str],
        fall_back: Callable[[date], SubmittedForecast | None],
    ) -> tuple[SubmittedForecast | None, dict[str, ReleaseForecast]]:
        """Record the ICs known on a day, decide about releases, and forecast the day.

        Args:
            known_days: (n,) days that are known, of which the last is the day.
            judged: the forecast day whose last labels became known on the day; None if there is
                none.
            forecast: returns a release's forecast of a day, or in words why there is none.
            fall_back: returns the forecast of a day without a champion's.

        Returns:
            The submitted forecast, None without any; and the forecasts by release.
        """
        day: date = known_days[-1].item()
        due = list(takewhile(lambda row: row.trading_day <= day, self.pending))
        del self.pending[: len(due)]
        releases = [x for x in self.releases.values() if x.registered_after < day]

        def try_forecast(name: str) -> ReleaseForecast | str:
            release = self.releases.get(name)
            return forecast(release, day) if release else "it is not registered"

        if releases and judged is not None:
            self._record_known_ics(day, *judged)
        if releases and day > self.newest_submitted:
            forecasts = self._decide_and_forecast(known_days, due, releases, try_forecast)
        else:
            forecasts = self._forecast_as_decided(day, due, try_forecast)
        submitted = mix_releases(day, self.state, forecasts) or fall_back(day)
        if submitted:
            self.unjudged[day, SUBMITTED_NAME] = submitted.values
        self.unjudged |= {(day, name): each.values for name, each in forecasts.items()}
        return submitted, forecasts

    def _decide_and_forecast(
        self,
        known_days: DayArray,
        due: Sequence[Decision],
        releases: Sequence[Release],
        try_forecast: Callable[[str], ReleaseForecast | str],
    ) -> dict[str, ReleaseForecast]:
        """Apply people's decisions, let the rules decide, and forecast the day."""
        day = known_days[-1].item()
        evidence = self.track_records.collect_evidence(day, known_days, releases)
        day_decisions = decide_day(fold_decisions(due, self.state), evidence, self.thresholds)
        champion = day_decisions.state.champion
        forecasts, failures = forecast_releases(day_decisions, try_forecast)
        self.failures += [
            ReleaseFailure(day, name, reason, name == champion) for name, reason in failures.items()
        ]
        self.state = day_decisions.state
        self.new_decisions += day_decisions.decisions
        return forecasts

    def _forecast_as_decided(
        self,
        day: date,
        due: Sequence[Decision],
        try_forecast: Callable[[str], ReleaseForecast | str],
    ) -> dict[str, ReleaseForecast]:
        """Forecast a day again by the releases that forecast it when it was submitted."""
        before = fold_decisions(takewhile(lambda row: row.action != "failed", due), self.state)
        self.state = fold_decisions(due, self.state)
        failed = {row.release: row.reason for row in due if row.action == "failed"}
        names = dict.fromkeys((*before.forecasting, *self.state.forecasting))
        outcomes = {name: failed.get(name) or try_forecast(name) for name in (*names, *failed)}
        self.failures += [
            ReleaseFailure(day, name, outcome, name == before.champion)
            for name, outcome in outcomes.items()
            if isinstance(outcome, str)
        ]
        return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, str)}

    def _record_known_ics(self, day: date, judged: date, labels: FloatArray) -> None:
        """Add the live ICs of the forecast day whose labels become known on ``day``."""
        for name in sorted(name for forecast_day, name in self.unjudged if forecast_day == judged):
            ic = masked_ic(self.unjudged[judged, name][None], labels[None])[0]
            if np.isfinite(ic):
                self.track_records.add_live_ic(name, judged, day, float(ic))

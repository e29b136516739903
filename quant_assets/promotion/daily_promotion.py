"""Promotion of a range of days: decisions, track records, and the forecasts that are submitted.

Each day depends on the decisions and evidence before it, so the days are promoted in order, and a
day promoted again gives the same rows. The decisions of a day with a submitted forecast stay,
whatever has changed since in settings, prices and files. The rules are in ``promotion.rules``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile
from typing import Any

import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    RECORDS,
    RELEASE_FORECASTS,
    SUBMITTED_FORECASTS,
    SUBMITTED_NAME,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.failures import forecast_releases
from quant_assets.promotion.promotion_state import RULES, Decision, PromotionState, fold_decisions
from quant_assets.promotion.publishing import (
    FallbackForecast,
    SubmittedForecast,
    mix_releases,
    release_forecast_rows,
    submitted_rows,
)
from quant_assets.promotion.release_forecasts import (
    LakeInputs,
    ReleaseForecast,
    ReleaseForecaster,
    read_unjudged_forecasts,
)
from quant_assets.promotion.release_store import (
    Release,
    decision_rows,
    read_decisions,
    read_releases,
    thresholds_from_settings,
)
from quant_assets.promotion.rules import decide_day
from quant_assets.promotion.submitted_days import read_newest_submitted_day
from quant_assets.promotion.track_records import TrackRecords
from quant_assets.scoring.daily_performance import masked_ic
from quant_assets.scoring.judged_days import read_scored_labels


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


@dataclass(frozen=True)
class PromotionResult:
    """The result of promoting a range of days.

    Attributes:
        state: the state after the last day.
        rows: the range's rows of each table, as columns.
        decisions: new decisions of the rules.
        failures: releases that could not forecast a day.
        submitted: the submitted forecasts, ascending by day.
        unchanged: tables whose stored rows equal ``rows``: on most days nothing is decided.
    """

    state: PromotionState
    rows: Mapping[Table, Mapping[str, Any]]
    decisions: list[Decision]
    failures: list[ReleaseFailure]
    submitted: list[SubmittedForecast]
    unchanged: frozenset[Table]


def promote_days(lake: Lake, settings: Settings, start: date, end: date) -> PromotionResult:
    """Decide about releases and forecast the days from ``start`` to ``end``, in order.

    Nothing is written; the caller holds the lock of ``release_store.lock_promotion`` until it has
    written the rows. Nothing that becomes known after a day changes the day's rows. A day without
    a release's and an ensemble's forecast has no submitted forecast.

    Args:
        lake: the lake.
        settings: the thresholds, and where the models lie.
        start: first forecast day.
        end: last forecast day.

    Raises:
        LakeError: features or labels of the days are missing.
    """
    with lake.at_once():
        promotion = _RangePromotion(lake, settings, start, end)
        for day in promotion.days.tolist():
            promotion.promote_day(day)
        return promotion.build_result()


@dataclass
class _RangePromotion:
    """The promotion of a range of days while it goes on."""

    lake: Lake
    settings: Settings
    start: date
    end: date
    new_decisions: list[Decision] = field(default_factory=list)
    failures: list[ReleaseFailure] = field(default_factory=list)
    submitted: list[SubmittedForecast] = field(default_factory=list)
    release_forecasts: list[tuple[date, str, FloatArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        lake, start, end = self.lake, self.start, self.end
        self.known_days = read_known_days(lake, end)
        self.days = self.known_days[self.known_days >= np.datetime64(start)]
        pairs = read_pairs(lake)
        self.targets = pairs.targets
        self.releases = {x.name: x for x in read_releases(lake) if x.registered_after < end}
        self.thresholds = thresholds_from_settings(self.settings)
        self.newest_submitted = read_newest_submitted_day(lake) or date.min
        self._read_decisions()
        self.track_records = TrackRecords.read(lake, end).select_known_before(start)
        used = {name for release in self.releases.values() for name in release.families}
        families = [name for name in FAMILIES if name in used]
        inputs = LakeInputs(lake, self.days, families)
        self.forecaster = ReleaseForecaster(lake, self.settings, self.days, inputs)
        self.fallback = FallbackForecast(lake, self.targets, start, end)
        self.unjudged = (
            read_unjudged_forecasts(lake, self.known_days, start, pairs) if self.releases else {}
        )
        self.labels_by_known_day: dict[date, tuple[date, FloatArray]] = {}
        if self.releases:
            judged, known_on, labels = read_scored_labels(lake, self.known_days, pairs, start)
            by_forecast_day = zip(judged.tolist(), labels, strict=True)
            self.labels_by_known_day = dict(zip(known_on.tolist(), by_forecast_day, strict=True))

    def _read_decisions(self) -> None:
        decisions = read_decisions(self.lake, self.end)
        self.state = fold_decisions(row for row in decisions if row.trading_day < self.start)
        self.stored = [row for row in decisions if row.trading_day >= self.start]
        # The rules decide anew only about the days without a submitted forecast.
        self.kept = [
            row
            for row in self.stored
            if row.made_by != RULES or row.trading_day <= self.newest_submitted
        ]
        self.pending = list(self.kept)

    def promote_day(self, day: date) -> None:
        """Record the ICs known on a day, decide about releases, and forecast the day."""
        due = list(takewhile(lambda row: row.trading_day <= day, self.pending))
        del self.pending[: len(due)]
        releases = [x for x in self.releases.values() if x.registered_after < day]
        if releases:
            self._record_known_ics(day)
        if releases and day > self.newest_submitted:
            forecasts = self._decide_and_forecast(day, due, releases)
        else:
            forecasts = self._forecast_as_decided(day, due)
        submitted = mix_releases(day, self.state, forecasts) or self.fallback.forecast(day)
        if submitted:
            self.submitted.append(submitted)
            self.unjudged[day, SUBMITTED_NAME] = submitted.values
        for name, forecast in forecasts.items():
            self.release_forecasts.append((day, name, forecast.values))
            self.unjudged[day, name] = forecast.values

    def _decide_and_forecast(
        self, day: date, due: Sequence[Decision], releases: Sequence[Release]
    ) -> dict[str, ReleaseForecast]:
        """Apply people's decisions, let the rules decide, and forecast the day."""
        evidence = self.track_records.collect_evidence(day, self.known_days, releases)
        day_decisions = decide_day(fold_decisions(due, self.state), evidence, self.thresholds)
        champion = day_decisions.state.champion
        forecasts, failures = forecast_releases(
            day_decisions, lambda name: self._try_forecast(name, day)
        )
        self.failures += [
            ReleaseFailure(day, name, reason, name == champion) for name, reason in failures.items()
        ]
        self.state = day_decisions.state
        self.new_decisions += day_decisions.decisions
        return forecasts

    def _forecast_as_decided(
        self, day: date, due: Sequence[Decision]
    ) -> dict[str, ReleaseForecast]:
        """Forecast a day again by the releases that forecast it when it was submitted."""
        before = fold_decisions(takewhile(lambda row: row.action != "failed", due), self.state)
        self.state = fold_decisions(due, self.state)
        failed = {row.release: row.reason for row in due if row.action == "failed"}
        names = dict.fromkeys((*before.forecasting, *self.state.forecasting))
        outcomes = {
            name: failed.get(name) or self._try_forecast(name, day) for name in (*names, *failed)
        }
        self.failures += [
            ReleaseFailure(day, name, outcome, name == before.champion)
            for name, outcome in outcomes.items()
            if isinstance(outcome, str)
        ]
        return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, str)}

    def _record_known_ics(self, day: date) -> None:
        """Add the live ICs of the forecast day whose labels become known on ``day``."""
        if day not in self.labels_by_known_day:
            return
        judged, labels = self.labels_by_known_day[day]
        for name in sorted(name for forecast_day, name in self.unjudged if forecast_day == judged):
            ic = masked_ic(self.unjudged[judged, name][None], labels[None])[0]
            if np.isfinite(ic):
                self.track_records.add_live_ic(name, judged, day, float(ic))

    def _try_forecast(self, name: str, day: date) -> ReleaseForecast | str:
        release = self.releases.get(name)
        return self.forecaster.forecast(release, day) if release else "it is not registered"

    def build_result(self) -> PromotionResult:
        """Build the rows of all tables for the range."""
        decisions = sorted(
            [*self.kept, *self.new_decisions], key=lambda row: (row.trading_day, row.sequence)
        )
        date_ids = dict(zip(self.days.tolist(), read_date_ids(self.lake, self.days), strict=True))
        rows = {
            RELEASE_FORECASTS: release_forecast_rows(
                self.release_forecasts, date_ids, self.targets
            ),
            RECORDS: self.track_records.rows_known_from(self.start),
            DECISIONS: decision_rows(decisions, Clock().now()),
            SUBMITTED_FORECASTS: submitted_rows(self.submitted, date_ids, self.targets),
        }
        same = decisions == self.stored and self.lake.has(DECISIONS)
        unchanged = frozenset({DECISIONS} if same else ())
        return PromotionResult(
            self.state, rows, self.new_decisions, self.failures, self.submitted, unchanged
        )

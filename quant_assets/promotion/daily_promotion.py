"""Promotion of a range of days: decisions, track records, and the forecasts that are submitted.

Each day depends on the decisions and evidence before it, so the days are promoted in order, and a
day promoted again gives the same rows. The decisions of a day with a submitted forecast stay,
whatever has changed since in settings, prices and files. The rules are in ``promotion.rules``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    RECORDS,
    RELEASE_FORECASTS,
    SUBMITTED_FORECASTS,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.course import JudgedDay, PromotionCourse, ReleaseFailure
from quant_assets.promotion.promotion_state import RULES, Decision, PromotionState, fold_decisions
from quant_assets.promotion.publishing import (
    FallbackForecast,
    SubmittedForecast,
    release_forecast_rows,
    submitted_rows,
)
from quant_assets.promotion.release_forecasts import (
    LakeInputs,
    ReleaseForecaster,
    read_unjudged_forecasts,
)
from quant_assets.promotion.release_store import (
    decision_rows,
    read_decisions,
    read_releases,
    thresholds_from_settings,
)
from quant_assets.promotion.submitted_days import read_newest_submitted_day
from quant_assets.promotion.track_records import TrackRecords
from quant_assets.scoring.judged_days import read_scored_labels


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
        for row in range(len(promotion.days)):
            promotion.promote_day(row)
        return promotion.build_result()


@dataclass
class _RangePromotion:
    """The promotion of a range of stored days while it goes on."""

    lake: Lake
    settings: Settings
    start: date
    end: date
    submitted: list[SubmittedForecast] = field(default_factory=list)
    release_forecasts: list[tuple[date, str, FloatArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        lake, start, end = self.lake, self.start, self.end
        self.known_days = read_known_days(lake, end)
        self.days = self.known_days[self.known_days >= np.datetime64(start)]
        pairs = read_pairs(lake)
        self.targets = pairs.targets
        self.course = read_course(lake, self.settings, self.known_days, start, end)
        releases = self.course.releases.values()
        used = {name for release in releases for name in release.families}
        families = [name for name in FAMILIES if name in used]
        inputs = LakeInputs(lake, self.days, families)
        self.forecaster = ReleaseForecaster(lake, self.settings, self.days, inputs)
        self.fallback = FallbackForecast(lake, self.targets, start, end)
        self.stored = [row for row in read_decisions(lake, end) if row.trading_day >= start]
        self.kept = list(self.course.pending)
        self.labels_by_known_day: dict[date, JudgedDay] = {}
        if releases:
            judged, known_on, labels = read_scored_labels(lake, self.known_days, pairs, start)
            by_forecast_day = zip(judged.tolist(), labels, strict=True)
            self.labels_by_known_day = dict(zip(known_on.tolist(), by_forecast_day, strict=True))

    def promote_day(self, row: int) -> None:
        """Promote one of the days, and keep its forecasts."""
        day: date = self.days[row].item()
        known_days = self.known_days[: len(self.known_days) - len(self.days) + row + 1]
        judged = self.labels_by_known_day.get(day)
        submitted, forecasts = self.course.promote_day(
            known_days, judged, self.forecaster.forecast, self.fallback.forecast
        )
        if submitted:
            self.submitted.append(submitted)
        self.release_forecasts += [(day, name, each.values) for name, each in forecasts.items()]

    def build_result(self) -> PromotionResult:
        """Build the rows of all tables for the range."""
        course = self.course
        decisions = sorted(
            [*self.kept, *course.new_decisions], key=lambda row: (row.trading_day, row.sequence)
        )
        date_ids = dict(zip(self.days.tolist(), read_date_ids(self.lake, self.days), strict=True))
        rows = {
            RELEASE_FORECASTS: release_forecast_rows(
                self.release_forecasts, date_ids, self.targets
            ),
            RECORDS: course.track_records.rows_known_from(self.start),
            DECISIONS: decision_rows(decisions, Clock().now()),
            SUBMITTED_FORECASTS: submitted_rows(self.submitted, date_ids, self.targets),
        }
        same = decisions == self.stored and self.lake.has(DECISIONS)
        unchanged = frozenset({DECISIONS} if same else ())
        return PromotionResult(
            course.state, rows, course.new_decisions, course.failures, self.submitted, unchanged
        )


def read_course(
    lake: Lake, settings: Settings, known_days: DayArray, start: date, end: date
) -> PromotionCourse:
    """Read the course of promotion as it stands before a day.

    The rules decide anew only about days without a submitted forecast; the other decisions of the
    days are pending.

    Args:
        lake: the lake.
        settings: the thresholds.
        known_days: (n,) days with features.
        start: first day that is promoted.
        end: last day that is promoted.
    """
    releases = {x.name: x for x in read_releases(lake) if x.registered_after < end}
    decisions = read_decisions(lake, end)
    newest = read_newest_submitted_day(lake) or date.min
    pending = [
        row
        for row in decisions
        if row.trading_day >= start and (row.made_by != RULES or row.trading_day <= newest)
    ]
    return PromotionCourse(
        releases,
        fold_decisions(row for row in decisions if row.trading_day < start),
        thresholds_from_settings(settings),
        TrackRecords.read(lake, end).select_known_before(start),
        read_unjudged_forecasts(lake, known_days, start, read_pairs(lake)) if releases else {},
        pending,
        newest,
    )

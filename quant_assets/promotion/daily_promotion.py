"""The days of the releases: records, decisions, forecasts and what is published, one by one.

Each day depends on what was decided and known before it, so a range is gone through in order; a
day done again comes out the same. What was decided for a day that was published stays, whatever has
become of settings, prices and files since. The rules are in ``promotion.rules``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile
from typing import Any

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.forecasts import read_forecasts
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
from quant_assets.promotion.promotion_state import RULES, Decision, PromotionState, fold_decisions
from quant_assets.promotion.publishing import (
    FallbackForecast,
    SubmittedForecast,
    mix_releases,
    release_forecast_rows,
    submitted_rows,
)
from quant_assets.promotion.release_forecasts import ReleaseForecast, ReleaseForecaster
from quant_assets.promotion.release_store import (
    Release,
    decision_rows,
    read_decisions,
    read_newest_submitted_day,
    read_releases,
    thresholds_from_settings,
)
from quant_assets.promotion.rules import decide_day, forecast_releases
from quant_assets.promotion.track_records import TrackRecords
from quant_assets.scoring.daily_performance import masked_ic
from quant_assets.scoring.judged_days import DELAY, read_truths


@dataclass(frozen=True)
class ReleaseFailure:
    """A release that could not forecast a day.

    Attributes:
        day: the day.
        release: the release.
        reason: why.
        was_champion: whether it was to be published.
    """

    day: date
    release: str
    reason: str
    was_champion: bool

    def __str__(self) -> str:
        return f"{self.day}: {self.release}: {self.reason}"


@dataclass(frozen=True)
class PromotionResult:
    """What came of the days of a range.

    Attributes:
        state: in force after them.
        rows: of each table, for the range.
        made: decisions of the rules that are new.
        failures: releases that could not forecast.
        published: what is published, day by day.
        unchanged: tables that hold these rows already: on most days nothing is decided.
    """

    state: PromotionState
    rows: Mapping[Table, Mapping[str, Any]]
    made: list[Decision]
    failures: list[ReleaseFailure]
    published: list[SubmittedForecast]
    unchanged: frozenset[Table]


def promote_days(lake: Lake, settings: Settings, start: date, end: date) -> PromotionResult:
    """Go through the days from ``start`` to ``end``; nothing is written.

    The caller is alone with releases and decisions meanwhile. A day that has neither a release nor
    an ensemble is not published. Nothing known after a day plays a part in it.

    Raises:
        LakeError: features or labels of the days are missing.
    """
    with lake.at_once():
        walk = _Walk(lake, settings, start, end)
        for day in walk.days.tolist():
            walk.step(day)
        return walk.course()


@dataclass
class _Walk:
    """One pass over a range, and what it has come to."""

    lake: Lake
    settings: Settings
    start: date
    end: date
    made: list[Decision] = field(default_factory=list)
    failures: list[ReleaseFailure] = field(default_factory=list)
    published: list[SubmittedForecast] = field(default_factory=list)
    served: list[tuple[date, str, FloatArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        lake, start, end = self.lake, self.start, self.end
        self.known = read_known_days(lake, end)
        self.days = self.known[self.known >= np.datetime64(start)]
        pairs = read_pairs(lake)
        self.targets = pairs.targets
        self.releases = {x.name: x for x in read_releases(lake) if x.registered_after < end}
        self.limits = thresholds_from_settings(self.settings)
        earlier = read_decisions(lake, end)
        self.state = fold_decisions(x for x in earlier if x.trading_day < start)
        self.stored = [x for x in earlier if x.trading_day >= start]
        self.newest = read_newest_submitted_day(lake) or date.min
        self.facts = [x for x in self.stored if x.made_by != RULES or x.trading_day <= self.newest]
        self.waiting = list(self.facts)
        self.book = TrackRecords.read(lake, end).before(start)
        asked = {name for release in self.releases.values() for name in release.families}
        families = [name for name in FAMILIES if name in asked]
        self.serving = ReleaseForecaster(lake, self.settings, self.days, families)
        self.fall_back = FallbackForecast(lake, self.targets, start, end)
        self.values = _recent(lake, self.known, start, self.targets) if self.releases else {}
        self.truth: dict[date, tuple[date, FloatArray]] = {}
        if self.releases:
            judged, release, truth = read_truths(lake, self.known, pairs, start)
            settled = zip(judged.tolist(), truth, strict=True)
            self.truth = dict(zip(release.tolist(), settled, strict=True))

    def step(self, day: date) -> None:
        """One day."""
        due = list(takewhile(lambda x: x.trading_day <= day, self.waiting))
        del self.waiting[: len(due)]
        registered = [x for x in self.releases.values() if x.registered_after < day]
        if registered:
            self._judge(day)
        if registered and day > self.newest:
            served = self._decided(day, due, registered)
        else:
            served = self._as_decided(day, due)
        found = mix_releases(day, self.state, served) or self.fall_back.on(day)
        if found:
            self.published.append(found)
            self.values[day, SUBMITTED_NAME] = found.values
        for name, one in served.items():
            self.served.append((day, name, one.values))
            self.values[day, name] = one.values

    def _decided(
        self, day: date, due: Sequence[Decision], registered: Sequence[Release]
    ) -> dict[str, ReleaseForecast]:
        """Forecasts of a day by releases, after what the rules decide on them."""
        known = self.book.evidence(day, self.known, registered)
        turn = decide_day(fold_decisions(due, self.state), known, self.limits)
        champion = turn.state.champion
        served, failures = forecast_releases(turn, lambda name: self._by(name, day))
        self.failures += [ReleaseFailure(day, x, why, x == champion) for x, why in failures.items()]
        self.state = turn.state
        self.made += turn.made
        return served

    def _as_decided(self, day: date, due: Sequence[Decision]) -> dict[str, ReleaseForecast]:
        """Forecasts of a day by the releases that forecast it when it was published."""
        before = fold_decisions(takewhile(lambda x: x.action != "failed", due), self.state)
        self.state = fold_decisions(due, self.state)
        failed = {x.release: x.reason for x in due if x.action == "failed"}
        names = dict.fromkeys((*before.forecasting, *self.state.forecasting))
        tried = {name: failed.get(name) or self._by(name, day) for name in (*names, *failed)}
        self.failures += [
            ReleaseFailure(day, name, found, name == before.champion)
            for name, found in tried.items()
            if isinstance(found, str)
        ]
        return {name: found for name, found in tried.items() if not isinstance(found, str)}

    def _judge(self, day: date) -> None:
        """Add the ICs that the day's labels settle."""
        if day not in self.truth:
            return
        judged, truth = self.truth[day]
        for name in sorted(name for when, name in self.values if when == judged):
            ic = masked_ic(self.values[judged, name][None], truth[None])[0]
            if np.isfinite(ic):
                self.book.add(name, judged, day, float(ic))

    def _by(self, name: str, day: date) -> ReleaseForecast | str:
        release = self.releases.get(name)
        return self.serving.forecast(release, day) if release else "it is not registered"

    def course(self) -> PromotionResult:
        """What it has come to."""
        decided = sorted([*self.facts, *self.made], key=lambda x: (x.trading_day, x.sequence))
        ids = dict(zip(self.days.tolist(), read_date_ids(self.lake, self.days), strict=True))
        rows = {
            RELEASE_FORECASTS: release_forecast_rows(self.served, ids, self.targets),
            RECORDS: self.book.rows_from(self.start),
            DECISIONS: decision_rows(decided),
            SUBMITTED_FORECASTS: submitted_rows(self.published, ids, self.targets),
        }
        same = decided == self.stored and self.lake.has(DECISIONS)
        unchanged = frozenset({DECISIONS} if same else ())
        return PromotionResult(
            self.state, rows, self.made, self.failures, self.published, unchanged
        )


def _recent(
    lake: Lake, known: DayArray, start: date, targets: tuple[str, ...]
) -> dict[tuple[date, str], FloatArray]:
    """Forecasts stored for the days whose labels the range settles: by day and release."""
    first = int(np.searchsorted(known, np.datetime64(start)))
    days = known[max(first - DELAY, 0) : first]
    if not len(days) or not lake.has(RELEASE_FORECASTS):
        return {}
    ends = days[0].item(), days[-1].item()
    published = read_forecasts(lake, SUBMITTED_FORECASTS, targets, *ends)
    pairs = zip(published.days.tolist(), published.values, strict=True)
    found = {(day, SUBMITTED_NAME): values for day, values in pairs}
    rows = lake.query(
        f"SELECT trading_day, release, target, value FROM {RELEASE_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        list(ends),
    )
    for (day, name), of_release in rows.groupby([rows["trading_day"].dt.date, "release"]):
        values = of_release.set_index("target")["value"].reindex(targets).to_numpy()
        found[day, str(name)] = values
    return found

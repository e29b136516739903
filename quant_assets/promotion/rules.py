"""The rules that decide about releases on a day, from the state and the evidence.

Pure: no lake, no clock, no Dagster. The same evidence always leads to the same decisions, which is
why they can be replayed. Comparisons of records are in ``promotion.gates``, the effects of
decisions in ``promotion.promotion_state``, and failures to forecast in ``promotion.failures``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray
from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.gates import (
    GateResult,
    Thresholds,
    TrackRecord,
    apply_gates,
    check_challenger,
    check_submitted,
    pair_records,
)
from quant_assets.promotion.promotion_state import Action, PromotionState


@dataclass(frozen=True)
class Evidence:
    """What is known about releases at the close of a day.

    Attributes:
        day: the day.
        trading_days: (n,) trading days up to and including it.
        releases: names of the releases made before the day, oldest first.
        live_records: record of each release's own forecasts, and of the submitted forecast.
        full_records: live record of each release, with its walk-forward on other days.
        missing_records: for each release without a walk-forward record, why it has none.
        submitted_record: record of the submitted forecast.
    """

    day: date
    trading_days: DayArray
    releases: tuple[str, ...]
    live_records: Mapping[str, TrackRecord]
    full_records: Mapping[str, TrackRecord]
    missing_records: Mapping[str, str] = field(default_factory=dict)
    submitted_record: TrackRecord = field(default_factory=TrackRecord.empty)

    def live_record(self, release: str | None) -> TrackRecord:
        """Return a release's live record, which is empty if it never forecast."""
        return self.live_records.get(release or "", TrackRecord.empty())

    def count_days_since(self, day: date | None) -> int:
        """Count the trading days from ``day`` on and before the evidence's day."""
        bounds = np.array([day, self.day], "datetime64[D]")
        first, now = np.searchsorted(self.trading_days, bounds)
        return int(now - first)


def decide_day(state: PromotionState, evidence: Evidence, thresholds: Thresholds) -> DayDecisions:
    """Make the rules' decisions of a day, before the releases forecast it.

    Args:
        state: the state before the day, with people's decisions for the day applied.
        evidence: what is known at the close of the day.
        thresholds: the limits, recorded with every decision.
    """
    day_decisions = DayDecisions(evidence.day, state, thresholds)
    if not state.pinned:
        _make_first_champion(day_decisions, evidence)
        _check_champion(day_decisions, evidence)
        _check_challenger(day_decisions, evidence)
        _consider_new_releases(day_decisions, evidence)
    return day_decisions


def _find_undecided(day_decisions: DayDecisions, evidence: Evidence) -> list[str]:
    decided = day_decisions.state.decided_releases
    return [name for name in evidence.releases if name not in decided]


def _make_first_champion(day_decisions: DayDecisions, evidence: Evidence) -> None:
    """Make the newest release champion if there is no champion yet."""
    undecided = _find_undecided(day_decisions, evidence)
    if day_decisions.state.champion is None and undecided:
        *older, newest = undecided
        _supersede(day_decisions, older, newest)
        day_decisions.decide("champion_by_default", newest, "the first release")


def _supersede(day_decisions: DayDecisions, older: Sequence[str], newest: str) -> None:
    for name in older:
        day_decisions.decide("superseded", name, f"{newest} is newer", refused=True)


def _check_champion(day_decisions: DayDecisions, evidence: Evidence) -> None:
    """Roll back or confirm a champion on probation, by comparing it with its predecessor."""
    state, thresholds = day_decisions.state, day_decisions.thresholds
    if not state.probation_since or not state.champion:
        return
    if not state.last_good:
        reason = "no champion before it can forecast any more"
        day_decisions.decide("confirmed", state.champion, reason)
        return
    predecessor = evidence.live_record(state.last_good)
    submitted = evidence.submitted_record.since(state.share_since)
    result = check_submitted(submitted, predecessor, thresholds)
    if not result.passed:
        day_decisions.decide(
            "rolled_back", state.champion, result.reason, result.figures, champion=state.last_good
        )
        return
    live = evidence.live_record(state.champion).since(state.probation_since)
    judged, _ = pair_records(live, predecessor)
    if len(judged.days) >= thresholds.probation_days:
        reason = "it has kept up on probation"
        day_decisions.decide("confirmed", state.champion, reason, result.figures)


def _check_challenger(day_decisions: DayDecisions, evidence: Evidence) -> None:
    """Drop a challenger that is worse than the champion, else raise its share when that is due.

    The gates alone justify its first, small share. Each later step waits until its mean IC is at
    least the champion's on the days that both forecast live.
    """
    state, thresholds = day_decisions.state, day_decisions.thresholds
    name = state.challenger
    if not name or not state.champion:
        return
    champion = evidence.live_record(state.champion)
    live = evidence.live_record(name).since(state.shadow_since)
    new, current = pair_records(live, champion)
    if len(new.days) < thresholds.shadow_days:
        return
    ahead = bool(new.ic.mean() >= current.ic.mean())
    result = check_challenger(live, champion, thresholds)
    if result.passed and state.share_since:
        shared = evidence.submitted_record.since(state.share_since)
        mixed = check_submitted(shared, champion, thresholds)
        result = GateResult(mixed.passed, mixed.reason, {**result.figures, **mixed.figures})
    if not result.passed:
        drop_challenger(day_decisions, name, result.reason, result.figures)
        return
    stayed = evidence.count_days_since(state.stage_since)
    if state.share == 0 or (stayed >= thresholds.step_days and ahead):
        _raise_share(day_decisions, name, result)


def drop_challenger(
    day_decisions: DayDecisions, name: str, reason: str, figures: Mapping[str, Any]
) -> None:
    """Reject a challenger in shadow, or roll it back if it has a share.

    Args:
        day_decisions: the decisions of the day, to which this one is added.
        name: the challenger.
        reason: why, in words.
        figures: the numbers that the decision rests on.
    """
    action: Action = "rolled_back" if day_decisions.state.share > 0 else "rejected"
    champion = day_decisions.state.champion
    day_decisions.decide(action, name, reason, figures, champion=champion, refused=True)


def withdraw_challenger(day_decisions: DayDecisions, reason: str) -> None:
    """Withdraw the challenger, if there is one, for a reason that is not its performance."""
    if day_decisions.state.challenger:
        day_decisions.decide("withdrawn", day_decisions.state.challenger, reason)


def _raise_share(day_decisions: DayDecisions, name: str, result: GateResult) -> None:
    """Give the challenger the next share; with the last share it becomes champion."""
    shares = day_decisions.thresholds.shares
    share = min(share for share in shares if share > day_decisions.state.share)
    if share < 1:
        day_decisions.decide("step", name, result.reason, result.figures, share=share)
    else:
        day_decisions.decide("promoted", name, result.reason, result.figures, champion=name)


def _consider_new_releases(day_decisions: DayDecisions, evidence: Evidence) -> None:
    """Apply the gates to the newest undecided release that has a record.

    Nothing is considered during a challenge or a probation: refits of the same recipe come more
    often than a challenger takes to prove itself, so newer releases wait for its end.
    """
    state = day_decisions.state
    if not state.champion or state.probation_since or state.challenger:
        return
    for name in _find_undecided(day_decisions, evidence):
        if name in evidence.missing_records:
            reason = evidence.missing_records[name]
            day_decisions.decide("gates_refused", name, reason, refused=True)
    undecided = _find_undecided(day_decisions, evidence)
    if not undecided:
        return
    *older, newest = undecided
    _supersede(day_decisions, older, newest)
    records = evidence.full_records
    result = apply_gates(
        records.get(newest, TrackRecord.empty()),
        records.get(state.champion, TrackRecord.empty()),
        day_decisions.thresholds,
    )
    if not result.passed:
        day_decisions.decide("gates_refused", newest, result.reason, result.figures, refused=True)
        return
    day_decisions.decide("challenge", newest, result.reason, result.figures)

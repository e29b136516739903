"""The rules: what becomes of releases on a day, given what is in force and what is known.

Pure: no lake, no clock, no Dagster. The same evidence always leads to the same decisions, which is
what lets them be replayed. Figures are in ``promotion.gates``, effects in ``promotion.state``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

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
from quant_assets.promotion.promotion_state import PromotionState

_FAILED = "it failed to forecast"
T = TypeVar("T")


@dataclass(frozen=True)
class Evidence:
    """What is known at the close of a day.

    Attributes:
        day: the day.
        days: (n,) trading days up to and including it.
        registered: releases made before it, oldest first.
        live: of each release the ICs of its own forecasts, and of what was published.
        all: of each release live ICs, and those of its walk-forward on earlier days.
        no_record: of releases without a walk-forward, why they have none.
        published: ICs of what was published.
    """

    day: date
    days: DayArray
    registered: tuple[str, ...]
    live: Mapping[str, TrackRecord]
    all: Mapping[str, TrackRecord]
    no_record: Mapping[str, str] = field(default_factory=dict)
    published: TrackRecord = field(default_factory=TrackRecord.empty)

    def live_of(self, release: str | None) -> TrackRecord:
        """Live ICs of a release; none if it never forecast."""
        return self.live.get(release or "", TrackRecord.empty())

    def elapsed(self, since: date | None) -> int:
        """Trading days from one on, before this one."""
        first, now = np.searchsorted(self.days, np.array([since, self.day], "datetime64[D]"))
        return int(now - first)


def decide_day(state: PromotionState, known: Evidence, limits: Thresholds) -> DayDecisions:
    """The day's decisions on what is known of releases, before the day is forecast."""
    turn = DayDecisions(known.day, state, limits)
    if not state.pinned:
        _crown(turn, known)
        _watch_champion(turn, known)
        _watch_challenger(turn, known)
        _consider(turn, known)
    return turn


def _open(turn: DayDecisions, known: Evidence) -> list[str]:
    return [one for one in known.registered if one not in turn.state.done]


def _crown(turn: DayDecisions, known: Evidence) -> None:
    """The first champion: the newest release there is."""
    waiting = _open(turn, known)
    if turn.state.champion is None and waiting:
        *older, newest = waiting
        _pass_over(turn, older, newest)
        turn.decide("champion_by_default", newest, "the first release")


def _pass_over(turn: DayDecisions, older: Sequence[str], newest: str) -> None:
    for one in older:
        turn.decide("superseded", one, f"{newest} is newer", refused=True)


def _watch_champion(turn: DayDecisions, known: Evidence) -> None:
    """A champion on probation goes if what is published falls behind its predecessor."""
    state = turn.state
    if not state.promoted_on or not state.champion:
        return
    if not state.last_good:
        turn.decide("confirmed", state.champion, "no champion before it can forecast any more")
        return
    before = known.live_of(state.last_good)
    found = check_submitted(known.published.since(state.share_since), before, turn.limits)
    if not found.passed:
        turn.decide(
            "rolled_back", state.champion, found.reason, found.figures, champion=state.last_good
        )
        return
    judged, _ = pair_records(known.live_of(state.champion).since(state.promoted_on), before)
    if len(judged.days) >= turn.limits.probation_days:
        turn.decide("confirmed", state.champion, "it has kept up on probation", found.figures)


def _watch_challenger(turn: DayDecisions, known: Evidence) -> None:
    """A challenger that does not hold goes; one that does takes its next step when it is due.

    Its first share is small and may be taken on the word of the gates; from there it waits for as
    long as it is behind on the days that both forecast live.
    """
    state, limits = turn.state, turn.limits
    name = state.challenger
    if not name or not state.champion:
        return
    champion = known.live_of(state.champion)
    live = known.live_of(name).since(state.shadow_since)
    own, other = pair_records(live, champion)
    if len(own.days) < limits.shadow_days:
        return
    ahead = bool(own.ic.mean() >= other.ic.mean())
    found = check_challenger(live, champion, limits)
    if found.passed and state.share_since:
        shared = known.published.since(state.share_since)
        against = check_submitted(shared, champion, limits)
        found = GateResult(against.passed, against.reason, {**found.figures, **against.figures})
    if not found.passed:
        drop_challenger(turn, name, found.reason, found.figures)
    elif state.share == 0 or (known.elapsed(state.since) >= limits.step_days and ahead):
        _step(turn, name, found)


def drop_challenger(turn: DayDecisions, name: str, reason: str, figures: Mapping[str, Any]) -> None:
    """A challenger that does not hold: rejected in shadow, rolled back if it had a share."""
    shared = turn.state.share > 0
    action = "rolled_back" if shared else "rejected"
    turn.decide(action, name, reason, figures, champion=turn.state.champion, refused=True)


def withdraw_challenger(turn: DayDecisions, reason: str) -> None:
    """Take the challenger back for no fault of its own; nothing, if there is none."""
    if turn.state.challenger:
        turn.decide("withdrawn", turn.state.challenger, reason)


def _step(turn: DayDecisions, name: str, found: GateResult) -> None:
    share = min(one for one in turn.limits.shares if one > turn.state.share)
    if share < 1:
        turn.decide("step", name, found.reason, found.figures, share=share)
    else:
        turn.decide("promoted", name, found.reason, found.figures, champion=name)


def _consider(turn: DayDecisions, known: Evidence) -> None:
    """The newest release with a record that waits, if none is being introduced: the gates.

    One that is being introduced is not put aside for a newer one: refits of the same recipe come
    more often than a challenger takes to prove itself.
    """
    state = turn.state
    if not state.champion or state.promoted_on or state.challenger:
        return
    for one in _open(turn, known):
        if one in known.no_record:
            turn.decide("gates_refused", one, known.no_record[one], refused=True)
    waiting = _open(turn, known)
    if not waiting:
        return
    *older, newest = waiting
    _pass_over(turn, older, newest)
    of_newest, of_champion = (
        known.all.get(x, TrackRecord.empty()) for x in (newest, state.champion)
    )
    found = apply_gates(of_newest, of_champion, turn.limits)
    if not found.passed:
        turn.decide("gates_refused", newest, found.reason, found.figures, refused=True)
        return
    turn.decide("challenge", newest, found.reason, found.figures)


def forecast_releases(
    turn: DayDecisions, by: Callable[[str], T | str]
) -> tuple[dict[str, T], dict[str, str]]:
    """Let every release forecast that has to, and decide what follows where one cannot.

    Args:
        turn: the day's, with the decisions so far.
        by: a release's forecast of the day, or in words why there is none.

    Returns:
        The forecasts by release, and why there is none by release.
    """
    state, tried = turn.state, {name: by(name) for name in turn.state.forecasting}
    for name in reversed(state.earlier):
        if state.pinned or not isinstance(tried.get(state.champion or ""), str):
            break
        tried.setdefault(name, by(name))
        if not isinstance(tried[name], str):
            break
    failures = {name: found for name, found in tried.items() if isinstance(found, str)}
    handle_failures(turn, failures)
    return {x: found for x, found in tried.items() if not isinstance(found, str)}, failures


def handle_failures(turn: DayDecisions, failures: Mapping[str, str]) -> None:
    """What follows where releases cannot forecast the day: a release of which the fault is, goes.

    A challenger loses, and a predecessor is no more to go back to. A champion makes room for the
    newest one before it that can forecast, else for its challenger. If none can, or it is pinned,
    all stay as they are and the day is published without them: what all lack is no fault of one.

    Args:
        turn: the day's, with the decisions so far.
        failures: why, by release. Those before the champion were asked until one could.
    """
    state = turn.state
    champion, challenger, before = state.champion, state.challenger, state.last_good
    for name, reason in failures.items():
        turn.decide("failed", name, reason)
    able = (one for one in reversed(state.earlier) if one not in failures)
    heir = None if state.pinned else next(able, None)
    if champion and champion in failures and not heir:
        if challenger and challenger not in failures:
            turn.decide("promoted", challenger, "the champion cannot forecast", champion=challenger)
        else:
            turn.decide("fallback", champion, "the ensemble is published in its place")
        return
    if challenger and challenger in failures:
        drop_challenger(turn, challenger, _FAILED, {})
    elif champion in failures:
        withdraw_challenger(turn, "what it was compared with failed to forecast")
    if champion and champion in failures:
        turn.decide("rolled_back", champion, _FAILED, champion=heir)
    elif before and before in failures:
        turn.decide("dismissed", before, _FAILED, refused=True)

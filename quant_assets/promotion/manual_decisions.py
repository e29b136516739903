"""Decisions that a person makes: promote, pin, unpin, roll back. In force from the next day on.

The decisions of the rules are in ``promotion.rules``. After a manual promotion the rules go on:
the release skips the gates only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from quant_assets.core.clock import Clock
from quant_assets.core.errors import PromotionError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.promotion_tables import DECISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.promotion_state import (
    RULES,
    SHADOW,
    Decision,
    PromotionState,
    fold_decisions,
    name_stage,
)
from quant_assets.promotion.release_store import (
    Release,
    decision_rows,
    lock_promotion,
    read_decisions,
    read_releases,
    thresholds_from_settings,
)
from quant_assets.promotion.rules import withdraw_challenger
from quant_assets.promotion.submitted_days import read_newest_submitted_day

ManualAction = Literal["promote", "pin", "unpin", "roll_back"]
"""What a person can ask for; the decisions that follow have a ``promotion_state.Action``."""
_LONGEST_BREAK = timedelta(days=15)
"""More days than any break of trading lasts."""


@dataclass(frozen=True)
class ManualDecision:
    """What a person asks for.

    Attributes:
        action: what to do.
        release: release to promote, to pin or to roll back to. It may be empty for a rollback,
            which then returns to the last good champion, and for unpinning.
        reason: why, recorded with the decision.
        made_by: who asks.
        share: share of the submitted forecast that a promotion starts with; 0 is the shadow.
        seen: id of the newest decision that the person knows. The request is refused if there is
            a newer decision; an empty id allows any.
    """

    action: ManualAction
    release: str = ""
    reason: str = ""
    made_by: str = ""
    share: float = 0.0
    seen: str = ""


def decide_manually(
    lake: Lake, settings: Settings, calendar: MarketCalendar, request: ManualDecision
) -> list[Decision]:
    """Make and store the decisions that a person asks for.

    Args:
        lake: holds releases and decisions.
        settings: give the thresholds, which are recorded with the decisions.
        calendar: calendar of the market.
        request: what the person asks for.

    Returns:
        The new decisions, in force from the trading day after the newest submitted day on.

    Raises:
        UnknownNameError: the release does not exist.
        PromotionError: the request has no maker; no forecast has been submitted yet; the release
            takes part later; another promotion is under way; a newer decision exists; or there is
            nothing to do. Nothing is stored then.
    """
    if request.made_by.strip() in ("", RULES):
        raise PromotionError(
            "a decision by hand needs a name",
            where="made_by",
            expected="who decides",
            found=repr(request.made_by),
        )
    with lock_promotion(settings):
        earlier = read_decisions(lake)
        _check_newest_decision(earlier, request)
        newest_day = read_newest_submitted_day(lake)
        if newest_day is None:
            raise PromotionError(
                "no forecast has been submitted yet",
                hint="run refresh_daily or load_history first",
            )
        releases = read_releases(lake)
        _check_takes_part(releases, request.release, newest_day)
        day = find_next_trading_day(calendar, newest_day)
        count = sum(row.trading_day == day and row.made_by != RULES for row in earlier)
        day_decisions = DayDecisions(
            day,
            fold_decisions(earlier),
            thresholds_from_settings(settings),
            made_by=request.made_by,
            first_sequence=count + 1,
        )
        apply_manual_decision(day_decisions, [release.name for release in releases], request)
        rows = decision_rows(day_decisions.decisions, Clock().now())
        lake.replace_matching(DECISIONS, "decision", rows)
    return day_decisions.decisions


def find_next_trading_day(calendar: MarketCalendar, day: date) -> date:
    """Find the first trading day after a day; the next day if the calendar knows no later ones."""
    next_day = day + timedelta(days=1)
    later: list[date] = calendar.trading_days(next_day, day + _LONGEST_BREAK).tolist()
    return later[0] if later else next_day


def _check_newest_decision(decisions: Sequence[Decision], request: ManualDecision) -> None:
    """Raise if there is a newer decision than the newest that the person knows."""
    newest = decisions[-1] if decisions else None
    if request.seen and (newest is None or newest.decision != request.seen):
        raise PromotionError(
            "another decision was made meanwhile",
            expected=f"decision {request.seen} as the newest",
            found=f"{newest.action} {newest.release} by {newest.made_by}" if newest else "none",
            hint="look at `quant-assets releases` and decide again",
        )


def _check_takes_part(releases: Sequence[Release], name: str, newest_day: date) -> None:
    """Raise if a release was made as of a later day and cannot forecast the next day yet."""
    for release in releases:
        if release.name == name and release.registered_after > newest_day:
            raise PromotionError(
                f"{name} does not take part yet",
                expected=f"{release.registered_after} or later as the newest submitted day",
                found=newest_day,
                hint="decide again when a forecast for that day is submitted",
            )


def apply_manual_decision(
    day_decisions: DayDecisions, names: Sequence[str], request: ManualDecision
) -> None:
    """Add the decisions that follow from a person's request.

    Args:
        day_decisions: the decisions of the day from which on the new ones are in force.
        names: names of all releases.
        request: what the person asks for.

    Raises:
        UnknownNameError: the release does not exist.
        PromotionError: there is no release at all, or the request cannot be done now.
    """
    if not names:
        raise PromotionError(
            "there is no release yet",
            hint="run `quant-assets backfill --job retrain_models` for the newest day stored",
        )
    if request.release and request.release not in names:
        raise unknown_name("release", request.release, list(names))
    if request.action in ("promote", "pin") and not request.release:
        raise PromotionError(f"name the release to {request.action}", expected="a release's name")
    handlers = {"promote": _promote, "pin": _pin, "unpin": _unpin, "roll_back": _roll_back}
    handlers[request.action](day_decisions, request)


def _promote(day_decisions: DayDecisions, request: ManualDecision) -> None:
    state, shares = day_decisions.state, (0.0, *day_decisions.thresholds.shares)
    under_way = _describe_promotion_under_way(state)
    if under_way:
        raise PromotionError(
            "another promotion is under way",
            found=under_way,
            hint="wait for its end, or roll it back first",
        )
    if request.share not in shares:
        raise PromotionError(
            "no such share",
            expected=", ".join(f"{share:g}" for share in shares),
            found=request.share,
            hint="the shares are those of QUANT_PROMOTION_SHARES",
        )
    if state.champion is None or request.release == state.champion:
        raise PromotionError(
            f"{request.release} cannot be promoted",
            found="it is the champion" if state.champion else "there is no champion yet",
            hint=None
            if state.champion
            else "the first release becomes champion on the first submitted day after it was made",
        )
    reason = request.reason or "by hand"
    if request.share == 1:
        day_decisions.decide("promoted", request.release, reason, champion=request.release)
    else:
        day_decisions.decide("challenge", request.release, reason, share=request.share)


def _describe_promotion_under_way(state: PromotionState) -> str:
    """Describe what keeps another release from a promotion; empty if nothing does."""
    if state.pinned:
        return f"{state.champion} is pinned"
    if state.challenger:
        stage = name_stage(state.share)
        return f"{state.challenger}, {'in ' + stage if stage == SHADOW else 'at ' + stage}"
    if state.probation_since:
        return f"{state.champion}, on probation since {state.probation_since}"
    return ""


def _pin(day_decisions: DayDecisions, request: ManualDecision) -> None:
    name, reason = request.release, request.reason or "by hand"
    withdraw_challenger(day_decisions, f"{name} is pinned")
    day_decisions.decide("pinned", name, reason, champion=name)


def _unpin(day_decisions: DayDecisions, request: ManualDecision) -> None:
    champion = day_decisions.state.champion
    named = request.release in ("", champion)
    if not day_decisions.state.pinned or not champion or not named:
        raise PromotionError(
            f"{request.release or 'the champion'} is not pinned", found=f"champion {champion}"
        )
    day_decisions.decide("unpinned", champion, request.reason or "by hand")


def _roll_back(day_decisions: DayDecisions, request: ManualDecision) -> None:
    """Withdraw the challenger if the person names no release, else replace the champion."""
    state, reason = day_decisions.state, request.reason or "by hand"
    if state.challenger and not request.release:
        withdraw_challenger(day_decisions, reason)
        return
    target = request.release or state.last_good
    if state.pinned or not state.champion or not target or target == state.champion:
        raise PromotionError(
            "there is nothing to roll back to",
            found=f"champion {state.champion}{', pinned' if state.pinned else ''}",
            expected="an earlier champion, or the name of a release",
            hint="unpin it first" if state.pinned else None,
        )
    withdraw_challenger(day_decisions, reason)
    day_decisions.decide("rolled_back", state.champion, reason, champion=target)

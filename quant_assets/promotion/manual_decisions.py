"""Decisions that a person makes: promote, pin, unpin, roll back. In force from the next day on.

What the rules decide by themselves is in ``promotion.rules``; they go on after a promotion by hand,
which passes over the gates only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from quant_assets.core.errors import PromotionError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.promotion_tables import DECISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
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
    read_newest_submitted_day,
    read_releases,
    thresholds_from_settings,
)
from quant_assets.promotion.rules import withdraw_challenger

Action = Literal["promote", "pin", "unpin", "roll_back"]
_LONGEST_BREAK = timedelta(days=15)


@dataclass(frozen=True)
class ManualDecision:
    """What a person wants.

    Attributes:
        action: what is to be done.
        release: to promote, pin or roll back to; may be empty to unpin and to roll back.
        reason: why, recorded with the decision.
        made_by: who wants it.
        share: of the published forecast that a promotion starts with; 0 is the shadow.
        seen: id of the newest decision that the person knew; empty: whichever.
    """

    action: Action
    release: str = ""
    reason: str = ""
    made_by: str = ""
    share: float = 0.0
    seen: str = ""


def decide_manually(lake: Lake, settings: Settings, wish: ManualDecision) -> list[Decision]:
    """Decide as wished, and store the decision; what was decided.

    Raises:
        UnknownNameError: there is no such release.
        PromotionError: nothing was published yet; the release takes part later; another promotion
            is under way; the state is not the one that was seen; or there is nothing to do. Nothing
            changes then.
    """
    if wish.made_by.strip() in ("", RULES):
        raise PromotionError(
            "a decision by hand needs a name",
            where="made_by",
            expected="who decides",
            found=repr(wish.made_by),
        )
    with lock_promotion(settings):
        so_far = read_decisions(lake)
        _as_seen(so_far, wish)
        newest = read_newest_submitted_day(lake)
        if newest is None:
            raise PromotionError(
                "nothing was published yet", hint="run refresh_daily or load_history first"
            )
        made = read_releases(lake)
        _takes_part(made, wish.release, newest)
        day = find_next_trading_day(newest)
        before = sum(x.trading_day == day and x.made_by != RULES for x in so_far)
        turn = DayDecisions(
            day,
            fold_decisions(so_far),
            thresholds_from_settings(settings),
            [],
            wish.made_by,
            before + 1,
        )
        apply_manual_decision(turn, [one.name for one in made], wish)
        lake.replace_matching(DECISIONS, "decision", decision_rows(turn.made))
    return turn.made


def find_next_trading_day(day: date) -> date:
    """The trading day after a day."""
    following: date = trading_days(day + timedelta(days=1), day + _LONGEST_BREAK)[0].item()
    return following


def _as_seen(so_far: Sequence[Decision], wish: ManualDecision) -> None:
    newest = so_far[-1] if so_far else None
    if wish.seen and (newest is None or newest.decision != wish.seen):
        raise PromotionError(
            "something was decided meanwhile",
            expected=f"decision {wish.seen} as the newest",
            found=f"{newest.action} {newest.release} by {newest.made_by}" if newest else "none",
            hint="look at `quant-assets releases` and decide again",
        )


def _takes_part(made: Sequence[Release], name: str, newest: date) -> None:
    """A release that was made ahead of what is published cannot forecast the next day."""
    for one in made:
        if one.name == name and one.registered_after > newest:
            raise PromotionError(
                f"{name} does not take part yet",
                expected=f"{one.registered_after} as the newest day published, or a later one",
                found=newest,
                hint="decide again when that day is published",
            )


def apply_manual_decision(turn: DayDecisions, known: Sequence[str], wish: ManualDecision) -> None:
    """Add the decisions that a wish leads to.

    Args:
        turn: of the day from which on they are in force.
        known: all releases, by name.
        wish: what is wanted.

    Raises:
        UnknownNameError: there is no such release.
        PromotionError: it cannot be done, or there is no release at all.
    """
    if not known:
        raise PromotionError(
            "there is no release yet",
            hint="run `quant-assets backfill --job retrain_models` for the newest day stored",
        )
    if wish.release and wish.release not in known:
        raise unknown_name("release", wish.release, list(known))
    if wish.action in ("promote", "pin") and not wish.release:
        raise PromotionError(f"which release is to be {wish.action}d", expected="a release's name")
    {"promote": _promote, "pin": _pin, "unpin": _unpin, "roll_back": _roll_back}[wish.action](
        turn, wish
    )


def _promote(turn: DayDecisions, wish: ManualDecision) -> None:
    state, shares = turn.state, (0.0, *turn.limits.shares)
    under_way = _under_way(state)
    if under_way:
        raise PromotionError(
            "another promotion is under way",
            found=under_way,
            hint="wait for its end, or roll it back first",
        )
    if wish.share not in shares:
        raise PromotionError(
            "no such share",
            expected=", ".join(f"{share:g}" for share in shares),
            found=wish.share,
            hint="the shares are those of QUANT_PROMOTION_SHARES",
        )
    if state.champion is None or wish.release == state.champion:
        raise PromotionError(
            f"{wish.release} cannot be promoted",
            found="it is the champion" if state.champion else "there is no champion yet",
            hint=None
            if state.champion
            else "the first release becomes it with the first day published after it",
        )
    reason = wish.reason or "by hand"
    if wish.share == 1:
        turn.decide("promoted", wish.release, reason, champion=wish.release)
    else:
        turn.decide("challenge", wish.release, reason, share=wish.share)


def _under_way(state: PromotionState) -> str:
    if state.pinned:
        return f"{state.champion} is pinned"
    if state.challenger:
        stage = name_stage(state.share)
        return f"{state.challenger}, {'in ' + stage if stage == SHADOW else 'at ' + stage}"
    if state.promoted_on:
        return f"{state.champion}, on probation since {state.promoted_on}"
    return ""


def _pin(turn: DayDecisions, wish: ManualDecision) -> None:
    withdraw_challenger(turn, f"{wish.release} is pinned")
    turn.decide("pinned", wish.release, wish.reason or "by hand", champion=wish.release)


def _unpin(turn: DayDecisions, wish: ManualDecision) -> None:
    champion = turn.state.champion
    if not turn.state.pinned or not champion or wish.release not in ("", champion):
        raise PromotionError(
            "it is not pinned", where=wish.release or "champion", found=f"champion {champion}"
        )
    turn.decide("unpinned", champion, wish.reason or "by hand")


def _roll_back(turn: DayDecisions, wish: ManualDecision) -> None:
    """A challenger, if there is one and nobody names a champion; else the champion."""
    state, reason = turn.state, wish.reason or "by hand"
    if state.challenger and not wish.release:
        withdraw_challenger(turn, reason)
        return
    to = wish.release or state.last_good
    if state.pinned or not state.champion or not to or to == state.champion:
        raise PromotionError(
            "there is nothing to roll back to",
            found=f"champion {state.champion}{', pinned' if state.pinned else ''}",
            expected="an earlier champion, or the name of a release",
            hint="unpin it first" if state.pinned else None,
        )
    withdraw_challenger(turn, reason)
    turn.decide("rolled_back", state.champion, reason, champion=to)

"""What is in force: who is champion, who challenges, with which share; a fold of decisions.

Pure records and functions. What is decided, and why, belongs in ``promotion.rules`` and
``promotion.by_hand``; where decisions are kept, in ``promotion.stored``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

RULES = "rules"
FIRST_OF_RULES = 101
NONE, SHADOW, REFUSED, CHAMPION = "none", "shadow", "refused", "champion"


def name_stage(share: float) -> str:
    """The stage of a challenger with that share of the published forecast."""
    return f"{share:.0%}".replace("%", " %") if share > 0 else SHADOW


@dataclass(frozen=True)
class Decision:
    """One decision; the columns of ``promotion.decisions``."""

    trading_day: date
    sequence: int
    action: str
    release: str
    champion: str | None
    stage_before: str
    stage_after: str
    share_before: float
    share_after: float
    numbers: str
    reason: str
    made_by: str

    @property
    def decision(self) -> str:
        """Its id: the same decision made again has the same one."""
        parts = (self.trading_day, self.sequence, self.action, self.release, self.made_by)
        return sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class PromotionState:
    """What is in force.

    Attributes:
        champion: release that is published; None before the first.
        earlier: champions before it that it may go back to, the last good one last.
        challenger: release that may replace it.
        share: of the challenger in the published forecast; 0 in shadow.
        since: first day of the challenger's stage.
        shadow_since: first day it forecast.
        share_since: first day on which it, or the champion it has become, had a share.
        promoted_on: first day of a champion on probation; None after it.
        pinned: whether nothing moves until somebody says so.
        done: releases that are no longer in question.
    """

    champion: str | None = None
    earlier: tuple[str, ...] = ()
    challenger: str | None = None
    share: float = 0.0
    since: date | None = None
    shadow_since: date | None = None
    share_since: date | None = None
    promoted_on: date | None = None
    pinned: bool = False
    done: frozenset[str] = frozenset()

    @property
    def last_good(self) -> str | None:
        """The champion before this one."""
        return self.earlier[-1] if self.earlier else None

    @property
    def forecasting(self) -> tuple[str, ...]:
        """Releases that have to forecast: what is published, and what it is compared with."""
        watched = self.last_good if self.promoted_on else None
        return tuple(one for one in (self.champion, self.challenger, watched) if one)

    def stage(self, release: str) -> str:
        """Where a release stands."""
        if release == self.champion:
            return CHAMPION
        return name_stage(self.share) if release == self.challenger else NONE

    def share_of(self, release: str) -> float:
        """A release's share of what is published."""
        if release == self.challenger:
            return self.share
        return 1.0 - self.share * (self.challenger is not None) if release == self.champion else 0.0


def fold_decisions(
    decisions: Iterable[Decision], state: PromotionState | None = None
) -> PromotionState:
    """What decisions leave, in their order."""
    state = state or PromotionState()
    for one in decisions:
        state = apply_decision(state, one)
    return state


def apply_decision(state: PromotionState, decision: Decision) -> PromotionState:
    """What is in force after a decision.

    Raises:
        KeyError: there is no such action.
    """
    decided = {name for name in (decision.release, decision.champion) if name}
    return _EFFECTS[decision.action](replace(state, done=state.done | decided), decision)


def _same(state: PromotionState, _: Decision) -> PromotionState:
    return state


def _without_challenger(state: PromotionState, _: Decision) -> PromotionState:
    shared = state.share_since if state.promoted_on else None
    return replace(
        state, challenger=None, share=0.0, since=None, shadow_since=None, share_since=shared
    )


def _challenges(state: PromotionState, one: Decision) -> PromotionState:
    return replace(
        state,
        challenger=one.release,
        share=one.share_after,
        since=one.trading_day,
        shadow_since=one.trading_day,
        share_since=one.trading_day if one.share_after > 0 else None,
    )


def _steps(state: PromotionState, one: Decision) -> PromotionState:
    return replace(
        state,
        share=one.share_after,
        since=one.trading_day,
        share_since=state.share_since or one.trading_day,
    )


def _promoted(state: PromotionState, one: Decision) -> PromotionState:
    return replace(
        _reigns(state, one),
        share_since=state.share_since or one.trading_day,
        promoted_on=one.trading_day,
    )


def _reigns(state: PromotionState, one: Decision) -> PromotionState:
    """The release is champion at once; the one before it is the last good one."""
    before = (state.champion,) if state.champion not in (None, one.release) else ()
    earlier = tuple(x for x in (*state.earlier, *before) if x not in (None, one.release))
    alone = _without_challenger(replace(state, promoted_on=None), one)
    return replace(alone, champion=one.release, earlier=earlier)


def _confirmed(state: PromotionState, _: Decision) -> PromotionState:
    return replace(state, promoted_on=None, share_since=None)


def _goes_back(state: PromotionState, one: Decision) -> PromotionState:
    """To the champion that the decision names; those after it are no good."""
    earlier = state.earlier
    if one.champion in earlier:
        earlier = earlier[: earlier.index(one.champion)]
    alone = _without_challenger(replace(state, promoted_on=None), one)
    return replace(alone, champion=one.champion, earlier=earlier)


def _dismissed(state: PromotionState, one: Decision) -> PromotionState:
    return replace(state, earlier=tuple(x for x in state.earlier if x != one.release))


def _pinned(state: PromotionState, one: Decision) -> PromotionState:
    return replace(_reigns(state, one), pinned=True)


def _unpinned(state: PromotionState, _: Decision) -> PromotionState:
    return replace(state, pinned=False)


_EFFECTS: dict[str, Callable[[PromotionState, Decision], PromotionState]] = {
    "champion_by_default": _reigns,
    "superseded": _same,
    "gates_refused": _same,
    "challenge": _challenges,
    "rejected": _without_challenger,
    "withdrawn": _without_challenger,
    "step": _steps,
    "promoted": _promoted,
    "confirmed": _confirmed,
    "rolled_back": _goes_back,
    "failed": _same,
    "dismissed": _dismissed,
    "fallback": _same,
    "pinned": _pinned,
    "unpinned": _unpinned,
}

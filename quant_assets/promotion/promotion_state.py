"""The state of promotion: the champion, its challenger, and the challenger's share.

The state is the fold of all decisions in their order. Pure records and functions: the rules that
decide are in ``promotion.rules`` and ``promotion.manual_decisions``, the stored decisions in
``promotion.release_store``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Literal

Action = Literal[
    "champion_by_default",
    "superseded",
    "gates_refused",
    "challenge",
    "rejected",
    "withdrawn",
    "step",
    "promoted",
    "confirmed",
    "rolled_back",
    "failed",
    "dismissed",
    "fallback",
    "pinned",
    "unpinned",
]
"""What a decision does, as stored in the column ``action``."""

RULES = "rules"
"""Value of ``made_by`` for the decisions of the rules."""
FIRST_RULES_SEQUENCE = 101
"""Sequence number of the rules' first decision of a day; those of people start at 1."""
NONE, SHADOW, REFUSED, CHAMPION = "none", "shadow", "refused", "champion"
"""Stages of a release beside those that :func:`name_stage` gives a challenger with a share."""


def name_stage(share: float) -> str:
    """Name the stage of a challenger by its share of the submitted forecast.

    >>> name_stage(0.0), name_stage(0.3)
    ('shadow', '30 %')
    """
    return f"{share:.0%}".replace("%", " %") if share > 0 else SHADOW


@dataclass(frozen=True)
class Decision:
    """One decision about a release; the columns of ``promotion.decisions``."""

    trading_day: date
    sequence: int
    action: Action
    release: str
    champion: str | None
    stage_before: str
    stage_after: str
    share_before: float
    share_after: float
    numbers: str
    reason: str
    made_by: str
    stored_at: datetime | None = field(default=None, compare=False)

    @property
    def decision(self) -> str:
        """The decision's id, which is equal for equal day, sequence, action, release and maker."""
        parts = (self.trading_day, self.sequence, self.action, self.release, self.made_by)
        return sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class PromotionState:
    """The releases in force.

    Attributes:
        champion: release whose forecast is submitted; None before the first champion.
        earlier_champions: champions that a rollback may return to, the most recent last.
        challenger: release that may replace the champion; None if there is none.
        share: the challenger's share of the submitted forecast; 0 in shadow.
        stage_since: first day of the challenger's stage.
        shadow_since: first day on which the challenger forecast.
        share_since: first day on which the challenger, or the champion on probation that it has
            become, had a share.
        probation_since: first day of a champion on probation; None after its probation.
        pinned: whether the rules decide nothing until a person unpins the champion.
        decided_releases: releases that a decision was made about; the rules do not consider them
            as challengers again.
    """

    champion: str | None = None
    earlier_champions: tuple[str, ...] = ()
    challenger: str | None = None
    share: float = 0.0
    stage_since: date | None = None
    shadow_since: date | None = None
    share_since: date | None = None
    probation_since: date | None = None
    pinned: bool = False
    decided_releases: frozenset[str] = frozenset()

    @property
    def last_good(self) -> str | None:
        """The champion before the present one, which a rollback returns to."""
        return self.earlier_champions[-1] if self.earlier_champions else None

    @property
    def forecasting(self) -> tuple[str, ...]:
        """The releases that have to forecast a day.

        These are the champion, the challenger and, during the champion's probation, the champion
        before it.
        """
        predecessor = self.last_good if self.probation_since else None
        return tuple(name for name in (self.champion, self.challenger, predecessor) if name)

    def stage(self, release: str) -> str:
        """Return the release's stage: champion, a challenger's stage, or none."""
        if release == self.champion:
            return CHAMPION
        return name_stage(self.share) if release == self.challenger else NONE

    def share_of(self, release: str) -> float:
        """Return the release's share of the submitted forecast, from 0 to 1."""
        if release == self.challenger:
            return self.share
        return 1.0 - self.share * (self.challenger is not None) if release == self.champion else 0.0


def fold_decisions(
    decisions: Iterable[Decision], state: PromotionState | None = None
) -> PromotionState:
    """Apply decisions in their order to a state, or to the state before any decision."""
    state = state or PromotionState()
    for decision in decisions:
        state = apply_decision(state, decision)
    return state


def apply_decision(state: PromotionState, decision: Decision) -> PromotionState:
    """Return the state after a decision.

    Raises:
        KeyError: the decision's action is unknown.
    """
    named = {name for name in (decision.release, decision.champion) if name}
    state = replace(state, decided_releases=state.decided_releases | named)
    return _EFFECTS[decision.action](state, decision)


def _change_nothing(state: PromotionState, _: Decision) -> PromotionState:
    return state


def _remove_challenger(state: PromotionState, _: Decision) -> PromotionState:
    shared = state.share_since if state.probation_since else None
    return replace(
        state, challenger=None, share=0.0, stage_since=None, shadow_since=None, share_since=shared
    )


def _start_challenge(state: PromotionState, decision: Decision) -> PromotionState:
    return replace(
        state,
        challenger=decision.release,
        share=decision.share_after,
        stage_since=decision.trading_day,
        shadow_since=decision.trading_day,
        share_since=decision.trading_day if decision.share_after > 0 else None,
    )


def _raise_share(state: PromotionState, decision: Decision) -> PromotionState:
    return replace(
        state,
        share=decision.share_after,
        stage_since=decision.trading_day,
        share_since=state.share_since or decision.trading_day,
    )


def _promote(state: PromotionState, decision: Decision) -> PromotionState:
    """Make the release champion on probation."""
    return replace(
        _make_champion(state, decision),
        share_since=state.share_since or decision.trading_day,
        probation_since=decision.trading_day,
    )


def _make_champion(state: PromotionState, decision: Decision) -> PromotionState:
    """Make the release champion; the champion before it becomes the last good one."""
    before = (state.champion,) if state.champion not in (None, decision.release) else ()
    earlier = tuple(
        name for name in (*state.earlier_champions, *before) if name not in (None, decision.release)
    )
    alone = _remove_challenger(replace(state, probation_since=None), decision)
    return replace(alone, champion=decision.release, earlier_champions=earlier)


def _end_probation(state: PromotionState, _: Decision) -> PromotionState:
    return replace(state, probation_since=None, share_since=None)


def _roll_back(state: PromotionState, decision: Decision) -> PromotionState:
    """Return to the champion that the decision names, and forget the champions after it."""
    earlier = state.earlier_champions
    if decision.champion in earlier:
        earlier = earlier[: earlier.index(decision.champion)]
    alone = _remove_challenger(replace(state, probation_since=None), decision)
    return replace(alone, champion=decision.champion, earlier_champions=earlier)


def _forget_champion(state: PromotionState, decision: Decision) -> PromotionState:
    """Drop the release from the champions that a rollback may return to."""
    kept = tuple(name for name in state.earlier_champions if name != decision.release)
    return replace(state, earlier_champions=kept)


def _pin(state: PromotionState, decision: Decision) -> PromotionState:
    return replace(_make_champion(state, decision), pinned=True)


def _unpin(state: PromotionState, _: Decision) -> PromotionState:
    return replace(state, pinned=False)


_EFFECTS: dict[Action, Callable[[PromotionState, Decision], PromotionState]] = {
    "champion_by_default": _make_champion,
    "superseded": _change_nothing,
    "gates_refused": _change_nothing,
    "challenge": _start_challenge,
    "rejected": _remove_challenger,
    "withdrawn": _remove_challenger,
    "step": _raise_share,
    "promoted": _promote,
    "confirmed": _end_probation,
    "rolled_back": _roll_back,
    "failed": _change_nothing,
    "dismissed": _forget_champion,
    "fallback": _change_nothing,
    "pinned": _pin,
    "unpinned": _unpin,
}

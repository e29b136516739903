"""Decisions made again from what was known, and compared with those stored.

The rules are in ``promotion.rules``; nothing is changed here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from quant_assets.promotion.decision_log import thresholds_in
from quant_assets.promotion.promotion_state import RULES, Decision, State, fold
from quant_assets.promotion.rules import Evidence, decide, settle


@dataclass(frozen=True)
class Replayed:
    """The rules' decisions of one day.

    Attributes:
        day: the day.
        stored: as they were made.
        made: as the rules make them from the records.
    """

    day: date
    stored: tuple[Decision, ...]
    made: tuple[Decision, ...]

    @property
    def agrees(self) -> bool:
        """Whether they are the same, figures and words included."""
        return self.stored == self.made


def replay(decided: Sequence[Decision], evidence_of: Callable[[date], Evidence]) -> list[Replayed]:
    """Every day's decisions of the rules again, with the thresholds recorded with them.

    Args:
        decided: all decisions, in order. Those by hand, and that a release failed to forecast, are
            facts and taken as they are.
        evidence_of: what was known at the close of a day.
    """
    found, state = [], State()
    for day, of_day in groupby(decided, key=lambda one: one.trading_day):
        rows = list(of_day)
        state = fold((one for one in rows if one.made_by != RULES), state)
        by_rules = tuple(one for one in rows if one.made_by == RULES)
        if by_rules:
            found.append(Replayed(day, by_rules, _again(state, by_rules, evidence_of(day))))
        state = fold(by_rules, state)
    return found


def _again(state: State, stored: Sequence[Decision], known: Evidence) -> tuple[Decision, ...]:
    turn = decide(state, known, thresholds_in(stored[0].numbers))
    if failures := {one.release: one.reason for one in stored if one.action == "failed"}:
        settle(turn, failures)
    return tuple(turn.made)

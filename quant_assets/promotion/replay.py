"""Decisions made again from what was known, and compared with those stored.

The rules are in ``promotion.rules``; nothing is changed here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from quant_assets.promotion.decision_log import thresholds_from_json
from quant_assets.promotion.promotion_state import RULES, Decision, PromotionState, fold_decisions
from quant_assets.promotion.rules import Evidence, decide_day, handle_failures


@dataclass(frozen=True)
class ReplayedDay:
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


def replay_decisions(
    decided: Sequence[Decision], evidence_of: Callable[[date], Evidence]
) -> list[ReplayedDay]:
    """Every day's decisions of the rules again, with the thresholds recorded with them.

    Args:
        decided: all decisions, in order. Those by hand, and that a release failed to forecast, are
            facts and taken as they are.
        evidence_of: what was known at the close of a day.
    """
    found, state = [], PromotionState()
    for day, of_day in groupby(decided, key=lambda one: one.trading_day):
        rows = list(of_day)
        state = fold_decisions((one for one in rows if one.made_by != RULES), state)
        by_rules = tuple(one for one in rows if one.made_by == RULES)
        if by_rules:
            found.append(ReplayedDay(day, by_rules, _again(state, by_rules, evidence_of(day))))
        state = fold_decisions(by_rules, state)
    return found


def _again(
    state: PromotionState, stored: Sequence[Decision], known: Evidence
) -> tuple[Decision, ...]:
    turn = decide_day(state, known, thresholds_from_json(stored[0].numbers))
    if failures := {one.release: one.reason for one in stored if one.action == "failed"}:
        handle_failures(turn, failures)
    return tuple(turn.made)

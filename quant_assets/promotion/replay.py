"""Making the rules' decisions again from the evidence of each day, to compare with the stored ones.

The rules are in ``promotion.rules``; nothing is stored here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from quant_assets.promotion.decision_log import thresholds_from_json
from quant_assets.promotion.failures import handle_failures
from quant_assets.promotion.promotion_state import RULES, Decision, PromotionState, fold_decisions
from quant_assets.promotion.rules import Evidence, decide_day


@dataclass(frozen=True)
class ReplayedDay:
    """The rules' decisions of one day, as stored and as replayed.

    Attributes:
        day: the day.
        stored: the stored decisions.
        replayed: the decisions that the rules make from the evidence.
    """

    day: date
    stored: tuple[Decision, ...]
    replayed: tuple[Decision, ...]

    @property
    def agrees(self) -> bool:
        """Whether stored and replayed decisions are equal, figures and reasons included."""
        return self.stored == self.replayed


def replay_decisions(
    decisions: Sequence[Decision], evidence_of: Callable[[date], Evidence]
) -> list[ReplayedDay]:
    """Make the rules' decisions of every day again, with the thresholds recorded with them.

    Args:
        decisions: all stored decisions, in order. Decisions of people, and those that a release
            failed to forecast, are taken from the store and not replayed.
        evidence_of: returns what was known at the close of a day.

    Returns:
        One entry for each day with a decision of the rules, in order.
    """
    days, state = [], PromotionState()
    for day, of_day in groupby(decisions, key=lambda decision: decision.trading_day):
        stored = list(of_day)
        state = fold_decisions((row for row in stored if row.made_by != RULES), state)
        by_rules = tuple(row for row in stored if row.made_by == RULES)
        if by_rules:
            replayed = _replay_day(state, by_rules, evidence_of(day))
            days.append(ReplayedDay(day, by_rules, replayed))
        state = fold_decisions(by_rules, state)
    return days


def _replay_day(
    state: PromotionState, stored: Sequence[Decision], evidence: Evidence
) -> tuple[Decision, ...]:
    day_decisions = decide_day(state, evidence, thresholds_from_json(stored[0].numbers))
    failures = {row.release: row.reason for row in stored if row.action == "failed"}
    if failures:
        handle_failures(day_decisions, failures)
    return tuple(day_decisions.decisions)

"""The decisions of one day while they are made: each with its figures, reason and maker.

Which decisions are made belongs in ``promotion.rules`` and ``promotion.manual_decisions``.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import (
    FIRST_RULES_SEQUENCE,
    REFUSED,
    RULES,
    Action,
    Decision,
    PromotionState,
    apply_decision,
    name_stage,
)


@dataclass
class DayDecisions:
    """The decisions made for one day so far, and the state after them.

    Attributes:
        day: first day on which the decisions are in force.
        state: the state after the decisions so far.
        thresholds: recorded with every decision.
        decisions: the decisions so far, in order.
        made_by: who decides.
        first_sequence: sequence number of the first decision.
    """

    day: date
    state: PromotionState
    thresholds: Thresholds
    decisions: list[Decision] = field(default_factory=list)
    made_by: str = RULES
    first_sequence: int = FIRST_RULES_SEQUENCE

    def decide(
        self,
        action: Action,
        release: str,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        *,
        share: float = 0.0,
        champion: str | None = None,
        refused: bool = False,
    ) -> None:
        """Add a decision and apply it to the state.

        Args:
            action: what the decision does.
            release: the release that the decision is about.
            reason: why, in words.
            figures: the numbers that the decision rests on.
            share: the challenger's share of the submitted forecast after the decision.
            champion: the release that becomes champion, if the decision makes one.
            refused: whether the release is never considered again.
        """
        stage_before, share_before = self.state.stage(release), self.state.share_of(release)
        draft = Decision(
            self.day,
            self.first_sequence + len(self.decisions),
            action,
            release,
            champion or self.state.champion,
            stage_before,
            stage_before,
            share_before,
            share,
            figures_to_json(figures or {}, self.thresholds),
            reason,
            self.made_by,
        )
        self.state = apply_decision(self.state, draft)
        stage_after = name_stage(1.0) if action == "promoted" else self.state.stage(release)
        self.decisions.append(
            replace(
                draft,
                champion=self.state.champion,
                stage_after=REFUSED if refused else stage_after,
                share_after=self.state.share_of(release),
            )
        )


def figures_to_json(figures: Mapping[str, Any], thresholds: Thresholds) -> str:
    """Write figures and thresholds as JSON; NaN becomes null and infinity a string."""
    values = {name: _to_json_value(value) for name, value in figures.items()}
    return json.dumps({**values, "thresholds": asdict(thresholds)}, sort_keys=True)


def thresholds_from_json(numbers: str) -> Thresholds:
    """Read the thresholds that :func:`figures_to_json` wrote."""
    stored = json.loads(numbers)["thresholds"]
    return Thresholds(**{**stored, "shares": tuple(stored["shares"])})


def _to_json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value

"""The decisions of one day as they are made: each with its figures, its reason and who made it.

Which ones are made belongs in ``promotion.rules`` and ``promotion.by_hand``.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import (
    FIRST_OF_RULES,
    REFUSED,
    RULES,
    Decision,
    PromotionState,
    apply_decision,
    name_stage,
)


@dataclass
class DayDecisions:
    """The decisions of one day as they are made, and what they leave.

    Attributes:
        day: the day.
        state: what is in force after the decisions so far.
        limits: recorded with every decision.
        made: the decisions.
        made_by: who decides.
        first: number of the first decision.
    """

    day: date
    state: PromotionState
    limits: Thresholds
    made: list[Decision] = field(default_factory=list)
    made_by: str = RULES
    first: int = FIRST_OF_RULES

    def decide(
        self,
        action: str,
        release: str,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        *,
        share: float = 0.0,
        champion: str | None = None,
        refused: bool = False,
    ) -> None:
        """Add a decision and bring it into force.

        Args:
            action: what is done, one of those that ``promotion.state`` knows.
            release: the release concerned.
            reason: in words.
            figures: it rests on.
            share: that a challenger gets.
            champion: whom the decision makes champion, where it does.
            refused: whether the release is out for good.
        """
        before, was = self.state.stage(release), self.state.share_of(release)
        draft = Decision(
            self.day,
            self.first + len(self.made),
            action,
            release,
            champion or self.state.champion,
            before,
            before,
            was,
            share,
            figures_to_json(figures or {}, self.limits),
            reason,
            self.made_by,
        )
        after = apply_decision(self.state, draft)
        stage = name_stage(1.0) if action == "promoted" else after.stage(release)
        self.state = after
        self.made.append(
            replace(
                draft,
                champion=after.champion,
                stage_after=REFUSED if refused else stage,
                share_after=after.share_of(release),
            )
        )


def figures_to_json(figures: Mapping[str, Any], limits: Thresholds) -> str:
    """Figures and thresholds as JSON; what is no number there is null."""
    given = {name: _plain(value) for name, value in figures.items()}
    return json.dumps({**given, "thresholds": asdict(limits)}, sort_keys=True)


def thresholds_from_json(numbers: str) -> Thresholds:
    """The thresholds of :func:`figures_to_json`."""
    given = json.loads(numbers)["thresholds"]
    return Thresholds(**{**given, "shares": tuple(given["shares"])})


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value

"""A history of days on which releases have given ICs, and the rules decide about them.

Labels are known five trading days after a forecast, as in the platform.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.promotion.failures import forecast_releases
from quant_assets.promotion.gates import Thresholds, TrackRecord
from quant_assets.promotion.promotion_state import (
    Decision,
    PromotionState,
    apply_decision,
    fold_decisions,
)
from quant_assets.promotion.replay import ReplayedDay, replay_decisions
from quant_assets.promotion.rules import Evidence, decide_day

DAYS = trading_days(date(2022, 1, 3), date(2023, 12, 29))
DELAY = 5
FIRST_RELEASE = 300
"""Row after which the first release takes part."""


def noise(seed: int, mean: float = 0.0, scale: float = 0.05) -> FloatArray:
    """Draw normal daily ICs for every day of the history."""
    return mean + np.random.default_rng(seed).normal(0, scale, len(DAYS))


@dataclass
class PromotionHistory:
    """Releases by name with the ICs they would have on every day.

    Attributes:
        ics: daily ICs of each release, as long as the history.
        made: row of the day after which each release takes part.
        thresholds: of the rules.
        broken: releases, and rows of the days on which they cannot forecast.
        missing_records: releases without a walk-forward, and why.
        by_hand: decisions of people.
        decisions: all decisions so far.
        forecast_rows: rows of the days on which each release forecast.
        submitted: IC of the submitted forecast, by row of the day.
    """

    ics: dict[str, FloatArray]
    made: dict[str, int]
    thresholds: Thresholds = field(default_factory=Thresholds)
    broken: set[tuple[str, int]] = field(default_factory=set)
    missing_records: dict[str, str] = field(default_factory=dict)
    by_hand: list[Decision] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    forecast_rows: dict[str, list[int]] = field(default_factory=dict)
    submitted: dict[int, float] = field(default_factory=dict)

    def run(self, until: int, start: int = FIRST_RELEASE + 1) -> "PromotionHistory":
        """Decide the days from row ``start`` to the row before ``until``."""
        state = fold_decisions(self.decisions)
        for row in range(start, until):
            state = self.step(row, state)
        return self

    def step(self, row: int, state: PromotionState) -> PromotionState:
        for decision in self.by_hand:
            if decision.trading_day == DAYS[row].item():
                state = apply_decision(state, decision)
                self.decisions.append(decision)
        day_decisions = decide_day(state, self.evidence(row), self.thresholds)
        forecasts, _ = forecast_releases(
            day_decisions, lambda name: "broken" if (name, row) in self.broken else row
        )
        for name in forecasts:
            self.forecast_rows.setdefault(name, []).append(row)
        self.decisions += day_decisions.decisions
        state = day_decisions.state
        if state.champion:
            mixed = self.ics[state.challenger][row] if state.challenger else 0.0
            alone = self.ics[state.champion][row]
            self.submitted[row] = (1 - state.share) * alone + state.share * mixed
        return state

    def evidence(self, row: int) -> Evidence:
        """Collect what is known at the close of a day."""
        judged = row - DELAY
        live = {
            name: TrackRecord(DAYS[rows], self.ics[name][rows])
            for name, of_release in self.forecast_rows.items()
            if (rows := [x for x in of_release if x <= judged])
        }
        merged = {}
        for name, made in self.made.items():
            if name not in self.missing_records and made < row:
                walked = np.arange(made - DELAY - 250, made - DELAY + 1)
                rows = np.union1d(
                    walked, [x for x in self.forecast_rows.get(name, []) if x <= judged]
                ).astype(int)
                merged[name] = TrackRecord(DAYS[rows], self.ics[name][rows])
        submitted = [x for x in self.submitted if x <= judged]
        return Evidence(
            DAYS[row].item(),
            DAYS[: row + 1],
            tuple(sorted((x for x, made in self.made.items() if made < row), key=self.made.get)),  # type: ignore[arg-type]
            live,
            merged,
            self.missing_records,
            TrackRecord(DAYS[submitted], np.array([self.submitted[x] for x in submitted])),
        )

    def actions(self, release: str = "") -> list[str]:
        """List the actions about one release, or about all of them, in order."""
        return [x.action for x in self.decisions if release in ("", x.release)]

    def shares(self, release: str) -> list[float]:
        """List the shares after each decision about a release, in order."""
        return [x.share_after for x in self.decisions if x.release == release]

    def replay(self) -> list[ReplayedDay]:
        rows = {day: row for row, day in enumerate(DAYS.tolist())}
        return replay_decisions(self.decisions, lambda day: self.evidence(rows[day]))

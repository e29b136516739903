"""A history of days on which releases have given ICs, decided by the rules alone.

Labels are released five trading days after a forecast, as on the installation.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.promotion.gates import Thresholds, TrackRecord
from quant_assets.promotion.promotion_state import (
    Decision,
    PromotionState,
    apply_decision,
    fold_decisions,
)
from quant_assets.promotion.replay import ReplayedDay, replay_decisions
from quant_assets.promotion.rules import Evidence, decide_day, forecast_releases

DAYS = trading_days(date(2022, 1, 3), date(2023, 12, 29))
DELAY = 5
FIRST_RELEASE = 300
"""Row after which the first release takes part."""


def noise(seed: int, mean: float = 0.0, scale: float = 0.05) -> FloatArray:
    """Daily ICs for every day of the history."""
    return mean + np.random.default_rng(seed).normal(0, scale, len(DAYS))


@dataclass
class PromotionHistory:
    """Releases by name with the ICs they would have on every day.

    Attributes:
        ics: of each release, as long as the history.
        made: row of the day after which each takes part.
        limits: thresholds.
        broken: releases and rows of days on which they cannot forecast.
        unlike: releases without a walk-forward, and why.
        by_hand: further decisions.
    """

    ics: dict[str, FloatArray]
    made: dict[str, int]
    limits: Thresholds = field(default_factory=Thresholds)
    broken: set[tuple[str, int]] = field(default_factory=set)
    unlike: dict[str, str] = field(default_factory=dict)
    by_hand: list[Decision] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    forecast: dict[str, list[int]] = field(default_factory=dict)
    published: dict[int, float] = field(default_factory=dict)

    def run(self, until: int, start: int = FIRST_RELEASE + 1) -> "PromotionHistory":
        """Decide the days from one row to another, the last excluded."""
        state = fold_decisions(self.decided)
        for row in range(start, until):
            state = self.step(row, state)
        return self

    def step(self, row: int, state: PromotionState) -> PromotionState:
        for one in self.by_hand:
            if one.trading_day == DAYS[row].item():
                state = apply_decision(state, one)
                self.decided.append(one)
        turn = decide_day(state, self.known(row), self.limits)
        made, _ = forecast_releases(
            turn, lambda name: "broken" if (name, row) in self.broken else row
        )
        for name in made:
            self.forecast.setdefault(name, []).append(row)
        self.decided += turn.made
        champion, challenger = turn.state.champion, turn.state.challenger
        if champion:
            share = turn.state.share
            beside = self.ics[challenger][row] if challenger else 0.0
            self.published[row] = (1 - share) * self.ics[champion][row] + share * beside
        return turn.state

    def known(self, row: int) -> Evidence:
        """At the close of a day."""
        settled = row - DELAY
        live = {
            name: TrackRecord(DAYS[rows], self.ics[name][rows])
            for name, of_release in self.forecast.items()
            if (rows := [x for x in of_release if x <= settled])
        }
        merged = {}
        for name, made in self.made.items():
            if name not in self.unlike and made < row:
                walked = np.arange(made - DELAY - 250, made - DELAY + 1)
                rows = np.union1d(
                    walked, [x for x in self.forecast.get(name, []) if x <= settled]
                ).astype(int)
                merged[name] = TrackRecord(DAYS[rows], self.ics[name][rows])
        shown = [x for x in self.published if x <= settled]
        return Evidence(
            DAYS[row].item(),
            DAYS[: row + 1],
            tuple(sorted((x for x, made in self.made.items() if made < row), key=self.made.get)),  # type: ignore[arg-type]
            live,
            merged,
            self.unlike,
            TrackRecord(DAYS[shown], np.array([self.published[x] for x in shown])),
        )

    def actions(self, release: str = "") -> list[str]:
        """What was done, to one release or to all, in order."""
        return [one.action for one in self.decided if release in ("", one.release)]

    def shares(self, release: str) -> list[float]:
        """The shares a release took, in order."""
        return [one.share_after for one in self.decided if one.release == release]

    def replayed(self) -> list[ReplayedDay]:
        rows = {day: row for row, day in enumerate(DAYS.tolist())}
        return replay_decisions(self.decided, lambda day: self.known(rows[day]))

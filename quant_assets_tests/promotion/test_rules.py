"""Decisions of the rules: better releases are promoted by steps, worse and failing ones go."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.failures import forecast_releases
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import PromotionState, fold_decisions
from quant_assets_tests.support.promotion_history import (
    DAYS,
    DELAY,
    FIRST_RELEASE,
    PromotionHistory,
    noise,
)

OLD, NEW, NEWER = "2023-03-01-0000aa", "2023-04-03-0000bb", "2023-05-01-0000cc"
BASE = noise(0, 0.02)
BETTER = BASE + noise(1, 0.02, 0.01)
WORSE = BASE - noise(2, 0.02, 0.01)
STEPS = [0.1, 0.3, 0.5, 0.7, 1.0]


def history(new: np.ndarray = BETTER, **others: object) -> PromotionHistory:
    """A champion from the start, and a release twenty days later."""
    ics, made = {OLD: BASE, NEW: new}, {OLD: FIRST_RELEASE, NEW: FIRST_RELEASE + 20}
    return PromotionHistory(ics, made, **others)  # type: ignore[arg-type]


def promoted(**others: object) -> PromotionHistory:
    """A history up to the day on which the new release has become champion."""
    run = history(**others)
    row, state = FIRST_RELEASE + 1, fold_decisions([])
    while "promoted" not in run.actions():
        state = run.step(row, state)
        row += 1
    return run


def row_of(run: PromotionHistory, action: str) -> int:
    (day,) = [decision.trading_day for decision in run.decisions if decision.action == action]
    return int(np.searchsorted(DAYS, np.datetime64(day)))


def test_the_first_release_is_champion_at_once() -> None:
    run = history().run(FIRST_RELEASE + 2)
    (decision,) = run.decisions
    assert (decision.action, decision.champion, decision.share_after) == (
        "champion_by_default",
        OLD,
        1.0,
    )
    assert decision.trading_day == DAYS[FIRST_RELEASE + 1].item()


def test_a_better_release_gets_in_through_every_step() -> None:
    run = history().run(FIRST_RELEASE + 100)
    steps = ["challenge", *["step"] * 4, "promoted", "confirmed"]
    assert run.actions(NEW) == steps
    assert run.shares(NEW) == [0.0, *STEPS, 1.0]
    stages = [decision.stage_after for decision in run.decisions if decision.release == NEW]
    assert stages == ["shadow", "10 %", "30 %", "50 %", "70 %", "100 %", "champion"]
    assert fold_decisions(run.decisions).champion == NEW
    assert fold_decisions(run.decisions).last_good == OLD


def test_steps_last_as_long_as_the_thresholds_say() -> None:
    run = history().run(FIRST_RELEASE + 100)
    rows = [
        int(np.searchsorted(DAYS, np.datetime64(decision.trading_day)))
        for decision in run.decisions
    ]
    taken = [
        row for row, decision in zip(rows, run.decisions, strict=True) if decision.release == NEW
    ]
    # The shadow's five days are judged once the labels of the fifth are known.
    assert taken[1] - taken[0] == 4 + DELAY
    assert [b - a for a, b in pairwise(taken[1:6])] == [5] * 4


def test_until_a_challenger_has_passed_the_champion_alone_is_submitted() -> None:
    run = history().run(FIRST_RELEASE + 100)
    first = row_of(run, "challenge") + 4 + DELAY
    assert [run.submitted[row] for row in range(FIRST_RELEASE + 1, first)] == BASE[
        FIRST_RELEASE + 1 : first
    ].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_worse_release_is_refused(seed: int) -> None:
    run = history(BASE - noise(seed, 0.02, 0.01)).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["gates_refused"]
    assert run.decisions[-1].stage_after == "refused"


@pytest.mark.parametrize("seed", range(20))
def test_a_release_that_is_worse_live_never_gets_above_ten_percent(seed: int) -> None:
    """Better in its walk-forward, which the gates compare, and worse from then on."""
    live = np.arange(len(DAYS)) > FIRST_RELEASE + 20
    run = history(np.where(live, BASE - noise(seed, 0.03, 0.02), BETTER)).run(FIRST_RELEASE + 90)
    assert run.actions(NEW)[0] == "challenge"
    assert run.actions(NEW)[-1] in ("rejected", "rolled_back")
    assert max(run.shares(NEW)) <= 0.1
    assert fold_decisions(run.decisions).champion == OLD


def test_an_equal_release_is_refused() -> None:
    assert history(BASE).run(FIRST_RELEASE + 60).actions(NEW) == ["gates_refused"]


def test_the_same_recipe_again_is_refused_although_luckier() -> None:
    """Their walk-forwards are equal, so only the days since then could tell them apart."""
    lucky = BASE + np.where(np.arange(len(DAYS)) > FIRST_RELEASE, noise(5, 0.002, 0.02), 0.0)
    run = history(lucky).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["gates_refused"]


def test_a_better_release_that_is_less_stable_is_refused() -> None:
    mean = BETTER.mean()
    run = history(mean + 1.3 * (BETTER - mean) + 0.03).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["gates_refused"]
    assert "deviate more" in run.decisions[-1].reason


def test_a_short_reference_window_refuses() -> None:
    thresholds = Thresholds(min_days=251)
    run = history(thresholds=thresholds).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["gates_refused"]
    assert "reference window is too short" in run.decisions[-1].reason
    assert json.loads(run.decisions[-1].numbers)["days"] < 251


def test_a_release_without_a_walk_forward_is_refused_with_the_reason() -> None:
    run = history(missing_records={NEW: "run walk_forward"}).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["gates_refused"]
    assert run.decisions[-1].reason == "run walk_forward"


def test_a_release_with_a_record_is_considered_before_newer_ones_without() -> None:
    run = three(BASE, 0)
    run.missing_records[NEWER] = "run walk_forward"
    run.run(FIRST_RELEASE + 22)
    assert run.actions(NEWER) == ["gates_refused"]
    assert run.actions(NEW) == ["challenge"]
    assert all(day.agrees for day in run.replay())


def test_a_champion_that_falls_behind_is_rolled_back() -> None:
    row = row_of(promoted(), "promoted")
    turned = np.where(np.arange(len(DAYS)) >= row - 3, BASE - noise(3, 0.06, 0.01), BETTER)
    run = history(turned).run(row + 40)
    assert run.actions(NEW)[-2:] == ["promoted", "rolled_back"]
    assert fold_decisions(run.decisions).champion == OLD
    figures = json.loads(run.decisions[-1].numbers)
    assert figures["published_score"] < 0.8 * figures["champion_score"]
    assert figures["days"] >= 10
    after = row_of(run, "rolled_back")
    assert run.submitted[after] == BASE[after]


def test_rolling_back_waits_for_enough_judged_days() -> None:
    row = row_of(promoted(), "promoted")
    turned = np.where(np.arange(len(DAYS)) >= row - 3, BASE - noise(3, 0.06, 0.01), BETTER)
    patient = history(turned, thresholds=Thresholds(judged_days=40, probation_days=40))
    assert "rolled_back" not in patient.run(row + 15).actions()


def test_a_challenger_that_fails_to_forecast_goes() -> None:
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge")
    run = history(broken={(NEW, row + 2)}).run(FIRST_RELEASE + 60)
    assert run.actions(NEW) == ["challenge", "failed", "rejected"]
    shared = row_of(promoted(), "promoted") - 3
    run = history(broken={(NEW, shared)}).run(FIRST_RELEASE + 100)
    assert run.actions(NEW)[-2:] == ["failed", "rolled_back"]
    assert fold_decisions(run.decisions).champion == OLD


def test_a_champion_that_fails_is_replaced_by_the_last_good_one() -> None:
    row = row_of(promoted(), "promoted") + 3
    run = history(broken={(NEW, row)}).run(row + 1)
    assert run.actions()[-2:] == ["failed", "rolled_back"]
    assert fold_decisions(run.decisions).champion == OLD
    assert row in run.forecast_rows[OLD]


def test_a_champion_without_a_predecessor_stays_and_the_day_falls_back() -> None:
    run = history(broken={(OLD, FIRST_RELEASE + 5)}).run(FIRST_RELEASE + 7)
    assert run.actions() == ["champion_by_default", "failed", "fallback"]
    assert fold_decisions(run.decisions).champion == OLD
    assert FIRST_RELEASE + 6 in run.forecast_rows[OLD]


def test_a_champion_without_a_predecessor_that_fails_is_replaced_by_its_challenger() -> None:
    """Otherwise the challenger could never be compared with it again."""
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge") + 2
    run = history(broken={(OLD, x) for x in range(row, row + 20)}).run(row + 20)
    assert run.actions()[-5:] == ["failed", "promoted", "failed", "dismissed", "confirmed"]
    assert fold_decisions(run.decisions).champion == NEW
    assert run.submitted[row] == BETTER[row]
    assert all(day.agrees for day in run.replay())


def test_a_failure_of_all_releases_removes_none() -> None:
    row = row_of(promoted(), "promoted") + 3
    run = history(broken={(NEW, row), (OLD, row)}).run(row + 2)
    assert run.actions()[-3:] == ["failed", "failed", "fallback"]
    after = fold_decisions(run.decisions)
    assert (after.champion, after.earlier_champions) == (NEW, (OLD,))
    assert row + 1 in run.forecast_rows[NEW]
    assert all(day.agrees for day in run.replay())


def test_a_rollback_skips_earlier_champions_that_cannot_forecast() -> None:
    state = PromotionState(NEWER, (OLD, NEW))
    day_decisions = DayDecisions(DAYS[FIRST_RELEASE].item(), state, Thresholds())
    forecasts, failures = forecast_releases(
        day_decisions, lambda name: "broken" if name in (NEW, NEWER) else 1
    )
    assert (set(forecasts), list(failures)) == ({OLD}, [NEWER, NEW])
    actions = [decision.action for decision in day_decisions.decisions]
    assert actions == ["failed", "failed", "rolled_back"]
    assert (day_decisions.state.champion, day_decisions.state.earlier_champions) == (OLD, ())


def test_a_challenger_stays_when_the_champion_fails_too() -> None:
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge") + 2
    run = history(broken={(NEW, row), (OLD, row)}).run(row + 1)
    assert run.actions()[-3:] == ["failed", "failed", "fallback"]
    assert fold_decisions(run.decisions).challenger == NEW


def test_a_predecessor_that_cannot_forecast_is_dismissed() -> None:
    """Its successor is confirmed for that reason, and not for having kept up with it."""
    row = row_of(promoted(), "promoted") + 3
    run = history(broken={(OLD, row)}).run(row + 3)
    assert run.actions()[-3:] == ["failed", "dismissed", "confirmed"]
    assert "no champion before it" in run.decisions[-1].reason
    after = fold_decisions(run.decisions)
    assert (after.champion, after.earlier_champions) == (NEW, ())
    assert all(day.agrees for day in run.replay())


def three(newer: np.ndarray, after: int) -> PromotionHistory:
    run = history()
    return replace(
        run, ics={**run.ics, NEWER: newer}, made={**run.made, NEWER: FIRST_RELEASE + 20 + after}
    )


@pytest.mark.parametrize("newer", [BETTER + 0.01, WORSE], ids=["better", "worse"])
def test_in_shadow_a_newer_release_waits(newer: np.ndarray) -> None:
    """Otherwise a platform that retrains each week would never see the end of a shadow."""
    run = three(newer, 3).run(FIRST_RELEASE + 40)
    assert run.actions(NEW)[:2] == ["challenge", "step"]
    assert run.actions(NEWER) == []


def test_a_challenger_that_is_behind_stays_at_its_first_share() -> None:
    """It is not so far behind that it is dropped."""
    behind = np.where(np.arange(len(BETTER)) <= FIRST_RELEASE + 20, BETTER, BASE - 0.0005)
    run = history(behind).run(FIRST_RELEASE + 120)
    assert run.actions(NEW) == ["challenge", "step"]
    assert fold_decisions(run.decisions).share == 0.1


def test_from_ten_percent_on_a_newer_release_waits() -> None:
    run = three(BETTER + 0.02, 15).run(FIRST_RELEASE + 120)
    assert run.actions(NEW)[-1] == "confirmed"
    first = next(decision for decision in run.decisions if decision.release == NEWER)
    confirmed = next(decision for decision in run.decisions if decision.action == "confirmed")
    assert first.trading_day == confirmed.trading_day
    assert first.action == "challenge"


def test_of_the_releases_that_waited_the_newest_is_considered() -> None:
    run = history()
    run.ics |= {"a": BETTER, "b": BETTER}
    run.made |= {"a": FIRST_RELEASE + 36, "b": FIRST_RELEASE + 41}
    run.run(FIRST_RELEASE + 120)
    assert run.actions("a") == ["superseded"]
    assert run.actions("b")[0] in ("challenge", "gates_refused")


def test_replaying_makes_the_same_decisions() -> None:
    row = row_of(promoted(), "promoted")
    for run in (
        history().run(FIRST_RELEASE + 100),
        history(WORSE).run(FIRST_RELEASE + 100),
        history(broken={(NEW, row + 3), (OLD, row + 5)}).run(FIRST_RELEASE + 100),
        three(BETTER + 0.02, 3).run(FIRST_RELEASE + 120),
    ):
        again = run.replay()
        assert all(day.agrees for day in again)
        assert sum(len(day.stored) for day in again) == len(run.decisions)


def test_replaying_notices_a_changed_record() -> None:
    run = history().run(FIRST_RELEASE + 100)
    run.ics[NEW] = WORSE
    assert not all(day.agrees for day in run.replay())


def test_decisions_do_not_depend_on_later_days() -> None:
    """Everything after a day is changed; the decisions up to it stay equal."""
    whole = history().run(FIRST_RELEASE + 100)
    for row in (FIRST_RELEASE + 21, FIRST_RELEASE + 35, FIRST_RELEASE + 70):
        later = np.arange(len(DAYS)) > row - DELAY
        changed = history(np.where(later, noise(9), BETTER))
        changed.ics[OLD] = np.where(later, noise(8), BASE)
        changed.run(FIRST_RELEASE + 100)
        until = DAYS[row].item()
        kept = [decision for decision in whole.decisions if decision.trading_day <= until]
        assert [decision for decision in changed.decisions if decision.trading_day <= until] == kept
        assert kept


def test_a_range_gives_the_decisions_of_its_days() -> None:
    whole = history().run(FIRST_RELEASE + 100)
    parts = history()
    for row in range(FIRST_RELEASE + 1, FIRST_RELEASE + 100):
        parts.run(row + 1, row)
    assert parts.decisions == whole.decisions

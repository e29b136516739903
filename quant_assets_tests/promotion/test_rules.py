"""What becomes of releases: better ones get in by steps, others do not, broken ones go."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import PromotionState, fold_decisions
from quant_assets.promotion.rules import forecast_releases
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
    found = history(**others)
    row, state = FIRST_RELEASE + 1, fold_decisions([])
    while "promoted" not in found.actions():
        state = found.step(row, state)
        row += 1
    return found


def row_of(found: PromotionHistory, action: str) -> int:
    (day,) = [one.trading_day for one in found.decided if one.action == action]
    return int(np.searchsorted(DAYS, np.datetime64(day)))


def test_the_first_release_is_champion_at_once() -> None:
    found = history().run(FIRST_RELEASE + 2)
    (one,) = found.decided
    assert (one.action, one.champion, one.share_after) == ("champion_by_default", OLD, 1.0)
    assert one.trading_day == DAYS[FIRST_RELEASE + 1].item()


def test_a_better_release_gets_in_through_every_step() -> None:
    found = history().run(FIRST_RELEASE + 100)
    steps = ["challenge", *["step"] * 4, "promoted", "confirmed"]
    assert found.actions(NEW) == steps
    assert found.shares(NEW) == [0.0, *STEPS, 1.0]
    stages = [one.stage_after for one in found.decided if one.release == NEW]
    assert stages == ["shadow", "10 %", "30 %", "50 %", "70 %", "100 %", "champion"]
    assert fold_decisions(found.decided).champion == NEW
    assert fold_decisions(found.decided).last_good == OLD


def test_steps_last_as_long_as_they_are_said_to() -> None:
    found = history().run(FIRST_RELEASE + 100)
    rows = [int(np.searchsorted(DAYS, np.datetime64(one.trading_day))) for one in found.decided]
    taken = [row for row, one in zip(rows, found.decided, strict=True) if one.release == NEW]
    # The shadow's five days are judged once the labels of the last of them are released.
    assert taken[1] - taken[0] == 4 + DELAY
    assert [b - a for a, b in pairwise(taken[1:6])] == [5] * 4


def test_until_a_challenger_has_passed_the_champion_alone_is_published() -> None:
    found = history().run(FIRST_RELEASE + 100)
    first = row_of(found, "challenge") + 4 + DELAY
    assert [found.published[row] for row in range(FIRST_RELEASE + 1, first)] == BASE[
        FIRST_RELEASE + 1 : first
    ].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_worse_release_is_refused(seed: int) -> None:
    found = history(BASE - noise(seed, 0.02, 0.01)).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["gates_refused"]
    assert found.decided[-1].stage_after == "refused"


@pytest.mark.parametrize("seed", range(20))
def test_one_that_is_worse_live_never_gets_above_ten_percent(seed: int) -> None:
    """Better in its walk-forward, which is what gates see, and worse from then on."""
    live = np.arange(len(DAYS)) > FIRST_RELEASE + 20
    found = history(np.where(live, BASE - noise(seed, 0.03, 0.02), BETTER)).run(FIRST_RELEASE + 90)
    assert found.actions(NEW)[0] == "challenge"
    assert found.actions(NEW)[-1] in ("rejected", "rolled_back")
    assert max(found.shares(NEW)) <= 0.1
    assert fold_decisions(found.decided).champion == OLD


def test_an_equal_release_is_refused() -> None:
    assert history(BASE).run(FIRST_RELEASE + 60).actions(NEW) == ["gates_refused"]


def test_the_same_recipe_again_is_refused_although_luckier() -> None:
    """Walk-forwards that are the same: only days since then could tell them apart."""
    lucky = BASE + np.where(np.arange(len(DAYS)) > FIRST_RELEASE, noise(5, 0.002, 0.02), 0.0)
    found = history(lucky).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["gates_refused"]


def test_a_better_one_that_is_less_stable_is_refused() -> None:
    mean = BETTER.mean()
    found = history(mean + 1.3 * (BETTER - mean) + 0.03).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["gates_refused"]
    assert "deviate more" in found.decided[-1].reason


def test_a_short_reference_window_refuses() -> None:
    limits = Thresholds(min_days=251)
    found = history(limits=limits).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["gates_refused"]
    assert "reference window is too short" in found.decided[-1].reason
    assert json.loads(found.decided[-1].numbers)["days"] < 251


def test_a_release_without_a_walk_forward_is_refused_with_the_reason() -> None:
    found = history(unlike={NEW: "run walk_forward"}).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["gates_refused"]
    assert found.decided[-1].reason == "run walk_forward"


def test_a_release_with_a_record_is_considered_before_newer_ones_without() -> None:
    found = three(BASE, 0)
    found.unlike[NEWER] = "run walk_forward"
    found.run(FIRST_RELEASE + 22)
    assert found.actions(NEWER) == ["gates_refused"]
    assert found.actions(NEW) == ["challenge"]
    assert all(one.agrees for one in found.replayed())


def test_a_champion_that_falls_behind_is_rolled_back() -> None:
    begun = promoted()
    row = row_of(begun, "promoted")
    turned = np.where(np.arange(len(DAYS)) >= row - 3, BASE - noise(3, 0.06, 0.01), BETTER)
    found = history(turned).run(row + 40)
    assert found.actions(NEW)[-2:] == ["promoted", "rolled_back"]
    assert fold_decisions(found.decided).champion == OLD
    figures = json.loads(found.decided[-1].numbers)
    assert figures["published_score"] < 0.8 * figures["champion_score"]
    assert figures["days"] >= 10
    after = row_of(found, "rolled_back")
    assert found.published[after] == BASE[after]


def test_rolling_back_waits_for_enough_judged_days() -> None:
    begun = promoted()
    row = row_of(begun, "promoted")
    turned = np.where(np.arange(len(DAYS)) >= row - 3, BASE - noise(3, 0.06, 0.01), BETTER)
    patient = history(turned, limits=Thresholds(judged_days=40, probation_days=40))
    assert "rolled_back" not in patient.run(row + 15).actions()


def test_a_challenger_that_fails_to_forecast_goes() -> None:
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge")
    found = history(broken={(NEW, row + 2)}).run(FIRST_RELEASE + 60)
    assert found.actions(NEW) == ["challenge", "failed", "rejected"]
    shared = row_of(promoted(), "promoted") - 3
    found = history(broken={(NEW, shared)}).run(FIRST_RELEASE + 100)
    assert found.actions(NEW)[-2:] == ["failed", "rolled_back"]
    assert fold_decisions(found.decided).champion == OLD


def test_a_champion_that_fails_makes_room_for_the_last_good_one() -> None:
    row = row_of(promoted(), "promoted") + 3
    found = history(broken={(NEW, row)}).run(row + 1)
    assert found.actions()[-2:] == ["failed", "rolled_back"]
    assert fold_decisions(found.decided).champion == OLD
    assert row in found.forecast[OLD]


def test_a_champion_without_a_predecessor_stays_and_the_day_falls_back() -> None:
    found = history(broken={(OLD, FIRST_RELEASE + 5)}).run(FIRST_RELEASE + 7)
    assert found.actions() == ["champion_by_default", "failed", "fallback"]
    assert fold_decisions(found.decided).champion == OLD
    assert FIRST_RELEASE + 6 in found.forecast[OLD]


def test_a_champion_without_a_predecessor_that_fails_makes_room_for_its_challenger() -> None:
    """Else the day of its failure would last: nothing could be compared with it any more."""
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge") + 2
    found = history(broken={(OLD, x) for x in range(row, row + 20)}).run(row + 20)
    assert found.actions()[-5:] == ["failed", "promoted", "failed", "dismissed", "confirmed"]
    assert fold_decisions(found.decided).champion == NEW
    assert found.published[row] == BETTER[row]
    assert all(one.agrees for one in found.replayed())


def test_what_all_lack_takes_nobody_out() -> None:
    row = row_of(promoted(), "promoted") + 3
    found = history(broken={(NEW, row), (OLD, row)}).run(row + 2)
    assert found.actions()[-3:] == ["failed", "failed", "fallback"]
    after = fold_decisions(found.decided)
    assert (after.champion, after.earlier) == (NEW, (OLD,))
    assert row + 1 in found.forecast[NEW]
    assert all(one.agrees for one in found.replayed())


def test_a_champion_goes_back_past_those_that_cannot_forecast_either() -> None:
    begun = PromotionState(NEWER, (OLD, NEW))
    turn = DayDecisions(DAYS[FIRST_RELEASE].item(), begun, Thresholds())
    made, failures = forecast_releases(turn, lambda name: "broken" if name in (NEW, NEWER) else 1)
    assert (set(made), list(failures)) == ({OLD}, [NEWER, NEW])
    assert [one.action for one in turn.made] == ["failed", "failed", "rolled_back"]
    assert (turn.state.champion, turn.state.earlier) == (OLD, ())


def test_a_challenger_stays_when_the_fault_is_everybodys() -> None:
    row = row_of(history().run(FIRST_RELEASE + 40), "challenge") + 2
    found = history(broken={(NEW, row), (OLD, row)}).run(row + 1)
    assert found.actions()[-3:] == ["failed", "failed", "fallback"]
    assert fold_decisions(found.decided).challenger == NEW


def test_a_predecessor_that_cannot_forecast_is_no_yardstick() -> None:
    """Its successor is confirmed with that said, and not for having kept up with it."""
    row = row_of(promoted(), "promoted") + 3
    found = history(broken={(OLD, row)}).run(row + 3)
    assert found.actions()[-3:] == ["failed", "dismissed", "confirmed"]
    assert "no champion before it" in found.decided[-1].reason
    assert (fold_decisions(found.decided).champion, fold_decisions(found.decided).earlier) == (
        NEW,
        (),
    )
    assert all(one.agrees for one in found.replayed())


def three(newer: np.ndarray, after: int) -> PromotionHistory:
    found = history()
    return replace(
        found,
        ics={**found.ics, NEWER: newer},
        made={**found.made, NEWER: FIRST_RELEASE + 20 + after},
    )


@pytest.mark.parametrize("newer", [BETTER + 0.01, WORSE], ids=["better", "worse"])
def test_in_shadow_a_newer_release_waits(newer: np.ndarray) -> None:
    """An installation that retrains each week would never see the end of a shadow else."""
    found = three(newer, 3).run(FIRST_RELEASE + 40)
    assert found.actions(NEW)[:2] == ["challenge", "step"]
    assert found.actions(NEWER) == []


def test_one_that_is_behind_stays_at_its_first_share() -> None:
    """Though it is not so far behind that it has to go."""
    behind = np.where(np.arange(len(BETTER)) <= FIRST_RELEASE + 20, BETTER, BASE - 0.0005)
    found = history(behind).run(FIRST_RELEASE + 120)
    assert found.actions(NEW) == ["challenge", "step"]
    assert fold_decisions(found.decided).share == 0.1


def test_from_ten_percent_on_a_newer_release_waits() -> None:
    found = three(BETTER + 0.02, 15).run(FIRST_RELEASE + 120)
    assert found.actions(NEW)[-1] == "confirmed"
    first = next(one for one in found.decided if one.release == NEWER)
    confirmed = next(one for one in found.decided if one.action == "confirmed")
    assert first.trading_day == confirmed.trading_day
    assert first.action == "challenge"


def test_of_those_that_waited_the_newest_is_considered() -> None:
    found = history()
    found.ics |= {"a": BETTER, "b": BETTER}
    found.made |= {"a": FIRST_RELEASE + 36, "b": FIRST_RELEASE + 41}
    found.run(FIRST_RELEASE + 120)
    assert found.actions("a") == ["superseded"]
    assert found.actions("b")[0] in ("challenge", "gates_refused")


def test_replaying_makes_the_same_decisions() -> None:
    row = row_of(promoted(), "promoted")
    for found in (
        history().run(FIRST_RELEASE + 100),
        history(WORSE).run(FIRST_RELEASE + 100),
        history(broken={(NEW, row + 3), (OLD, row + 5)}).run(FIRST_RELEASE + 100),
        three(BETTER + 0.02, 3).run(FIRST_RELEASE + 120),
    ):
        again = found.replayed()
        assert all(one.agrees for one in again)
        assert sum(len(one.stored) for one in again) == len(found.decided)


def test_replaying_notices_a_changed_record() -> None:
    found = history().run(FIRST_RELEASE + 100)
    found.ics[NEW] = WORSE
    assert not all(one.agrees for one in found.replayed())


def test_decisions_know_nothing_later() -> None:
    """Everything after a day changed: what was decided up to then stays to the letter."""
    whole = history().run(FIRST_RELEASE + 100)
    for row in (FIRST_RELEASE + 21, FIRST_RELEASE + 35, FIRST_RELEASE + 70):
        later = np.arange(len(DAYS)) > row - DELAY
        changed = history(np.where(later, noise(9), BETTER))
        changed.ics[OLD] = np.where(later, noise(8), BASE)
        changed.run(FIRST_RELEASE + 100)
        until = DAYS[row].item()
        kept = [one for one in whole.decided if one.trading_day <= until]
        assert [one for one in changed.decided if one.trading_day <= until] == kept
        assert kept


def test_a_range_is_its_days() -> None:
    whole = history().run(FIRST_RELEASE + 100)
    parts = history()
    for row in range(FIRST_RELEASE + 1, FIRST_RELEASE + 100):
        parts.run(row + 1, row)
    assert parts.decided == whole.decided

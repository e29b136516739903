"""When a further attempt is made, and when a retraining is admitted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.orchestration.run_requests.retry_policy import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    RETRIES,
    Attempt,
    Outcome,
    RetrainLimits,
    RetrainTrigger,
    Wait,
    admit_retraining,
    find_settled_triggers,
    measure_budget,
    next_attempt,
    retry_pause,
)

NOW = datetime(2023, 12, 29, 23, tzinfo=UTC)
LIMITS = RetrainLimits(budget=120, interval=timedelta(hours=20))
DRIFT = RetrainTrigger("drift/2023-12-27", "drift", "half of it")
URGENT = RetrainTrigger("performance/2023-12-27", "performance", "it fell", urgent=True)


def make_attempt(
    hours_ago: float,
    outcome: Outcome = "failed",
    trigger: str = DRIFT.id,
    minutes: float = 1.0,
    number: int = 1,
) -> Attempt:
    return Attempt(trigger, "drift", NOW - timedelta(hours=hours_ago), minutes, outcome, number, "")


def reason(decision: int | Wait) -> str:
    assert isinstance(decision, Wait)
    return decision.reason


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    minutes = [retry_pause(n) / timedelta(minutes=1) for n in range(1, 8)]
    assert minutes == [5, 10, 20, 40, 80, 120, 120]
    assert retry_pause(10_000) == LONGEST_PAUSE


@given(st.integers(1, 12), st.integers(0, 200))
def test_the_next_attempt_is_made_when_its_pause_is_over(count: int, minutes: int) -> None:
    attempts = [make_attempt(24)] * (count - 1) + [make_attempt(minutes / 60, number=count)]
    decision = next_attempt(attempts, NOW)
    if timedelta(minutes=minutes) >= retry_pause(count):
        assert decision == count + 1
    else:
        assert "the next is due" in reason(decision)


def test_the_first_attempt_is_made_at_once_and_none_beside_another() -> None:
    assert next_attempt([], NOW) == 1
    assert (
        reason(next_attempt([make_attempt(9), make_attempt(5, "under way", number=2)], NOW))
        == "attempt 2 is under way"
    )


def test_what_failed_too_often_is_given_up() -> None:
    decision = next_attempt([make_attempt(n) for n in (9, 8, 7)], NOW, most=3)
    assert isinstance(decision, Wait)
    assert decision.given_up
    assert next_attempt([make_attempt(9), make_attempt(8, number=2)], NOW, most=3) == 3


@pytest.mark.parametrize("numbers", [[2], [3, 2, 2], range(17, 217)])
def test_no_number_is_given_twice_though_attempts_are_not_all_there(
    numbers: Sequence[int],
) -> None:
    attempts = [make_attempt(24, number=n) for n in numbers]
    assert next_attempt(attempts, NOW) == max(numbers) + 1


def test_a_clock_that_went_back_is_not_waited_for() -> None:
    """The attempts seem to lie in the future: a year off, nobody would ever try again."""
    assert next_attempt([make_attempt(-24 * 365)], NOW) == 2
    future = make_attempt(-24 * 365, "succeeded", "weekly/2024-12-27", minutes=500)
    assert admit_retraining(DRIFT, NOW, [future], LIMITS) == 1


def test_a_trigger_is_retrained_for_once() -> None:
    assert admit_retraining(DRIFT, NOW, [], LIMITS) == 1
    assert reason(admit_retraining(DRIFT, NOW, [make_attempt(48, "succeeded")], LIMITS)) == (
        "models were already retrained for this trigger"
    )
    assert "already" in reason(admit_retraining(DRIFT, NOW, [], LIMITS, handled=[DRIFT.id]))


def test_retrainings_do_not_stack_whatever_they_are_for() -> None:
    other = make_attempt(48, "under way", "weekly/2023-12-22")
    assert reason(admit_retraining(DRIFT, NOW, [other], LIMITS)) == "a retraining is under way"


def test_a_failed_retraining_is_tried_again_four_times() -> None:
    past: list[Attempt] = []
    for attempt in range(1, 2 + RETRIES):
        assert admit_retraining(DRIFT, NOW, past, LIMITS) == attempt
        past.append(make_attempt(3, number=attempt))
    assert "no further attempt is made" in reason(admit_retraining(DRIFT, NOW, past, LIMITS))
    assert find_settled_triggers(past) == [DRIFT.id]
    assert find_settled_triggers(past[1:]) == []
    assert "next is due at" in reason(admit_retraining(DRIFT, NOW, [make_attempt(0.05)], LIMITS))


@pytest.mark.parametrize(
    ("trigger", "hours", "admitted"),
    [(DRIFT, 19.9, False), (DRIFT, 20, True), (URGENT, 3.9, False), (URGENT, 4, True)],
)
def test_an_interval_is_kept_and_an_urgent_cause_waits_less(
    trigger: RetrainTrigger, hours: float, admitted: bool
) -> None:
    decision = admit_retraining(
        trigger, NOW, [make_attempt(hours, "succeeded", "weekly/2023-12-22")], LIMITS
    )
    if admitted:
        assert decision == 1
    else:
        assert "the next retraining may begin at" in reason(decision)


def test_an_interval_that_is_short_is_short_for_urgent_causes_as_well() -> None:
    past = [make_attempt(1, "succeeded", "weekly/2023-12-22")]
    assert admit_retraining(URGENT, NOW, past, RetrainLimits(120, timedelta(hours=1))) == 1


def test_a_retry_waits_for_its_pause_and_not_for_the_interval() -> None:
    past = [make_attempt(1.5, "succeeded", "weekly/2023-12-22"), make_attempt(1)]
    assert admit_retraining(DRIFT, NOW, past, LIMITS) == 2


@pytest.mark.parametrize("trigger", [DRIFT, replace(DRIFT, urgent=True)])
def test_a_retry_waits_for_the_interval_after_a_retraining_that_came_meanwhile(
    trigger: RetrainTrigger,
) -> None:
    past = [make_attempt(1), make_attempt(0.1, "succeeded", "weekly/2023-12-22")]
    assert "may begin at" in reason(admit_retraining(trigger, NOW, past, LIMITS))
    assert admit_retraining(trigger, NOW + LIMITS.interval, past, LIMITS) == 2


def test_the_time_a_machine_was_down_is_not_spent() -> None:
    weekly = make_attempt(90, "succeeded", "weekly/2023-12-22", minutes=30)
    assert admit_retraining(DRIFT, NOW, [weekly, make_attempt(4, minutes=180)], LIMITS) == 2
    twice = [weekly, make_attempt(4, minutes=180), make_attempt(3, minutes=180)]
    assert "60 of the 80 minutes" in reason(
        admit_retraining(DRIFT, NOW, twice, RetrainLimits(80, timedelta()))
    )


def test_a_budget_of_minutes_is_kept_over_24_hours() -> None:
    past = [make_attempt(23, minutes=50), make_attempt(2, minutes=40, number=2)]
    # Another 50 minutes would make 140.
    assert reason(admit_retraining(DRIFT, NOW, past, LIMITS)) == (
        "retraining took 90 of the 120 minutes allowed in 24 hours, and the next may take 50"
    )
    assert admit_retraining(DRIFT, NOW, past, RetrainLimits(140, timedelta())) == 3
    earlier = [make_attempt(24, minutes=50), make_attempt(2, minutes=40, number=2)]
    assert admit_retraining(DRIFT, NOW, earlier, LIMITS) == 3


def test_what_takes_longer_than_the_budget_is_still_done_once_a_day() -> None:
    assert admit_retraining(DRIFT, NOW, [make_attempt(25, "succeeded", "other", 500)], LIMITS) == 1
    assert "minutes allowed" in reason(
        admit_retraining(URGENT, NOW, [make_attempt(23, "succeeded", "other", 500)], LIMITS)
    )


@given(
    st.lists(st.tuples(st.integers(0, 30 * 60), st.integers(0, 200)), max_size=6),
    st.integers(1, 300),
)
def test_a_spent_budget_says_when_it_is_free_again(
    past: list[tuple[int, int]], allowed: int
) -> None:
    limits = RetrainLimits(allowed, timedelta())
    ordered = sorted(past, reverse=True)
    attempts = [make_attempt(ago / 60, minutes=took) for ago, took in ordered]
    free_at = measure_budget(NOW, attempts, limits).free_at
    if free_at is None:
        return
    assert NOW < free_at <= NOW + timedelta(hours=24)
    assert measure_budget(free_at, attempts, limits).free_at is None
    assert measure_budget(free_at - timedelta(seconds=1), attempts, limits).free_at == free_at


def test_causes_without_an_id_are_nobodys() -> None:
    """A retraining that a person asked for."""
    assert find_settled_triggers([make_attempt(3, "succeeded", "")]) == []
    assert retry_pause(1) == FIRST_PAUSE

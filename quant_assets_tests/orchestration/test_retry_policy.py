"""When something is asked for again, and when a retraining is admitted."""

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
    next_attempt,
    retry_pause,
    settled_triggers,
)

NOW = datetime(2023, 12, 29, 23, tzinfo=UTC)
LIMITS = RetrainLimits(budget=120, interval=timedelta(hours=20))
DRIFT = RetrainTrigger("drift/2023-12-27", "drift", "half of it")
URGENT = RetrainTrigger("performance/2023-12-27", "performance", "it fell", urgent=True)


def made(
    hours_ago: float,
    outcome: Outcome = "failed",
    cause: str = DRIFT.id,
    minutes: float = 1.0,
    number: int = 1,
) -> Attempt:
    return Attempt(cause, "drift", NOW - timedelta(hours=hours_ago), minutes, outcome, number, "")


def reason(answer: int | Wait) -> str:
    assert isinstance(answer, Wait)
    return answer.reason


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    minutes = [retry_pause(n) / timedelta(minutes=1) for n in range(1, 8)]
    assert minutes == [5, 10, 20, 40, 80, 120, 120]
    assert retry_pause(10_000) == LONGEST_PAUSE


@given(st.integers(1, 12), st.integers(0, 200))
def test_the_next_attempt_is_made_when_its_pause_is_over(count: int, minutes: int) -> None:
    attempts = [made(24)] * (count - 1) + [made(minutes / 60, number=count)]
    answer = next_attempt(attempts, NOW)
    if timedelta(minutes=minutes) >= retry_pause(count):
        assert answer == count + 1
    else:
        assert "the next is due" in reason(answer)


def test_the_first_attempt_is_made_at_once_and_none_beside_another() -> None:
    assert next_attempt([], NOW) == 1
    assert (
        reason(next_attempt([made(9), made(5, "under way", number=2)], NOW))
        == "attempt 2 is under way"
    )


def test_what_failed_too_often_is_given_up() -> None:
    answer = next_attempt([made(n) for n in (9, 8, 7)], NOW, most=3)
    assert isinstance(answer, Wait)
    assert answer.given_up
    assert next_attempt([made(9), made(8, number=2)], NOW, most=3) == 3


@pytest.mark.parametrize("numbers", [[2], [3, 2, 2], range(17, 217)])
def test_no_number_is_given_twice_though_attempts_are_not_all_there(
    numbers: Sequence[int],
) -> None:
    attempts = [made(24, number=n) for n in numbers]
    assert next_attempt(attempts, NOW) == max(numbers) + 1


def test_a_clock_that_went_back_is_not_waited_for() -> None:
    """The attempts seem to lie in the future: a year off, nobody would ever try again."""
    assert next_attempt([made(-24 * 365)], NOW) == 2
    future = made(-24 * 365, "succeeded", "weekly/2024-12-27", minutes=500)
    assert admit_retraining(DRIFT, NOW, [future], LIMITS) == 1


def test_a_cause_is_retrained_for_once() -> None:
    assert admit_retraining(DRIFT, NOW, [], LIMITS) == 1
    assert reason(admit_retraining(DRIFT, NOW, [made(48, "succeeded")], LIMITS)) == (
        "it was retrained for already"
    )
    assert "already" in reason(admit_retraining(DRIFT, NOW, [], LIMITS, handled=[DRIFT.id]))


def test_retrainings_do_not_stack_whatever_they_are_for() -> None:
    other = made(48, "under way", "weekly/2023-12-22")
    assert reason(admit_retraining(DRIFT, NOW, [other], LIMITS)) == "a retraining is under way"


def test_a_failed_retraining_is_tried_again_four_times() -> None:
    past: list[Attempt] = []
    for attempt in range(1, 2 + RETRIES):
        assert admit_retraining(DRIFT, NOW, past, LIMITS) == attempt
        past.append(made(3, number=attempt))
    assert "given up" in reason(admit_retraining(DRIFT, NOW, past, LIMITS))
    assert settled_triggers(past) == [DRIFT.id]
    assert settled_triggers(past[1:]) == []
    assert "next is due at" in reason(admit_retraining(DRIFT, NOW, [made(0.05)], LIMITS))


@pytest.mark.parametrize(
    ("cause", "hours", "admitted"),
    [(DRIFT, 19.9, False), (DRIFT, 20, True), (URGENT, 3.9, False), (URGENT, 4, True)],
)
def test_an_interval_is_kept_and_an_urgent_cause_waits_less(
    cause: RetrainTrigger, hours: float, admitted: bool
) -> None:
    answer = admit_retraining(cause, NOW, [made(hours, "succeeded", "weekly/2023-12-22")], LIMITS)
    if admitted:
        assert answer == 1
    else:
        assert "the next retraining may begin at" in reason(answer)


def test_an_interval_that_is_short_is_short_for_urgent_causes_as_well() -> None:
    past = [made(1, "succeeded", "weekly/2023-12-22")]
    assert admit_retraining(URGENT, NOW, past, RetrainLimits(120, timedelta(hours=1))) == 1


def test_a_retry_waits_for_its_pause_and_not_for_the_interval() -> None:
    past = [made(1.5, "succeeded", "weekly/2023-12-22"), made(1)]
    assert admit_retraining(DRIFT, NOW, past, LIMITS) == 2


@pytest.mark.parametrize("cause", [DRIFT, replace(DRIFT, urgent=True)])
def test_a_retry_waits_for_the_interval_after_a_retraining_that_came_meanwhile(
    cause: RetrainTrigger,
) -> None:
    past = [made(1), made(0.1, "succeeded", "weekly/2023-12-22")]
    assert "may begin at" in reason(admit_retraining(cause, NOW, past, LIMITS))
    assert admit_retraining(cause, NOW + LIMITS.interval, past, LIMITS) == 2


def test_the_time_a_machine_was_down_is_not_spent() -> None:
    weekly = made(90, "succeeded", "weekly/2023-12-22", minutes=30)
    assert admit_retraining(DRIFT, NOW, [weekly, made(4, minutes=180)], LIMITS) == 2
    twice = [weekly, made(4, minutes=180), made(3, minutes=180)]
    assert "60 of 80 minutes" in reason(
        admit_retraining(DRIFT, NOW, twice, RetrainLimits(80, timedelta()))
    )


def test_a_budget_of_minutes_is_kept_over_24_hours() -> None:
    past = [made(23, minutes=50), made(2, minutes=40, number=2)]
    # Another 50 minutes would make 140.
    assert reason(admit_retraining(DRIFT, NOW, past, LIMITS)) == (
        "90 of 120 minutes of the last 24 hours are spent, and a retraining takes 50"
    )
    assert admit_retraining(DRIFT, NOW, past, RetrainLimits(140, timedelta())) == 3
    earlier = [made(24, minutes=50), made(2, minutes=40, number=2)]
    assert admit_retraining(DRIFT, NOW, earlier, LIMITS) == 3


def test_what_takes_longer_than_the_budget_is_still_done_once_a_day() -> None:
    assert admit_retraining(DRIFT, NOW, [made(25, "succeeded", "other", 500)], LIMITS) == 1
    assert "spent" in reason(
        admit_retraining(URGENT, NOW, [made(23, "succeeded", "other", 500)], LIMITS)
    )


def test_causes_without_an_id_are_nobodys() -> None:
    """A retraining that a person asked for."""
    assert settled_triggers([made(3, "succeeded", "")]) == []
    assert retry_pause(1) == FIRST_PAUSE

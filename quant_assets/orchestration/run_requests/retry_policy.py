"""Decides whether a run may be requested now: after failed attempts, and for a retraining.

Pure functions of earlier attempts and the present moment. Triggers are found in
``orchestration.run_requests.retrain_triggers``; attempts are read in
``orchestration.run_requests.attempts``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Outcome = Literal["under way", "succeeded", "failed"]
Kind = Literal["weekly", "drift", "performance", "revision", "fits", "code"]
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
RETRIES = 4
BUDGET_PERIOD = timedelta(hours=24)
URGENT_INTERVAL = timedelta(hours=4)


@dataclass(frozen=True)
class Attempt:
    """A run that was requested.

    Attributes:
        trigger: id of the trigger, or ISO date of a daily job; empty if a person requested it.
        kind: kind of the trigger; empty if it has none.
        requested_at: when it was requested, by the clock of the schedule or sensor, UTC.
        minutes: how long it took, by the machine's clock; 0 while it is under way.
        outcome: whether it succeeded, failed or is under way.
        number: number of the attempt, from 1; 0 if a person requested it.
        run_id: id of the run.
    """

    trigger: str
    kind: str
    requested_at: datetime
    minutes: float
    outcome: Outcome
    number: int
    run_id: str


@dataclass(frozen=True)
class Wait:
    """The decision that no run is requested now.

    Attributes:
        reason: why not; people read it.
        given_up: whether no further attempt will be made.
    """

    reason: str
    given_up: bool = False


@dataclass(frozen=True)
class RetrainTrigger:
    """A reason to retrain.

    Attributes:
        id: stays the same as long as the trigger lasts.
        kind: kind of the trigger.
        reason: the reason that people read.
        urgent: whether the shorter interval after the last retraining is enough.
    """

    id: str
    kind: Kind
    reason: str
    urgent: bool = False


@dataclass(frozen=True)
class RetrainLimits:
    """Limits of retraining.

    Attributes:
        budget: minutes of computing in 24 hours.
        interval: shortest time between two retrainings.
    """

    budget: float
    interval: timedelta


@dataclass(frozen=True)
class Budget:
    """Minutes of retraining in the last 24 hours.

    Attributes:
        allowed: the most minutes.
        spent: minutes of the retrainings that were requested.
        expected: minutes that the next one may take: as long as the longest of them.
        free_at: when the next one would be within the limit; None if it is so now.
    """

    allowed: float
    spent: float
    expected: float
    free_at: datetime | None


def retry_pause(failures: int) -> timedelta:
    """The pause after a number of failures, at least one: it doubles up to the longest pause."""
    # From this power on the pause is the longest.
    doublings = min(failures - 1, 16)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))


def next_attempt(
    attempts: Sequence[Attempt], now: datetime, *, most: int | None = None
) -> int | Wait:
    """Decide whether a further attempt may be made now.

    Dagster launches no two runs with the same number, so a number is never used again. An attempt
    that succeeded counts as a failure too, because its trigger still holds.

    Args:
        attempts: earlier attempts for the same trigger or day, in the order of their requests. If
            the clock went back since the last request, there is no pause.
        now: the present moment, UTC.
        most: largest number of attempts; unlimited if None.

    Returns:
        The attempt's number, from 1, or why it has to wait.
    """
    count, last = len(attempts), max((attempt.number for attempt in attempts), default=0)
    if any(attempt.outcome == "under way" for attempt in attempts):
        return Wait(f"attempt {last} is under way")
    if most is not None and count >= most:
        return Wait(f"no further attempt is made after {count} attempts", given_up=True)
    if count:
        requested_at = attempts[-1].requested_at
        due = requested_at + retry_pause(count)
        if requested_at <= now < due:
            return Wait(f"attempt {last} did not help; the next is due at {_format_time(due)}")
    return last + 1


def admit_retraining(
    trigger: RetrainTrigger,
    now: datetime,
    past: Sequence[Attempt],
    limits: RetrainLimits,
    handled: Sequence[str] = (),
) -> int | Wait:
    """Decide whether models may be retrained now because of a trigger.

    Args:
        trigger: the reason to retrain.
        now: the present moment, UTC.
        past: all earlier retrainings, whatever their triggers, oldest first.
        limits: budget and interval.
        handled: ids of triggers that were handled before, even if their runs were deleted.

    Returns:
        The attempt's number, from 1, or why it has to wait.
    """
    own = [attempt for attempt in past if attempt.trigger == trigger.id]
    if trigger.id in handled or any(attempt.outcome == "succeeded" for attempt in own):
        return Wait("models were already retrained for this trigger")
    if any(attempt.outcome == "under way" for attempt in past):
        return Wait("a retraining is under way")
    number = next_attempt(own, now, most=1 + RETRIES)
    if isinstance(number, Wait):
        return number
    # A retry needs no interval, because the failed attempt made no fits. It needs the interval
    # if another retraining has succeeded since.
    since = past[past.index(own[-1]) + 1 :] if own else past
    needs_interval = not own or any(attempt.outcome == "succeeded" for attempt in since)
    if needs_interval and (due := _end_of_interval(trigger, now, past, limits)) > now:
        return Wait(f"the next retraining may begin at {_format_time(due)}")
    return _check_budget(now, past, limits) or number


def find_settled_triggers(past: Sequence[Attempt]) -> list[str]:
    """Find the triggers whose retraining succeeded, or whose attempts have all failed."""
    outcomes: dict[str, list[Outcome]] = {}
    for attempt in past:
        outcomes.setdefault(attempt.trigger, []).append(attempt.outcome)
    return [
        trigger
        for trigger, of_trigger in outcomes.items()
        if trigger and ("succeeded" in of_trigger or of_trigger.count("failed") > RETRIES)
    ]


def _end_of_interval(
    trigger: RetrainTrigger, now: datetime, past: Sequence[Attempt], limits: RetrainLimits
) -> datetime:
    """When the interval after the newest successful retraining ends; ``now`` without one."""
    interval = min(limits.interval, URGENT_INTERVAL) if trigger.urgent else limits.interval
    # Requests later than now were made before the clock went back.
    succeeded = [
        attempt.requested_at
        for attempt in past
        if attempt.outcome == "succeeded" and attempt.requested_at <= now
    ]
    return max(succeeded) + interval if succeeded else now


def measure_budget(now: datetime, past: Sequence[Attempt], limits: RetrainLimits) -> Budget:
    """Compare what retraining took in the last 24 hours with the limit.

    A retraining as long as the day's longest has to fit in; the first of 24 hours always does.

    Args:
        now: the present moment, UTC.
        past: all earlier retrainings, oldest first.
        limits: say how many minutes are allowed.
    """
    longest = max(
        (attempt.minutes for attempt in past if attempt.outcome == "succeeded"), default=math.inf
    )
    # After a crash of the machine Dagster closes a run hours later, so its minutes are limited.
    recent = sorted(
        (attempt.requested_at + BUDGET_PERIOD, min(attempt.minutes, longest))
        for attempt in past
        if now - BUDGET_PERIOD < attempt.requested_at <= now
    )
    minutes = [length for _, length in recent]
    # Before the k-th end of a period, the k-th and all later retrainings count.
    fitting = (
        k
        for k in range(len(recent) + 1)
        if k == len(recent) or sum(minutes[k:]) + max(minutes[k:]) <= limits.budget
    )
    first = next(fitting)
    free_at = recent[first - 1][0] if first else None
    return Budget(limits.budget, sum(minutes), max(minutes, default=0.0), free_at)


def _check_budget(now: datetime, past: Sequence[Attempt], limits: RetrainLimits) -> Wait | None:
    """Return None if a retraining as long as the day's longest stays within the budget."""
    budget = measure_budget(now, past, limits)
    if budget.free_at is None:
        return None
    return Wait(
        f"retraining took {budget.spent:.0f} of the {budget.allowed:.0f} minutes allowed in 24"
        f" hours, and the next may take {budget.expected:.0f}"
    )


def _format_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

"""When something may be asked for: after failures, and when a retraining is due.

Pure functions over records of earlier runs; every moment is given. Why a retraining is wanted is in
``orchestration.run_requests.retrain_triggers``, where the records come from in
``orchestration.run_requests.attempts``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Outcome = Literal["under way", "succeeded", "failed"]
Kind = Literal["weekly", "drift", "performance", "fits", "code"]
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
RETRIES = 4
BUDGET_OF = timedelta(hours=24)
URGENT_INTERVAL = timedelta(hours=4)


@dataclass(frozen=True)
class Attempt:
    """A run that was asked for.

    Attributes:
        cause: what it was asked for.
        kind: of the cause; empty if it has none.
        asked_at: by the clock of whoever asked, UTC.
        minutes: it took, by the machine's clock; 0 while it is under way.
        outcome: what became of it.
        number: it was asked for by, from 1; 0 if nothing gave it one.
        run: its id.
    """

    cause: str
    kind: str
    asked_at: datetime
    minutes: float
    outcome: Outcome
    number: int
    run: str


@dataclass(frozen=True)
class Wait:
    """Nothing is asked for now.

    Attributes:
        reason: why.
        given_up: whether waiting will not help.
    """

    reason: str
    given_up: bool = False


@dataclass(frozen=True)
class RetrainTrigger:
    """Why a retraining is wanted.

    Attributes:
        id: the same for as long as it is the same cause.
        kind: what sort of cause.
        reason: for people.
        urgent: whether it may come sooner after the retraining before.
    """

    id: str
    kind: Kind
    reason: str
    urgent: bool = False


@dataclass(frozen=True)
class RetrainLimits:
    """What retraining may take.

    Attributes:
        budget: minutes of computing in 24 hours.
        interval: least time from one retraining to the next.
    """

    budget: float
    interval: timedelta


def retry_pause(failures: int) -> timedelta:
    """How long to wait after so many failures, one or more: twice as long each time."""
    # Beyond this power it is the longest anyway.
    doublings = min(failures - 1, 16)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))


def next_attempt(
    attempts: Sequence[Attempt], now: datetime, *, most: int | None = None
) -> int | Wait:
    """The number of the attempt that may be made now, from 1: one that none was made by.

    Dagster launches nothing twice by one number, and earlier attempts may have been deleted.
    An attempt that succeeded counts as one that did not help: whoever asks has seen that the cause
    is still there.

    Args:
        attempts: at the same cause, oldest first in the order in which they were made. The clock
            may have gone back meanwhile: one from the future is not waited for.
        now: the moment, UTC.
        most: attempts that are made at all.
    """
    made, last = len(attempts), max((one.number for one in attempts), default=0)
    if any(one.outcome == "under way" for one in attempts):
        return Wait(f"attempt {last} is under way")
    if most is not None and made >= most:
        return Wait(f"given up after {made} attempts", given_up=True)
    if made:
        asked_at = attempts[-1].asked_at
        due = asked_at + retry_pause(made)
        if asked_at <= now < due:
            return Wait(f"attempt {last} came to nothing; the next is due at {_time(due)}")
    return last + 1


def admit_retraining(
    cause: RetrainTrigger,
    now: datetime,
    past: Sequence[Attempt],
    limits: RetrainLimits,
    handled: Sequence[str] = (),
) -> int | Wait:
    """Whether to retrain for a cause now: the attempt's number, or why not.

    Args:
        cause: why.
        now: the moment, UTC.
        past: all retraining there was, for whatever cause, oldest first.
        limits: budget and interval.
        handled: causes that were dealt with before, whether or not the past still shows it.
    """
    own = [one for one in past if one.cause == cause.id]
    if cause.id in handled or any(one.outcome == "succeeded" for one in own):
        return Wait("it was retrained for already")
    if any(one.outcome == "under way" for one in past):
        return Wait("a retraining is under way")
    attempt = next_attempt(own, now, most=1 + RETRIES)
    if isinstance(attempt, Wait):
        return attempt
    # A retry is not a further retraining: the one before gave no fits. Unless another did since.
    since = past[past.index(own[-1]) + 1 :] if own else past
    further = not own or any(one.outcome == "succeeded" for one in since)
    if further and (due := _due(cause, now, past, limits)) > now:
        return Wait(f"the next retraining may begin at {_time(due)}")
    return _affordable(now, past, limits) or attempt


def settled_triggers(past: Sequence[Attempt]) -> list[str]:
    """Causes that nothing more is done about: a retraining succeeded, or all attempts failed."""
    outcomes: dict[str, list[Outcome]] = {}
    for one in past:
        outcomes.setdefault(one.cause, []).append(one.outcome)
    return [
        cause
        for cause, found in outcomes.items()
        if cause and ("succeeded" in found or found.count("failed") > RETRIES)
    ]


def _due(
    cause: RetrainTrigger, now: datetime, past: Sequence[Attempt], limits: RetrainLimits
) -> datetime:
    """When the interval since the newest retraining that succeeded ends; now, without one."""
    interval = min(limits.interval, URGENT_INTERVAL) if cause.urgent else limits.interval
    # One from the future was asked for by a clock that has gone back since.
    succeeded = [p.asked_at for p in past if p.outcome == "succeeded" and p.asked_at <= now]
    return max(succeeded) + interval if succeeded else now


def _affordable(now: datetime, past: Sequence[Attempt], limits: RetrainLimits) -> Wait | None:
    """None if another retraining as long as the longest of the day stays within the budget."""
    longest = max((p.minutes for p in past if p.outcome == "succeeded"), default=math.inf)
    # A run that a crash of the machine ended is closed when Dagster is back, hours later.
    recent = [min(p.minutes, longest) for p in past if now - BUDGET_OF < p.asked_at <= now]
    spent, expected = sum(recent), max(recent, default=0.0)
    if not recent or spent + expected <= limits.budget:
        return None
    return Wait(
        f"{spent:.0f} of {limits.budget:.0f} minutes of the last 24 hours are spent, "
        f"and a retraining takes {expected:.0f}"
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

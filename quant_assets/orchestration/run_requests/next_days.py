"""Which day a daily job is to be run for next: the one answer that schedules and sensors follow.

What is stored is the truth: a day is done when its rows are there, whatever became of its runs.
Days are refreshed in their order, one at a time. Asking is left to
``orchestration.schedules.daily_schedules`` and ``orchestration.sensors.refresh_sensor``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.lake.schemas.tables import SUBMISSIONS, fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.models.registry import DAILY
from quant_assets.orchestration.execution.submission_times import find_storing_run
from quant_assets.orchestration.run_requests import attempts as asked
from quant_assets.orchestration.run_requests.retry_policy import (
    RETRIES,
    Attempt,
    Wait,
    next_attempt,
)
from quant_assets.sources.protocol import Source

CLOSE = time(22)
"""UTC, after New York's close: from then on a day's prices can be whole."""
REFRESH, WATCH, UPDATE = "refresh_daily", "watch_daily", "update_daily"
# Jobs that a day's refresh may run beside; any other may be about to write its tables.
BESIDE = frozenset({WATCH, UPDATE, "retrain_models", "tune_models", "maintain_lake"})
_WRITES_HISTORY = ("load_history", "walk_forward")
NEEDS_LOADING = "nothing is loaded yet: run load_history, or `quant-assets load`, first"


@dataclass(frozen=True)
class RequestContext:
    """What an answer depends on.

    Attributes:
        instance: Dagster's.
        lake: the lake.
        source: the source.
        now: the moment, UTC.
    """

    instance: dg.DagsterInstance
    lake: Lake
    source: Source
    now: datetime

    @cached_property
    def submitted(self) -> date | None:
        """The newest day with a submission."""
        return read_newest_day(self.lake, SUBMISSIONS)


@dataclass(frozen=True)
class RunProposal:
    """A run to ask for.

    Attributes:
        job: the job.
        day: its day.
        attempt: the number of the attempt, from 1.
        reason: for people.
    """

    job: str
    day: date
    attempt: int
    reason: str

    def request(self, now: datetime) -> dg.RunRequest:
        """The request; its key is the same for the same attempt."""
        day = self.day.isoformat()
        return dg.RunRequest(
            run_key=f"{self.job}/{day}#{self.attempt}",
            job_name=self.job,
            partition_key=day,
            tags=asked.request_tags(day, self.reason, self.attempt, now),
        )


def is_day_over(day: date, now: datetime) -> bool:
    """Whether the prices of a day can be whole."""
    return now >= datetime.combine(day, CLOSE, UTC)


def propose_refresh(look: RequestContext) -> RunProposal | Wait:
    """The first day after the newest submission that the source has.

    Before it the day of that submission, while what follows the submission has failed; for as long
    as retries may help.

    Raises:
        SourceError: the source cannot be read.
    """
    newest = look.submitted
    if newest is None:
        return Wait(NEEDS_LOADING)
    if busy := asked.describe_unfinished_run(look.instance, beside=BESIDE):
        return Wait(busy)
    made = asked.read_attempts(look.instance, REFRESH, newest.isoformat())
    if made and made[-1].outcome != "succeeded":
        most = _before_submission(look, newest, made) + 1 + RETRIES
        again = _attempt(look, REFRESH, newest, "not all was stored", most=most)
        if not (isinstance(again, Wait) and again.given_up):
            return again
    days = days_after(look.source, newest, look.now)
    if isinstance(days, Wait):
        return days
    # What else has come waits for its turn.
    more = f"; {len(days) - 1} more wait" if len(days) > 1 else ""
    return _attempt(look, REFRESH, days[0], f"new prices of {look.source.name}{more}")


def _before_submission(look: RequestContext, day: date, made: Sequence[Attempt]) -> int:
    """How many attempts came before the one that stored the submission; 0 if none of them did."""
    runs = [one.run for one in made]
    stored = find_storing_run(look.instance, day)
    return runs.index(stored) if stored in runs else 0


def days_after(source: Source, newest: date, now: datetime) -> list[date] | Wait:
    """The days after one that are over and that the source has; all of it was read for that.

    Raises:
        SourceError: the source cannot be read.
    """
    last = source.last_day
    if last <= newest:
        ends = "" if last == newest else f", and ends on {last}"
        return Wait(f"{source.name} has no day after {newest}{ends}")
    later = trading_days(newest + timedelta(days=1), last).tolist()
    over = [day for day in later if is_day_over(day, now)]
    if not over:
        return Wait(f"{last} is not over: its prices are whole from {CLOSE:%H:%M} UTC on")
    source.pairs()
    there = source.prices(over[0], over[-1]).days.tolist()
    return there or Wait(f"{source.name} has none of the days from {over[0]} to {over[-1]}")


def propose_watch(look: RequestContext) -> RunProposal | Wait:
    """The first day with a submission that is not watched yet.

    A day that cannot be watched is left behind; of what was loaded before any was watched, only
    the newest is.
    """
    submitted = look.submitted
    if submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := asked.describe_unfinished_run(look.instance, among=(WATCH, *_WRITES_HISTORY)):
        return Wait(busy)
    seen = [read_newest_day(look.lake, table) for table in (DATA_QUALITY, DRIFT, REGIMES)]
    watched = None if None in seen else min(day for day in seen if day)
    found = look.lake.columns(
        f"SELECT trading_day AS day FROM {SUBMISSIONS.quoted} WHERE trading_day > ? ORDER BY 1",
        [watched or date.min],
    )["day"]
    days = found.astype("datetime64[D]").tolist()[0 if watched else -1 :]
    return _first_that_goes(look, WATCH, days, f"all days to {submitted} are watched")


def propose_update(look: RequestContext) -> RunProposal | Wait:
    """The newest day with a submission, unless the families updated daily have fits as of it."""
    submitted = look.submitted
    if submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := asked.describe_unfinished_run(
        look.instance, among=(UPDATE, "retrain_models", *_WRITES_HISTORY)
    ):
        return Wait(busy)
    fitted = [read_newest_day(look.lake, fits_table(name)) for name in DAILY]
    behind = any(day is None or day < submitted for day in fitted)
    nothing = f"fits as of {submitted} are there"
    return _first_that_goes(look, UPDATE, [submitted] if behind else [], nothing)


ANSWERS: Mapping[str, Callable[[RequestContext], RunProposal | Wait]] = {
    REFRESH: propose_refresh,
    WATCH: propose_watch,
    UPDATE: propose_update,
}
"""By job, in the order in which they are asked for."""


def _first_that_goes(
    look: RequestContext, job: str, days: Iterable[date], nothing: str
) -> RunProposal | Wait:
    """The first day on which the job has not failed too often."""
    answer: RunProposal | Wait = Wait(nothing)
    for day in days:
        answer = _attempt(look, job, day, f"{day} is refreshed", most=1 + RETRIES)
        gave_up = isinstance(answer, Wait) and answer.given_up
        if not gave_up:
            break
    return answer


def _attempt(
    look: RequestContext, job: str, day: date, reason: str, most: int | None = None
) -> RunProposal | Wait:
    made = asked.read_attempts(look.instance, job, day.isoformat())
    number = next_attempt(made, look.now, most=most)
    if isinstance(number, Wait):
        return Wait(f"{day}: {number.reason}", number.given_up)
    again = f"; attempt {number}" if number > 1 else ""
    return RunProposal(job, day, number, reason + again)

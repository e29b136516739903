"""What a proposal of a run is, what it depends on, and which days wait for a refresh.

Which job runs next for which day is decided in ``next_days`` and ``next_revision``.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import dagster as dg

from quant_assets.lake.readers.days import read_submitted_day
from quant_assets.lake.schemas.revision_tables import SET_ASIDE
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START
from quant_assets.orchestration.jobs.names import UPDATE, WATCH
from quant_assets.orchestration.run_requests.attempts import (
    build_request_tags,
    read_attempts,
)
from quant_assets.orchestration.run_requests.retry_policy import (
    Wait,
    next_attempt,
)
from quant_assets.revisions.comparison import (
    Comparison,
    compare_with_source,
)
from quant_assets.sources.protocol import Source

# Jobs beside which a refresh may run; any other job may write the tables of the refresh.
JOBS_BESIDE_REFRESH = frozenset(
    {WATCH, UPDATE, "retrain_models", "tune_models", "maintain_lake", "backup_daily"}
)
NEEDS_LOADING = "nothing is loaded yet: first run load_history or `quant-assets load`"


@dataclass(frozen=True)
class RequestContext:
    """What a proposal depends on.

    Attributes:
        instance: Dagster's instance with the earlier runs.
        lake: holds the stored days.
        source: holds the days that can be refreshed.
        now: the present moment, UTC.
        calendar: calendar of the market.
        day_attempts: attempts at a day that fails its blocking checks before it is set aside.
        withdrawn_days: stored days that the source may take back at once.
    """

    instance: dg.DagsterInstance
    lake: Lake
    source: Source
    now: datetime
    calendar: MarketCalendar
    day_attempts: int = 3
    withdrawn_days: int = 5

    @cached_property
    def comparison(self) -> Comparison:
        """How the source differs from the lake."""
        return compare_with_source(self.lake, self.source)

    @cached_property
    def submitted(self) -> date | None:
        """The newest day with prices and a submission; a withdrawn day has no prices."""
        return read_submitted_day(self.lake)

    @cached_property
    def set_aside(self) -> frozenset[date]:
        """Days that are set aside, which have no submission."""
        if not self.lake.has(SET_ASIDE):
            return frozenset()
        rows = self.lake.arrow(f"SELECT trading_day FROM {SET_ASIDE.quoted}")
        return frozenset(rows["trading_day"].to_pylist())


@dataclass(frozen=True)
class RunProposal:
    """A run that should be requested.

    Attributes:
        job: name of the job.
        day: the trading day for which it runs.
        attempt: number of the attempt, from 1.
        reason: the reason that people read.
        until: last trading day of a range; None for a single day.
    """

    job: str
    day: date
    attempt: int
    reason: str
    until: date | None = None

    def request(self, now: datetime) -> dg.RunRequest:
        """Build the request; its run key is the same for the same attempt."""
        day = self.day.isoformat()
        range_tags = {}
        if self.until:
            range_tags = {RANGE_START: day, RANGE_END: self.until.isoformat()}
        trigger = describe_days(self.day, self.until)
        return dg.RunRequest(
            run_key=f"{self.job}/{trigger}#{self.attempt}",
            job_name=self.job,
            partition_key=None if self.until else day,
            tags=range_tags | build_request_tags(trigger, self.reason, self.attempt, now),
        )


def describe_days(day: date, until: date | None) -> str:
    """Describe a day, or the days up to ``until``, as runs are tagged with them."""
    return f"{day}..{until}" if until else day.isoformat()


def is_day_over(calendar: MarketCalendar, day: date, now: datetime) -> bool:
    """Whether the prices of a day can be complete."""
    return now >= calendar.complete_at(day)


def find_waiting_days(context: RequestContext) -> list[date] | Wait:
    """Find the complete days after the newest submission that are not set aside."""
    newest = context.submitted
    if newest is None:
        return Wait(NEEDS_LOADING)
    days = find_next_days(context.source, context.calendar, newest, context.now)
    if isinstance(days, Wait):
        return days
    waiting = [day for day in days if day not in context.set_aside]
    return waiting or Wait(f"{days[-1]} is set aside")


def find_next_days(
    source: Source, calendar: MarketCalendar, newest: date, now: datetime
) -> list[date] | Wait:
    """Find the source's complete days after the newest submission, by reading their prices.

    Args:
        source: is read for all days after ``newest``, and for its pairs.
        calendar: calendar of the market.
        newest: day of the newest submission.
        now: the present moment, UTC.

    Returns:
        The days in order, or why there is none.

    Raises:
        SourceError: the source cannot be read.
    """
    last = source.last_day
    if last <= newest:
        ends = "" if last == newest else f", and ends on {last}"
        waiting = source.waiting()
        return Wait(f"{source.name} has no day after {newest}{ends}{waiting and f'; {waiting}'}")
    later = calendar.trading_days(newest + timedelta(days=1), last).tolist()
    over = [day for day in later if is_day_over(calendar, day, now)]
    if not over:
        return Wait(f"{last} is not over: its prices are complete from {calendar.completion} on")
    source.pairs()
    days = source.prices(over[0], over[-1]).days.tolist()
    return days or Wait(f"{source.name} has none of the days from {over[0]} to {over[-1]}")


def propose_attempt(
    context: RequestContext,
    job: str,
    day: date,
    reason: str,
    most: int | None = None,
    until: date | None = None,
) -> RunProposal | Wait:
    """Propose the job's next attempt for a day or range, or say why it has to wait."""
    attempts = read_attempts(context.instance, job, describe_days(day, until))
    number = next_attempt(attempts, context.now, most=most)
    if isinstance(number, Wait):
        return Wait(f"{day}: {number.reason}", number.given_up)
    retry = f"; attempt {number}" if number > 1 else ""
    return RunProposal(job, day, number, reason + retry, until)

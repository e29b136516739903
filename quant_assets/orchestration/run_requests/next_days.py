"""Proposes the day for which each daily job should run next.

A day is done when its rows are stored, whether or not its runs succeeded. Days are refreshed in
order, one at a time, and after the past has been revised. Requesting runs belongs in
``orchestration.schedules.daily_schedules`` and ``orchestration.sensors.refresh_sensor``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.lake.schemas.revision_tables import REJECTED_PRICES, SET_ASIDE
from quant_assets.lake.schemas.tables import SUBMISSIONS, VALIDATED_PRICES, fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.models.registry import DAILY
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START
from quant_assets.orchestration.execution.submission_times import find_storing_run
from quant_assets.orchestration.jobs.names import REFRESH, REVISE, UPDATE, WATCH
from quant_assets.orchestration.run_requests.attempts import (
    build_request_tags,
    describe_unfinished_run,
    read_attempts,
)
from quant_assets.orchestration.run_requests.retry_policy import (
    RETRIES,
    Attempt,
    Wait,
    next_attempt,
)
from quant_assets.revisions.comparison import (
    Comparison,
    compare_with_source,
    refuse_other_series,
)
from quant_assets.revisions.differences import describe_differences
from quant_assets.sources.protocol import Source

CLOSE = time(22)
"""Time of day from which a day's prices can be complete, after New York's close, UTC."""
# Jobs beside which a refresh may run; any other job may write the tables of the refresh.
JOBS_BESIDE_REFRESH = frozenset({WATCH, UPDATE, "retrain_models", "tune_models", "maintain_lake"})
_WRITES_HISTORY = ("load_history", "walk_forward", REVISE)
NEEDS_LOADING = "nothing is loaded yet: first run load_history or `quant-assets load`"


@dataclass(frozen=True)
class RequestContext:
    """What a proposal depends on.

    Attributes:
        instance: Dagster's instance with the earlier runs.
        lake: holds the stored days.
        source: holds the days that can be refreshed.
        now: the present moment, UTC.
        day_attempts: attempts at a day that fails its blocking checks before it is set aside.
    """

    instance: dg.DagsterInstance
    lake: Lake
    source: Source
    now: datetime
    day_attempts: int = 3

    @cached_property
    def comparison(self) -> Comparison:
        """How the source differs from the lake."""
        return compare_with_source(self.lake, self.source)

    @cached_property
    def submitted(self) -> date | None:
        """The newest day with prices and a submission; a withdrawn day has no prices."""
        if not self.lake.has(SUBMISSIONS):
            return None
        newest = read_newest_day(self.lake, VALIDATED_PRICES) or date.max
        rows = self.lake.arrow(
            f"SELECT max(trading_day) AS day FROM {SUBMISSIONS.quoted} WHERE trading_day <= ?",
            [newest],
        ).to_pylist()
        day: date | None = rows[0]["day"]
        return day

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


def is_day_over(day: date, now: datetime) -> bool:
    """Whether the prices of a day can be complete."""
    return now >= datetime.combine(day, CLOSE, UTC)


def propose_revision(context: RequestContext) -> RunProposal | Wait:
    """Propose to do everything again from the first day on that the source has changed.

    If a day failed its blocking checks too often, propose to set it aside.

    Raises:
        SourceError: the source cannot be read, or has other series than the lake.
    """
    if context.submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(context.instance, beside=JOBS_BESIDE_REFRESH):
        return Wait(busy)
    refuse_other_series(context.comparison)
    span = context.comparison.span
    if span is not None:
        changes = describe_differences(context.comparison.revisions)
        reason = changes or "a revision has not come to its end"
        return _propose_attempt(context, REVISE, span[0], reason, until=span[1])
    refused = _find_refused_day(context)
    if refused is None:
        return Wait("the source has not changed the past")
    reason = f"it failed its blocking checks {context.day_attempts} times: it is set aside"
    return _propose_attempt(context, REVISE, refused, reason)


def _find_refused_day(context: RequestContext) -> date | None:
    """Find the next day, if its refresh failed often and its prices were rejected each time."""
    days = _find_waiting_days(context)
    if isinstance(days, Wait) or not context.lake.has(REJECTED_PRICES):
        return None
    rejected = context.lake.arrow(
        f"SELECT DISTINCT dagster_run FROM {REJECTED_PRICES.quoted} WHERE trading_day = ?",
        [days[0]],
    )["dagster_run"].to_pylist()
    attempts = read_attempts(context.instance, REFRESH, days[0].isoformat())
    failed = [attempt for attempt in attempts if attempt.outcome == "failed"]
    newest_rejected = bool(failed) and failed[-1].run_id in rejected
    return days[0] if newest_rejected and len(failed) >= context.day_attempts else None


def _find_waiting_days(context: RequestContext) -> list[date] | Wait:
    """Find the complete days after the newest submission that are not set aside."""
    newest = context.submitted
    if newest is None:
        return Wait(NEEDS_LOADING)
    days = find_next_days(context.source, newest, context.now)
    if isinstance(days, Wait):
        return days
    waiting = [day for day in days if day not in context.set_aside]
    return waiting or Wait(f"{days[-1]} is set aside")


def propose_refresh(context: RequestContext) -> RunProposal | Wait:
    """Propose to refresh the source's first day after the newest submission.

    If the refresh of the newest submission's day failed after it stored the submission, propose
    that day again first, up to four times. Nothing is proposed while the past has to be revised.

    Raises:
        SourceError: the source cannot be read.
    """
    newest = context.submitted
    if newest is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(context.instance, beside=JOBS_BESIDE_REFRESH):
        return Wait(busy)
    if span := context.comparison.span:
        return Wait(f"days from {span[0]} on are revised first")
    if refused := _find_refused_day(context):
        return Wait(f"{refused} is set aside first")
    attempts = read_attempts(context.instance, REFRESH, newest.isoformat())
    if attempts and attempts[-1].outcome != "succeeded":
        most = _count_before_submission(context, newest, attempts) + 1 + RETRIES
        reason = "the refresh did not store everything"
        retry = _propose_attempt(context, REFRESH, newest, reason, most=most)
        if not (isinstance(retry, Wait) and retry.given_up):
            return retry
    days = _find_waiting_days(context)
    if isinstance(days, Wait):
        return days
    more = f"; {len(days) - 1} more days wait" if len(days) > 1 else ""
    return _propose_attempt(context, REFRESH, days[0], f"new prices of {context.source.name}{more}")


def _count_before_submission(
    context: RequestContext, day: date, attempts: Sequence[Attempt]
) -> int:
    """Count the attempts before the one that stored the submission; 0 if none of them stored it."""
    run_ids = [attempt.run_id for attempt in attempts]
    storing_run = find_storing_run(context.instance, day)
    return run_ids.index(storing_run) if storing_run in run_ids else 0


def find_next_days(source: Source, newest: date, now: datetime) -> list[date] | Wait:
    """Find the source's complete days after the newest submission, by reading their prices.

    Args:
        source: is read for all days after ``newest``, and for its pairs.
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
    later = trading_days(newest + timedelta(days=1), last).tolist()
    over = [day for day in later if is_day_over(day, now)]
    if not over:
        return Wait(f"{last} is not over: its prices are complete from {CLOSE:%H:%M} UTC on")
    source.pairs()
    days = source.prices(over[0], over[-1]).days.tolist()
    return days or Wait(f"{source.name} has none of the days from {over[0]} to {over[-1]}")


def propose_watch(context: RequestContext) -> RunProposal | Wait:
    """Propose to watch the first submitted day that is not watched yet.

    A day on which the job failed too often is skipped. Before any day was watched, only the newest
    day is proposed.
    """
    submitted = context.submitted
    if submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(context.instance, among=(WATCH, *_WRITES_HISTORY)):
        return Wait(busy)
    newest_days = [read_newest_day(context.lake, table) for table in (DATA_QUALITY, DRIFT, REGIMES)]
    watched = None if None in newest_days else min(day for day in newest_days if day)
    unwatched = context.lake.columns(
        f"SELECT trading_day AS day FROM {SUBMISSIONS.quoted} WHERE trading_day > ? ORDER BY 1",
        [watched or date.min],
    )["day"]
    days = unwatched.astype("datetime64[D]").tolist()[0 if watched else -1 :]
    return _propose_first_day(context, WATCH, days, f"all days up to {submitted} are watched")


def propose_update(context: RequestContext) -> RunProposal | Wait:
    """Propose to fit the daily families as of the newest submitted day, unless they have fits."""
    submitted = context.submitted
    if submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(
        context.instance, among=(UPDATE, "retrain_models", *_WRITES_HISTORY)
    ):
        return Wait(busy)
    fitted = [read_newest_day(context.lake, fits_table(name)) for name in DAILY]
    outdated = any(day is None or day < submitted for day in fitted)
    up_to_date = f"the fits as of {submitted} exist"
    return _propose_first_day(context, UPDATE, [submitted] if outdated else [], up_to_date)


PROPOSALS: Mapping[str, Callable[[RequestContext], RunProposal | Wait]] = {
    REVISE: propose_revision,
    REFRESH: propose_refresh,
    WATCH: propose_watch,
    UPDATE: propose_update,
}
"""The function that proposes a job's next run, by job, in the order of the daily jobs."""


def _propose_first_day(
    context: RequestContext, job: str, days: Iterable[date], without_days: str
) -> RunProposal | Wait:
    """Propose the first day on which the job has not failed too often."""
    proposal: RunProposal | Wait = Wait(without_days)
    for day in days:
        proposal = _propose_attempt(context, job, day, f"{day} is refreshed", most=1 + RETRIES)
        given_up = isinstance(proposal, Wait) and proposal.given_up
        if not given_up:
            break
    return proposal


def _propose_attempt(
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

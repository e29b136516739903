"""Proposes the day for which each daily job should run next.

A day is done when its rows are stored, whether or not its runs succeeded. Days are refreshed in
order, one at a time, and after the past has been revised. Requesting runs belongs in
``orchestration.schedules.daily_schedules`` and ``orchestration.sensors.refresh_sensor``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, fits_table
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.models.registry import DAILY
from quant_assets.orchestration.execution.submission_times import find_storing_run
from quant_assets.orchestration.jobs.names import REFRESH, REVISE, UPDATE, WATCH
from quant_assets.orchestration.run_requests.attempts import (
    describe_unfinished_run,
    read_attempts,
)
from quant_assets.orchestration.run_requests.next_revision import (
    find_refused_day,
    find_span_to_revise,
    propose_revision,
)
from quant_assets.orchestration.run_requests.proposals import (
    JOBS_BESIDE_REFRESH,
    NEEDS_LOADING,
    RequestContext,
    RunProposal,
    find_waiting_days,
    propose_attempt,
)
from quant_assets.orchestration.run_requests.retry_policy import (
    RETRIES,
    Attempt,
    Wait,
)

_WRITES_HISTORY = ("load_history", "walk_forward", REVISE)


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
    if span := find_span_to_revise(context):
        return Wait(f"days from {span[0]} on are revised first")
    if refused := find_refused_day(context):
        return Wait(f"{refused} is set aside first")
    attempts = read_attempts(context.instance, REFRESH, newest.isoformat())
    if attempts and attempts[-1].outcome != "succeeded":
        most = _count_before_submission(context, newest, attempts) + 1 + RETRIES
        reason = "the refresh did not store everything"
        retry = propose_attempt(context, REFRESH, newest, reason, most=most)
        if not (isinstance(retry, Wait) and retry.given_up):
            return retry
    days = find_waiting_days(context)
    if isinstance(days, Wait):
        return days
    more = f"; {len(days) - 1} more days wait" if len(days) > 1 else ""
    return propose_attempt(context, REFRESH, days[0], f"new prices of {context.source.name}{more}")


def _count_before_submission(
    context: RequestContext, day: date, attempts: Sequence[Attempt]
) -> int:
    """Count the attempts before the one that stored the submission; 0 if none of them stored it."""
    run_ids = [attempt.run_id for attempt in attempts]
    storing_run = find_storing_run(context.instance, day)
    return run_ids.index(storing_run) if storing_run in run_ids else 0


def propose_watch(context: RequestContext) -> RunProposal | Wait:
    """Propose to watch the first submitted day that is not watched yet.

    A day that the source has withdrawn since is left out, although its submission stays. A day on
    which the job failed too often is skipped. Before any day was watched, only the newest day is
    proposed.
    """
    submitted = context.submitted
    if submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(context.instance, among=(WATCH, *_WRITES_HISTORY)):
        return Wait(busy)
    newest_days = [read_newest_day(context.lake, table) for table in (DATA_QUALITY, DRIFT, REGIMES)]
    watched = None if None in newest_days else min(day for day in newest_days if day)
    unwatched = context.lake.columns(
        f"SELECT DISTINCT trading_day AS day FROM {SUBMISSIONS.quoted} WHERE trading_day > ?"
        f" AND trading_day IN (SELECT trading_day FROM {MARKET_FEATURES.quoted}) ORDER BY 1",
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
        proposal = propose_attempt(context, job, day, f"{day} is refreshed", most=1 + RETRIES)
        given_up = isinstance(proposal, Wait) and proposal.given_up
        if not given_up:
            break
    return proposal

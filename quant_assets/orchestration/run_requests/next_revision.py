"""Proposes a revision of the past: after the source has changed it, or to set a bad day aside."""

from datetime import date

from quant_assets.lake.schemas.revision_tables import REJECTED_PRICES
from quant_assets.orchestration.jobs.names import REFRESH, REVISE
from quant_assets.orchestration.run_requests.attempts import (
    describe_unfinished_run,
    read_attempts,
)
from quant_assets.orchestration.run_requests.proposals import (
    JOBS_BESIDE_REFRESH,
    NEEDS_LOADING,
    RequestContext,
    RunProposal,
    find_waiting_days,
    propose_attempt,
)
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.revisions.differences import describe_differences
from quant_assets.revisions.refusals import refuse_many_withdrawn, refuse_other_market


def propose_revision(context: RequestContext) -> RunProposal | Wait:
    """Propose to do everything again from the first day on that the source has changed.

    If a day failed its blocking checks too often, propose to set it aside.

    Raises:
        SourceError: the source cannot be read, has other series than the lake, or lacks many days.
    """
    if context.submitted is None:
        return Wait(NEEDS_LOADING)
    if busy := describe_unfinished_run(context.instance, beside=JOBS_BESIDE_REFRESH):
        return Wait(busy)
    refuse_other_market(context.comparison)
    refuse_many_withdrawn(context.comparison, context.withdrawn_days)
    span = find_span_to_revise(context)
    if span is not None:
        changes = describe_differences(context.comparison.revisions)
        reason = changes or "a revision has not come to its end"
        return propose_attempt(context, REVISE, span[0], reason, until=span[1])
    refused = find_refused_day(context)
    if refused is None:
        return Wait("the source has not changed the past")
    reason = f"it failed its blocking checks {context.day_attempts} times: it is set aside"
    return propose_attempt(context, REVISE, refused, reason)


def find_span_to_revise(context: RequestContext) -> tuple[date, date] | None:
    """Find the days to do again before a refresh; None if the next refresh does them itself.

    That is so if all that is to be done again belongs to new days whose refresh did not come to its
    end.
    """
    comparison, newest = context.comparison, context.submitted
    mark = comparison.outdated
    unfinished = mark and newest and mark.first > newest and mark.first not in context.set_aside
    return None if unfinished and not comparison.revisions else comparison.span


def find_refused_day(context: RequestContext) -> date | None:
    """Find the next day, if its refresh failed often and its prices were rejected each time."""
    days = find_waiting_days(context)
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

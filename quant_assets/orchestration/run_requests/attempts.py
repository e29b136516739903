"""What was asked of Dagster before: its runs, read as the records that decisions are made from.

What follows from them is decided in ``orchestration.run_requests.retry_policy``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from quant_assets.orchestration.run_requests.retry_policy import Attempt, Outcome

CAUSE, REASON, NUMBER, KIND, ASKED_AT = (
    *("quant/cause", "quant/reason", "quant/attempt", "quant/kind"),
    "quant/asked_at",
)
"""Tags of a run that was asked for by a schedule or sensor."""
# No sensor looks further back than this many runs of one job.
NEWEST = 200
_ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _ENDED]


def read_attempts(
    instance: dg.DagsterInstance, job: str, cause: str | None = None
) -> list[Attempt]:
    """The newest runs of a job, oldest first; of a cause, those that were asked for it only."""
    wanted = dg.RunsFilter(job_name=job, tags={} if cause is None else {CAUSE: cause})
    return [_attempt(record) for record in reversed(instance.get_run_records(wanted, limit=NEWEST))]


def describe_unfinished_run(
    instance: dg.DagsterInstance, among: Iterable[str] = (), beside: Iterable[str] = ()
) -> str:
    """A run that waits or runs, in words; empty if there is none.

    Args:
        instance: has the runs.
        among: jobs that count; all if none is named.
        beside: jobs that do not.
    """
    counted, left_out = set(among), set(beside)
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if run.job_name not in left_out and (not counted or run.job_name in counted):
            return f"{run.job_name} is under way (run {run.run_id[:8]})"
    return ""


def request_tags(
    cause: str, reason: str, attempt: int, asked_at: datetime, kind: str = ""
) -> dict[str, str]:
    """The tags by which a run says why it is there."""
    given = {CAUSE: cause, REASON: reason, NUMBER: str(attempt), ASKED_AT: asked_at.isoformat()}
    return given | ({KIND: kind} if kind else {})


def _attempt(record: dg.RunRecord) -> Attempt:
    run = record.dagster_run
    # A run that the UI made of another has that one's tags.
    asked_at = run.tags.get(ASKED_AT) if run.parent_run_id is None else None
    seconds = (record.end_time or 0.0) - (record.start_time or record.end_time or 0.0)
    return Attempt(
        run.tags.get(CAUSE, ""),
        run.tags.get(KIND, ""),
        datetime.fromisoformat(asked_at) if asked_at else record.create_timestamp.astimezone(UTC),
        seconds / 60,
        _outcome(run),
        int(run.tags.get(NUMBER, 0)),
        run.run_id,
    )


def _outcome(run: dg.DagsterRun) -> Outcome:
    if not run.is_finished:
        return "under way"
    return "succeeded" if run.is_success else "failed"

"""Reads earlier runs of a job from Dagster as attempts, and writes the tags that describe them.

Whether a further attempt may be made is decided in ``orchestration.run_requests.retry_policy``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from quant_assets.orchestration.run_requests.retry_policy import Attempt, Outcome

TRIGGER_TAG, REASON_TAG, ATTEMPT_TAG, KIND_TAG, REQUESTED_AT_TAG = (
    *("quant/cause", "quant/reason", "quant/attempt", "quant/kind"),
    "quant/asked_at",
)
"""Tags of a run that a schedule or sensor requested."""
# More runs of one job are not read, so that a tick stays fast.
MAX_RUNS_READ = 200
_ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _ENDED]


def read_attempts(
    instance: dg.DagsterInstance, job: str, trigger: str | None = None
) -> list[Attempt]:
    """Read the newest runs of a job as attempts, oldest first.

    Args:
        instance: Dagster's instance with the runs.
        job: name of the job.
        trigger: id of a trigger or ISO date of a day; only runs requested for it are read, and all
            runs if it is None.
    """
    wanted = dg.RunsFilter(job_name=job, tags={} if trigger is None else {TRIGGER_TAG: trigger})
    return [
        _to_attempt(record)
        for record in reversed(instance.get_run_records(wanted, limit=MAX_RUNS_READ))
    ]


def describe_unfinished_run(
    instance: dg.DagsterInstance, among: Iterable[str] = (), beside: Iterable[str] = ()
) -> str:
    """Describe a run that is queued or in progress; empty if there is none.

    Args:
        instance: Dagster's instance with the runs.
        among: names of the jobs whose runs count; all jobs if empty.
        beside: names of jobs whose runs do not count.
    """
    included, excluded = set(among), set(beside)
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if run.job_name not in excluded and (not included or run.job_name in included):
            return f"{run.job_name} is under way (run {run.run_id[:8]})"
    return ""


def build_request_tags(
    trigger: str, reason: str, attempt: int, requested_at: datetime, kind: str = ""
) -> dict[str, str]:
    """Build the tags of a run that say why it was requested.

    Args:
        trigger: id of the trigger, or ISO date of the day of a daily job.
        reason: the reason that people read.
        attempt: number of the attempt, from 1.
        requested_at: when the run is requested, UTC.
        kind: kind of the trigger; empty for a daily job.
    """
    tags = {
        TRIGGER_TAG: trigger,
        REASON_TAG: reason,
        ATTEMPT_TAG: str(attempt),
        REQUESTED_AT_TAG: requested_at.isoformat(),
    }
    return tags | ({KIND_TAG: kind} if kind else {})


def _to_attempt(record: dg.RunRecord) -> Attempt:
    run = record.dagster_run
    # A run that was started again in the UI has the tags of the earlier run.
    requested_at = run.tags.get(REQUESTED_AT_TAG) if run.parent_run_id is None else None
    seconds = (record.end_time or 0.0) - (record.start_time or record.end_time or 0.0)
    return Attempt(
        run.tags.get(TRIGGER_TAG, ""),
        run.tags.get(KIND_TAG, ""),
        datetime.fromisoformat(requested_at)
        if requested_at
        else record.create_timestamp.astimezone(UTC),
        seconds / 60,
        _outcome_of(run),
        int(run.tags.get(ATTEMPT_TAG, 0)),
        run.run_id,
    )


def _outcome_of(run: dg.DagsterRun) -> Outcome:
    if not run.is_finished:
        return "under way"
    return "succeeded" if run.is_success else "failed"

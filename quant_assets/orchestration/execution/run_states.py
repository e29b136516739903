"""What a run is doing, in words: its state, its steps, and the error that made it fail."""

from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus as Status

from quant_assets.orchestration.execution.run_locks import close_abandoned_runs
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START, find_root_cause
from quant_assets.orchestration.run_requests.attempts import REASON_TAG

QUEUED = "queued"
_STATES = {
    Status.QUEUED: QUEUED,
    Status.NOT_STARTED: QUEUED,
    Status.MANAGED: QUEUED,
    Status.STARTING: "starting",
    Status.STARTED: "running",
    Status.SUCCESS: "succeeded",
    Status.FAILURE: "failed",
    Status.CANCELING: "cancelling",
    Status.CANCELED: "cancelled",
}
_STEP_STATES = {
    "IN_PROGRESS": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "SKIPPED": "skipped",
}
_ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


@dataclass(frozen=True)
class StepState:
    """A step of a run.

    Attributes:
        name: its name, such as that of the table it writes.
        state: running, succeeded, failed or skipped.
        seconds: how long it took; None while it runs.
    """

    name: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class RunState:
    """What a run is doing.

    Attributes:
        run_id: its id.
        job: name of the job.
        state: queued, starting, running, succeeded, failed, cancelling or cancelled.
        days: first and last day for which it runs; None if it runs for no days.
        reason: why it was asked for; empty if nobody said.
        asked_at: when it was asked for, UTC.
        started_at: when it started, UTC; None before.
        ended_at: when it ended, UTC; None before.
        steps: its steps that have begun, in order.
        error: why it failed; empty if it did not.
    """

    run_id: str
    job: str
    state: str
    days: tuple[str, str] | None
    reason: str
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[StepState, ...] = ()
    error: str = ""


def read_run_state(instance: dg.DagsterInstance, run_id: str) -> RunState | None:
    """Read what a run is doing; None if Dagster knows no such run.

    A run whose process has ended before it did counts as failed.
    """
    record = instance.get_run_record_by_id(run_id)
    if record and not record.dagster_run.is_finished:
        close_abandoned_runs(instance)
        record = instance.get_run_record_by_id(run_id)
    if record is None:
        return None
    run = record.dagster_run
    day = run.tags.get("dagster/partition", "")
    first, last = run.tags.get(RANGE_START, day), run.tags.get(RANGE_END, day)
    return RunState(
        run_id,
        run.job_name,
        _STATES[run.status],
        (first, last) if first else None,
        run.tags.get(REASON_TAG, ""),
        record.create_timestamp.astimezone(UTC),
        _to_moment(record.start_time),
        _to_moment(record.end_time),
        _read_steps(instance, run_id),
        _read_error(instance, run_id) if run.is_failure else "",
    )


def _read_steps(instance: dg.DagsterInstance, run_id: str) -> tuple[StepState, ...]:
    begun = [step for step in instance.get_run_step_stats(run_id) if step.start_time]
    return tuple(
        StepState(
            step.step_key,
            _STEP_STATES.get(step.status.name, "running") if step.status else "running",
            round(step.end_time - step.start_time, 3)
            if step.end_time and step.start_time
            else None,
        )
        for step in sorted(begun, key=lambda step: step.start_time or 0.0)
    )


def _read_error(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what made the steps fail; without a failed step, what Dagster says of the run."""
    records = instance.get_records_for_run(run_id, of_type=_ENDS).records
    events = [record.event_log_entry.dagster_event for record in records]
    steps = [
        f"{event.step_key}: {find_root_cause(event)}"
        for event in events
        if event and event.is_step_failure
    ]
    messages = [event.message for event in events if event and event.message]
    return "\n".join(steps or messages[-1:])


def _to_moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

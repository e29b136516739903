"""Forgetting old runs, so that Dagster's records do not grow for ever.

Reports, sensors and the UI read records of runs: when a day's submission was stored first, which
partitions are materialized and whether their checks passed, how the newest run of a job ended. What
they read stays. How the event log deletes belongs in ``orchestration.storages.pruning``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import dagster as dg

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.orchestration.execution.runs import RANGE_END
from quant_assets.orchestration.execution.submission_times import find_storing_run

_PAGE = 500
_FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


@runtime_checkable
class PrunableEventLog(Protocol):
    """An event log that can forget a part of its records; Dagster's other storages cannot."""

    def find_runs_in_use(self, first_of: dg.AssetKey) -> set[str]:
        """Return the ids of the runs that the newest record of a partition or check is from.

        The runs with the first materialization of a partition of the asset are among them.
        """

    def delete_log(self, run_id: str) -> bool:
        """Delete a run's log and keep its materializations; return whether there was a log."""

    def shrink(self) -> int:
        """Give free space back to the disk; return the number of bytes."""


@dataclass(frozen=True)
class Forgotten:
    """What was deleted.

    Attributes:
        runs: number of runs that were deleted whole.
        logs: number of runs whose log was deleted, and whose materializations stay.
        bytes: space that was given back, without the files of the logs.
    """

    runs: int = 0
    logs: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return (
            f"deleted runs: {self.runs}; deleted logs of runs that stay: {self.logs}; "
            f"given back: {self.bytes / 1e6:.0f} MB"
        )


def forget_old_runs(instance: dg.DagsterInstance, before: datetime) -> Forgotten:
    """Delete finished runs that were created before a moment.

    A run stays, without its log, while the newest materialization of a partition, the newest
    execution of a check, or the first submission of a day is from it. The newest run and the newest
    success of each job stay whole, and so do all runs in a storage of other make than this
    package's.

    Args:
        instance: Dagster's instance.
        before: the moment.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, PrunableEventLog):
        return Forgotten()
    in_use = storage.find_runs_in_use(dg.AssetKey(SUBMISSIONS.key))
    runs = logs = 0
    for run in list(_find_old_runs(instance, before)):
        if run.run_id in in_use or _submitted_first(instance, run):
            logs += storage.delete_log(run.run_id)
        else:
            instance.delete_run(run.run_id)
            runs += 1
    return Forgotten(runs, logs, storage.shrink())


def _submitted_first(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether the submission of the run's day was stored by it, after runs that failed to.

    The event log knows which run was the first to try.
    """
    day = run.tags.get(RANGE_END, run.tags.get("dagster/partition", ""))
    try:
        return find_storing_run(instance, date.fromisoformat(day)) == run.run_id
    except ValueError:
        return False


def _find_old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    """Yield the finished runs before a moment, newest first, without the newest of each job."""
    wanted = dg.RunsFilter(statuses=list(_FINISHED))
    seen: set[tuple[str, bool]] = set()
    cursor = None
    while records := instance.get_run_records(wanted, limit=_PAGE, cursor=cursor):
        cursor = records[-1].dagster_run.run_id
        for record in records:
            run = record.dagster_run
            kind = run.job_name, run.is_success
            if kind in seen and record.create_timestamp < before:
                yield run
            seen.add(kind)

"""Metrics of runs: how many of each job by outcome, how long they took, how late submissions were.

Only Dagster's public interface is asked, which counts the runs of one job and status at a time.
Metrics of the lake are in ``metrics.lake_metrics``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRunStatus as Status

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.metrics.prometheus import Metric
from quant_assets.models.registry import FAMILIES
from quant_assets.orchestration.execution.submission_times import read_submission_time
from quant_assets.orchestration.jobs import asset_jobs
from quant_assets.orchestration.jobs.backup import backup_daily
from quant_assets.orchestration.jobs.lake_maintenance import maintain_lake
from quant_assets.orchestration.jobs.promotion_decision import decide_promotion

_ENDED = (Status.SUCCESS, Status.FAILURE, Status.CANCELED)
_UNNAMED_JOB = "__ASSET_JOB"
"""The job of the assets that a person selects in the UI."""
_PAGE = 500
_CANDIDATES = 20
"""Ended runs of a job that are searched for one that also began."""


@dataclass(frozen=True)
class _JobRuns:
    """The recorded runs of a job.

    Attributes:
        name: of the job.
        counts: number of runs by status, without the statuses that no run has.
        success_at: end of the newest run that succeeded, in seconds since 1970.
        seconds: duration of the newest run that has ended.
    """

    name: str
    counts: dict[Status, int]
    success_at: float | None
    seconds: float | None


def collect_run_metrics(instance: dg.DagsterInstance, lake: Lake) -> list[Metric]:
    """Return every metric of runs.

    Args:
        instance: has recorded the runs.
        lake: says which day's submission is the newest.
    """
    jobs = _read_jobs(instance)
    counts = [(job.name, status, n) for job in jobs for status, n in job.counts.items()]
    return [
        Metric(
            "runs",
            "Recorded runs that have ended, by job and how. Old runs are forgotten.",
            ("job", "status"),
            tuple(((job, how.value.lower()), n) for job, how, n in counts if how in _ENDED),
        ),
        Metric(
            "runs_in_progress",
            "Runs that are queued or under way.",
            ("job", "status"),
            tuple(((job, how.value.lower()), n) for job, how, n in counts if how not in _ENDED),
        ),
        Metric(
            "run_success_timestamp_seconds",
            "When a job succeeded last.",
            ("job",),
            tuple(((job.name,), job.success_at) for job in jobs if job.success_at is not None),
        ),
        Metric(
            "run_duration_seconds",
            "Time the newest run of a job took that has ended.",
            ("job",),
            tuple(((job.name,), job.seconds) for job in jobs if job.seconds is not None),
        ),
        *_latency(instance, lake),
    ]


def _latency(instance: dg.DagsterInstance, lake: Lake) -> list[Metric]:
    day = read_newest_day(lake, SUBMISSIONS)
    delivery = read_submission_time(instance, day) if day else None
    if delivery is None or delivery.seconds is None:
        return []
    text = "From the start of the newest day's refresh to its stored submission."
    return [Metric("submission_latency_seconds", text, (), (((), delivery.seconds),))]


def _read_jobs(instance: dg.DagsterInstance) -> list[_JobRuns]:
    """Return every job that has runs, in the order of names.

    The platform's jobs are asked for by name. If they have fewer runs than there are, a job was
    renamed since, and all runs are read for their names.
    """
    total = instance.get_runs_count()
    jobs = _count_jobs(instance, _platform_jobs())
    if sum(sum(job.counts.values()) for job in jobs) < total:
        jobs = _count_jobs(instance, _recorded_jobs(instance))
    return jobs


def _platform_jobs() -> set[str]:
    names = {*asset_jobs.build(tuple(FAMILIES)), _UNNAMED_JOB}
    return names | {maintain_lake.name, decide_promotion.name, backup_daily.name}


def _recorded_jobs(instance: dg.DagsterInstance) -> set[str]:
    names: set[str] = set()
    records = instance.get_run_records(limit=_PAGE)
    while records:
        names |= {record.dagster_run.job_name for record in records}
        records = instance.get_run_records(limit=_PAGE, cursor=records[-1].dagster_run.run_id)
    return names


def _count_jobs(instance: dg.DagsterInstance, names: Iterable[str]) -> list[_JobRuns]:
    return [
        _read_job(instance, name)
        for name in sorted(names)
        if instance.get_runs_count(dg.RunsFilter(job_name=name))
    ]


def _read_job(instance: dg.DagsterInstance, name: str) -> _JobRuns:
    counts = {
        status: instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=[status]))
        for status in sorted(Status, key=lambda status: status.value)
    }
    successes = _newest_ended(instance, name, [Status.SUCCESS])
    ended = _newest_ended(instance, name, _ENDED)
    return _JobRuns(
        name=name,
        counts={status: n for status, n in counts.items() if n},
        success_at=next((end for _, end in successes), None),
        seconds=next((end - start for start, end in ended if start is not None), None),
    )


def _newest_ended(
    instance: dg.DagsterInstance, name: str, statuses: Iterable[Status]
) -> Iterator[tuple[float | None, float]]:
    """Yield start and end of a job's runs, the one that ended last first."""
    wanted = dg.RunsFilter(job_name=name, statuses=list(statuses))
    for record in instance.get_run_records(wanted, limit=_CANDIDATES, order_by="end_time"):
        if record.end_time is not None:
            yield record.start_time, record.end_time

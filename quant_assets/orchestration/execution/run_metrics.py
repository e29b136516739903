"""What Dagster knows of runs, as metrics: how many by job and outcome, how long, how late.

One query of its table of runs counts them all: by its own interface each job and status would be a
query, or every run would be read.
"""

from typing import Any

import dagster as dg
from dagster._core.storage.runs.schema import RunsTable
from sqlalchemy import func, select

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.metrics.prometheus import Metric
from quant_assets.orchestration.execution.submission_times import read_submission_time

_SUCCESS = "SUCCESS"
_ENDED = (_SUCCESS, "FAILURE", "CANCELED")


def collect_run_metrics(instance: dg.DagsterInstance, lake: Lake) -> list[Metric]:
    """Every metric of runs.

    Args:
        instance: has recorded the runs.
        lake: says which day's submission is the newest.
    """
    counts = _counts(instance)
    ended = [one for one in counts if one[1] in _ENDED]
    others = [one for one in counts if one[1] not in _ENDED]
    return [
        Metric(
            "runs",
            "Runs that have ended, by job and how.",
            ("job", "status"),
            tuple(((job, status.lower()), n) for job, status, n, _ in ended),
            "counter",
        ),
        Metric(
            "runs_in_progress",
            "Runs that are queued or under way.",
            ("job", "status"),
            tuple(((job, status.lower()), n) for job, status, n, _ in others),
        ),
        Metric(
            "run_success_timestamp_seconds",
            "When a job succeeded last.",
            ("job",),
            tuple(((job,), at) for job, status, _, at in ended if status == _SUCCESS and at),
        ),
        Metric(
            "run_duration_seconds",
            "Time the newest run of a job took that has ended.",
            ("job",),
            tuple(((job,), end - start) for job, start, end in _newest(instance)),
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


def _counts(instance: dg.DagsterInstance) -> list[tuple[str, str, int, float | None]]:
    """Job, status, number of its runs and the newest end of one."""
    job, status = RunsTable.c.pipeline_name, RunsTable.c.status
    figures = func.count(), func.max(RunsTable.c.end_time)
    statement = select(job, status, *figures).group_by(job, status).order_by(job, status)
    return [(name, how, n, at) for name, how, n, at in _fetch(instance, statement)]


def _newest(instance: dg.DagsterInstance) -> list[tuple[str, float, float]]:
    """Job, start and end of the newest run of each job that has both."""
    place = func.row_number().over(
        partition_by=RunsTable.c.pipeline_name,
        order_by=[RunsTable.c.end_time.desc(), RunsTable.c.id.desc()],
    )
    columns = RunsTable.c.pipeline_name, RunsTable.c.start_time
    ranked = (
        select(*columns, RunsTable.c.end_time, place.label("place"))
        .where(RunsTable.c.start_time.is_not(None), RunsTable.c.end_time.is_not(None))
        .subquery()
    )
    statement = select(ranked).where(ranked.c.place == 1).order_by(ranked.c.pipeline_name)
    return [(job, start, end) for job, start, end, _ in _fetch(instance, statement)]


def _fetch(instance: dg.DagsterInstance, statement: Any) -> list[Any]:
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        return list(connection.execute(statement).fetchall())

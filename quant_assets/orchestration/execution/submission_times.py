"""Reads from Dagster's records when a day's submission was stored.

The submission itself is in the lake.
"""

from datetime import UTC, date, datetime

import dagster as dg

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START
from quant_assets.submission.submission import SubmissionTime

_ATTEMPTS = 1000


def read_submission_time(instance: dg.DagsterInstance, day: date) -> SubmissionTime | None:
    """Return when the day's submission was stored first; None if Dagster has no record of it."""
    record = _first_storage(instance, day)
    if record is None:
        return None
    run = instance.get_run_record_by_id(record.run_id)
    begun = run.start_time if run and _is_of_one_day(run.dagster_run) else None
    seconds = None if begun is None else record.timestamp - begun
    return SubmissionTime(datetime.fromtimestamp(record.timestamp, UTC), seconds)


def find_storing_run(instance: dg.DagsterInstance, day: date) -> str | None:
    """Return the id of the run that stored the day's submission first; None without a record."""
    record = _first_storage(instance, day)
    return record.run_id if record else None


def _first_storage(instance: dg.DagsterInstance, day: date) -> dg.EventLogRecord | None:
    submissions = dg.AssetRecordsFilter(
        dg.AssetKey(SUBMISSIONS.key), asset_partitions=[day.isoformat()]
    )
    attempts = instance.fetch_materializations(submissions, limit=_ATTEMPTS, ascending=True).records
    return next(filter(_has_rows, attempts), None)


def _has_rows(attempt: dg.EventLogRecord) -> bool:
    """Return whether rows were stored: Dagster records an attempt that a check blocked as well."""
    recorded = attempt.asset_materialization
    rows = recorded.metadata.get("dagster/row_count") if recorded else None
    return isinstance(rows, dg.IntMetadataValue) and bool(rows.value)


def _is_of_one_day(run: dg.DagsterRun) -> bool:
    """Return whether the run was for one day."""
    return run.tags.get(RANGE_START) == run.tags.get(RANGE_END)

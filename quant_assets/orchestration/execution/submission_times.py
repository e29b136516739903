"""When a day's submission was stored, from Dagster's records; what it was is in the lake."""

from datetime import UTC, date, datetime

import dagster as dg

from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START
from quant_assets.submission.submission import SubmissionTime

_ATTEMPTS = 1000


def read_submission_time(instance: dg.DagsterInstance, day: date) -> SubmissionTime | None:
    """When the day's submission was stored first; None if there is no record of it."""
    found = _stored(instance, day)
    if found is None:
        return None
    run = instance.get_run_record_by_id(found.run_id)
    begun = run.start_time if run and _alone(run.dagster_run) else None
    seconds = None if begun is None else found.timestamp - begun
    return SubmissionTime(datetime.fromtimestamp(found.timestamp, UTC), seconds)


def find_storing_run(instance: dg.DagsterInstance, day: date) -> str | None:
    """The run that stored the day's submission first; None if there is no record of it."""
    found = _stored(instance, day)
    return found.run_id if found else None


def _stored(instance: dg.DagsterInstance, day: date) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(dg.AssetKey(SUBMISSIONS.key), asset_partitions=[day.isoformat()])
    attempts = instance.fetch_materializations(wanted, limit=_ATTEMPTS, ascending=True).records
    return next(filter(_has_rows, attempts), None)


def _has_rows(attempt: dg.EventLogRecord) -> bool:
    """Whether anything was stored: Dagster records an attempt that was blocked as well."""
    recorded = attempt.asset_materialization
    rows = recorded.metadata.get("dagster/row_count") if recorded else None
    return isinstance(rows, dg.IntMetadataValue) and bool(rows.value)


def _alone(run: dg.DagsterRun) -> bool:
    """Whether the run was for one day."""
    return run.tags.get(RANGE_START) == run.tags.get(RANGE_END)

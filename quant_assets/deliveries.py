"""When a day's submission was stored, from Dagster's records; what it was is in the lake."""

from datetime import UTC, date, datetime

import dagster as dg

from quant_assets.lake.tables import SUBMISSIONS
from quant_assets.submission import Delivery

_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def delivered(instance: dg.DagsterInstance, day: date) -> Delivery | None:
    """When the day's submission was stored first; None if there is no record of it."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(SUBMISSIONS.key), asset_partitions=[day.isoformat()])
    found = instance.fetch_materializations(wanted, limit=1, ascending=True).records
    if not found:
        return None
    run = instance.get_run_record_by_id(found[0].run_id)
    begun = run.start_time if run and _alone(run.dagster_run) else None
    seconds = None if begun is None else found[0].timestamp - begun
    return Delivery(datetime.fromtimestamp(found[0].timestamp, UTC), seconds)


def _alone(run: dg.DagsterRun) -> bool:
    """Whether the run was for one day."""
    first, last = (run.tags.get(name) for name in _RANGE)
    return first == last

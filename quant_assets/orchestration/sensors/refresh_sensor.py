"""The sensor that has each new day refreshed, watched and updated.

Which day comes next is decided in ``orchestration.run_requests.next_days``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.errors import CalendarError, QuantAssetsError, SourceError
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.run_locks import close_abandoned_runs
from quant_assets.orchestration.run_requests.next_days import ANSWERS, RequestContext, RunProposal
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.sources.protocol import Source

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

SECONDS = 30
REFRESH_SENSOR = "refresh_new_days"
UNREADABLE = (SourceError, CalendarError, OSError)
"""What reading a source may raise."""


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    partitions: dg.PartitionsDefinition,
    status: dg.DefaultSensorStatus,
) -> dg.SensorDefinition:
    """The sensor."""

    @dg.sensor(
        name=REFRESH_SENSOR,
        jobs=[jobs[name] for name in ANSWERS],
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Have each day that the source has and the lake lacks refreshed, in order, one "
        "at a time, then watched and updated. What failed is tried again after 5 minutes, 10, 20, "
        "up to 2 hours.",
    )
    def refresh_new_days(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        now = clock.now()
        if back := describe_clock_step(context.cursor, now):
            return dg.SensorResult(skip_reason=back, cursor=now.isoformat())
        close_abandoned_runs(context.instance)
        look = RequestContext(context.instance, lake, source, now)
        with lake.at_once():
            found = {job: _answer(job, look, partitions) for job in ANSWERS}
        requests = [one.request(now) for one in found.values() if isinstance(one, RunProposal)]
        waits = [f"{job}: {one.reason}" for job, one in found.items() if isinstance(one, Wait)]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(waits),
            cursor=now.isoformat(),
        )

    return refresh_new_days


def describe_clock_step(cursor: str | None, now: datetime) -> str:
    """What to say of a clock that has gone back since the tick before; empty if it has not."""
    before = datetime.fromisoformat(cursor) if cursor else now
    if now >= before:
        return ""
    return f"the clock went back from {before:%Y-%m-%d %H:%M} to {now:%Y-%m-%d %H:%M} UTC: going on"


def describe_source_error(error: QuantAssetsError | OSError) -> str:
    """A source's error in one line."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    where = getattr(error, "where", None)
    return f"the source cannot be read: {first}" + (f" ({where})" if where else "")


def _answer(
    job: str, look: RequestContext, partitions: dg.PartitionsDefinition
) -> RunProposal | Wait:
    try:
        found = ANSWERS[job](look)
    except UNREADABLE as error:
        return Wait(describe_source_error(error))
    if isinstance(found, Wait) or partitions.has_partition_key(found.day.isoformat()):
        return found
    return Wait(f"{found.day} is no partition: reload the definitions, the source has gone on")

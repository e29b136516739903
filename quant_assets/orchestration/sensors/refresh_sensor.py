"""The sensor that requests the refresh, watch and update of each new day.

Which day is next is decided in ``orchestration.run_requests.next_days``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.errors import CalendarError, QuantAssetsError, SourceError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.execution.run_locks import close_abandoned_runs
from quant_assets.orchestration.run_requests.next_days import PROPOSALS
from quant_assets.orchestration.run_requests.proposals import RequestContext, RunProposal
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.sources.protocol import Source

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

SECONDS = 30
REFRESH_SENSOR = "refresh_new_days"
SOURCE_ERRORS = (SourceError, CalendarError, OSError)
"""Exceptions that reading a source may raise."""


@dataclass(frozen=True)
class RefreshCursor:
    """What the sensor keeps from tick to tick.

    Attributes:
        clock: the moment of the last tick in ISO format; empty before the first.
        look: the look of the source on the last tick; empty if it could not be read.
    """

    clock: str = ""
    look: str = ""

    @classmethod
    def parse(cls, cursor: str | None) -> "RefreshCursor":
        """Parse the sensor's cursor; None is the cursor before the first tick."""
        return cls(*(cursor or "").partition(" ")[::2])

    def after(self, now: datetime, look: str = "") -> str:
        """Return the next cursor as text."""
        return f"{now.isoformat()} {look or self.look}".strip()


def _look(source: Source) -> str:
    try:
        return sha256(source.look().encode()).hexdigest()[:16]
    except SOURCE_ERRORS:
        return ""


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    partitions: dg.PartitionsDefinition,
    calendar: MarketCalendar,
    status: dg.DefaultSensorStatus,
) -> dg.SensorDefinition:
    """Build the sensor that requests the runs of new days.

    Args:
        jobs: all asset jobs, by name.
        partitions: the days for which runs may be requested.
        calendar: calendar of the market.
        status: whether the sensor begins switched on.
    """

    @dg.sensor(
        name=REFRESH_SENSOR,
        jobs=[jobs[name] for name in PROPOSALS],
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Requests the refresh of each day that the source has and the lake lacks, in "
        "order and one at a time, then the day's watch and update. If the source has changed the "
        "past, requests a revision first. A failed run is tried again after 5 minutes, then 10, 20 "
        "and so on up to 2 hours. A day that fails its blocking checks too often is set aside.",
    )
    def refresh_new_days(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        now, before = clock.now(), RefreshCursor.parse(context.cursor)
        if clock_step := describe_clock_step(before.clock, now):
            return dg.SensorResult(skip_reason=clock_step, cursor=before.after(now))
        close_abandoned_runs(context.instance)
        look = _look(source)
        if before.look not in ("", look):
            # A file that is being written looks different on two ticks.
            return dg.SensorResult(
                skip_reason=f"{source.name} has changed since the last tick: it is read with the "
                "next tick if it is at rest",
                cursor=before.after(now, look),
            )
        request_context = RequestContext(
            context.instance,
            lake,
            source,
            now,
            calendar,
            settings.day_attempts,
            settings.withdrawn_days,
        )
        with lake.at_once():
            proposals = {job: _propose(job, request_context, partitions) for job in PROPOSALS}
        requests = [
            proposal.request(now)
            for proposal in proposals.values()
            if isinstance(proposal, RunProposal)
        ]
        waits = [
            f"{job}: {wait.reason}" for job, wait in proposals.items() if isinstance(wait, Wait)
        ]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(waits),
            cursor=before.after(now, look),
        )

    return refresh_new_days


def describe_clock_step(cursor: str | None, now: datetime) -> str:
    """Describe how far the clock went back since the last tick; empty if it did not.

    Args:
        cursor: the moment of the last tick in ISO format; empty or None before the first.
        now: the moment of this tick, UTC.
    """
    before = datetime.fromisoformat(cursor) if cursor else now
    if now >= before:
        return ""
    return (
        f"the clock went back from {before:%Y-%m-%d %H:%M} to {now:%Y-%m-%d %H:%M} UTC; "
        "the sensor continues with the next tick"
    )


def describe_source_error(error: QuantAssetsError | OSError) -> str:
    """Describe the error of a source in a line."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    where = getattr(error, "where", None)
    return f"the source cannot be read: {first}" + (f" ({where})" if where else "")


def _propose(
    job: str, context: RequestContext, partitions: dg.PartitionsDefinition
) -> RunProposal | Wait:
    try:
        proposal = PROPOSALS[job](context)
    except SOURCE_ERRORS as error:
        return Wait(describe_source_error(error))
    if isinstance(proposal, Wait) or partitions.has_partition_key(proposal.day.isoformat()):
        return proposal
    return Wait(
        f"{proposal.day} is not a partition yet: reload the definitions, the source has new days"
    )

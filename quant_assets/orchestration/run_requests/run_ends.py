"""Reads the ends of runs from Dagster's event log, in the order of the log.

What an end means for alerts is decided in ``orchestration.run_requests.run_alerts``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import dagster as dg

from quant_assets.alerts.alert_lifecycle import DayRange
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START

_AD_HOC = "__ASSET_JOB"
_PARTITION = "dagster/partition"
RunOutcome = Literal["succeeded", "failed", "cancelled"]
_ENDS: dict[dg.DagsterEventType, RunOutcome] = {
    dg.DagsterEventType.RUN_SUCCESS: "succeeded",
    dg.DagsterEventType.RUN_FAILURE: "failed",
    dg.DagsterEventType.RUN_CANCELED: "cancelled",
}


@dataclass(frozen=True)
class RunEnd:
    """A run that has ended.

    Attributes:
        position: position of its end in Dagster's event log, which rises with each event.
        run: the run.
        at: when it ended, UTC.
        outcome: how it ended.
        message: Dagster's message about its end.
    """

    position: int
    run: dg.DagsterRun
    at: datetime
    outcome: RunOutcome
    message: str

    @property
    def name(self) -> str:
        """Name of the job; for assets selected in the UI, which of them the run materialised."""
        if not self.run.job_name.startswith(_AD_HOC):
            return self.run.job_name
        assets = sorted(key.to_user_string() for key in self.run.asset_selection or ())
        others = f" and {len(assets) - 1} more" if len(assets) > 1 else ""
        return f"materialization of {''.join(assets[:1])}{others}"

    @property
    def days(self) -> DayRange | None:
        """The days for which it ran; None if it ran for no days."""
        tags = self.run.tags
        day = tags.get(_PARTITION, "")
        # A run of another code location may have partitions that are not days.
        return DayRange.parse(f"{tags.get(RANGE_START, day)}..{tags.get(RANGE_END, day)}")


def read_newest_position(instance: dg.DagsterInstance) -> int:
    """Read the position of the newest end of a run in the event log; -1 if no run has ended."""
    newest = (instance.fetch_run_status_changes(event, limit=1).records for event in _ENDS)
    return max((records[0].storage_id for records in newest if records), default=-1)


def read_ends_after(
    instance: dg.DagsterInstance, position: int, limit: int
) -> tuple[list[RunEnd], int]:
    """Read the next ends of runs, of every outcome in the order of the event log.

    A success must not be read before the failure whose alert it ends. Runs that have been deleted
    are left out.

    Args:
        instance: Dagster's instance with the event log.
        position: ends at this position and before have been read already.
        limit: largest number of ends.

    Returns:
        The ends, and the position up to which the log was read.
    """
    of_each_kind = [
        record
        for event_type in _ENDS
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type, after_storage_id=position),  # type: ignore[arg-type]
            limit=limit,
            ascending=True,
        ).records
    ]
    # Each kind was read up to the limit, so the first records of all kinds are complete.
    records = sorted(of_each_kind, key=lambda record: record.storage_id)[:limit]
    ends = []
    for record in records:
        run = instance.get_run_by_id(record.run_id)
        event = record.event_log_entry
        outcome = _ENDS.get(event.dagster_event_type) if event.dagster_event_type else None
        if run is not None and outcome is not None:
            ends.append(
                RunEnd(
                    record.storage_id,
                    run,
                    datetime.fromtimestamp(record.timestamp, UTC),
                    outcome,
                    event.user_message or event.message,
                )
            )
    return ends, max([position, *(record.storage_id for record in records)])


def order_by_log(ends: Sequence[RunEnd], after: datetime | None) -> list[RunEnd]:
    """Give the ends moments that rise with the log, even if the clock went back in between.

    Args:
        ends: the ends in the order of the log.
        after: moment of the end before the first of them; None if there is none.
    """
    ordered = []
    for end in ends:
        after = max(end.at, after + timedelta(microseconds=1)) if after else end.at
        ordered.append(replace(end, at=after))
    return ordered

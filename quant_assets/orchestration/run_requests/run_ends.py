"""What became of runs, read from Dagster's records, as events that alerts follow.

How urgent each is, is decided here; what an alert does with it, in ``alerts.alert_lifecycle``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import dagster as dg

from quant_assets.alerts.alert_lifecycle import (
    ConditionCleared,
    ConditionRaised,
    DayRange,
    Level,
    condition_key,
)
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START, find_root_cause

# Without these there is no submission.
CRITICAL_JOBS = frozenset({"refresh_daily", "load_history", "submit_competition"})
# Characters of an error that a message repeats.
ENOUGH = 1500
# A later day's success makes an earlier day's failure good: it is about the newest day, or is not
# asked for again once a newer day is there.
_SUPERSEDED = ("watch_daily", "update_daily", "retrain_models", "submit_competition", "report_")
_AD_HOC = "__ASSET_JOB"
_PARTITION = "dagster/partition"
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)


@dataclass(frozen=True)
class RunEnd:
    """A run that succeeded or failed.

    Attributes:
        position: of its end in Dagster's event log; later ends have larger ones.
        run: the run.
        at: when it ended, UTC.
        failed: whether it failed.
        message: what Dagster says of the end.
    """

    position: int
    run: dg.DagsterRun
    at: datetime
    failed: bool
    message: str

    @property
    def name(self) -> str:
        """The job; or for one put together in the UI, what it materialised."""
        if not self.run.job_name.startswith(_AD_HOC):
            return self.run.job_name
        chosen = sorted(key.to_user_string() for key in self.run.asset_selection or ())
        others = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
        return f"materialization of {''.join(chosen[:1])}{others}"

    @property
    def supersedes(self) -> bool:
        """Whether its success makes good what failed for earlier days."""
        return self.name.startswith(_SUPERSEDED)

    @property
    def days(self) -> DayRange | None:
        """The days it was for; None if it was for none."""
        tags = self.run.tags
        day = tags.get(_PARTITION, "")
        # A run of another grain than days, from elsewhere, is one without days.
        return DayRange.parse(f"{tags.get(RANGE_START, day)}..{tags.get(RANGE_END, day)}")


def read_newest_position(instance: dg.DagsterInstance) -> int:
    """The position of the newest end of a run; -1 before the first."""
    newest = (instance.fetch_run_status_changes(one, limit=1).records for one in _ENDS)
    return max((records[0].storage_id for records in newest if records), default=-1)


def read_ends_after(
    instance: dg.DagsterInstance, position: int, limit: int
) -> tuple[list[RunEnd], int]:
    """The next runs that ended, oldest first, and the position up to which they were read.

    Both kinds in one order: a success must not be read before the failure it makes good. Runs
    that were deleted since are left out.
    """
    found = [
        record
        for event_type in _ENDS
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type, after_storage_id=position),  # type: ignore[arg-type]
            limit=limit,
            ascending=True,
        ).records
    ]
    # Of each kind the first ones are here, so the first ones of both are.
    records = sorted(found, key=lambda record: record.storage_id)[:limit]
    ends = []
    for record in records:
        run = instance.get_run_by_id(record.run_id)
        event = record.event_log_entry
        if run is not None:
            ends.append(
                RunEnd(
                    record.storage_id,
                    run,
                    datetime.fromtimestamp(record.timestamp, UTC),
                    event.dagster_event_type is dg.DagsterEventType.RUN_FAILURE,
                    event.user_message or event.message,
                )
            )
    return ends, max([position, *(record.storage_id for record in records)])


def order_by_log(ends: Sequence[RunEnd], after: datetime | None) -> list[RunEnd]:
    """The ends with moments that rise as the log does, though a clock went back in between.

    Args:
        ends: in the order of the log.
        after: moment of the end before them; None at the beginning.
    """
    found = []
    for end in ends:
        after = max(end.at, after + timedelta(microseconds=1)) if after else end.at
        found.append(replace(end, at=after))
    return found


def alert_events_of(
    instance: dg.DagsterInstance, end: RunEnd
) -> list[ConditionRaised | ConditionCleared]:
    """What a run's end says: that its job failed for its days; or that it and its checks passed.

    Checks of a run that failed are left aside: one that blocks is the reason itself, and the
    others are made again with the run.
    """
    key = condition_key("run_failed", end.name)
    if not end.failed:
        text = f"{end.name} succeeded{_for(end)} in run {end.run.run_id[:8]}."
        days = end.days
        if days and end.supersedes:
            days = DayRange(date.min, days.last)
        return [ConditionCleared(key, text, end.at, days), *_checks(instance, end)]
    return [
        ConditionRaised(
            condition_key("run_failed", end.name, days=end.days),
            "critical" if end.name in CRITICAL_JOBS else "warning",
            f"{end.name} failed{_for(end)}",
            f"{_first_error(instance, end)}\n"
            f"hint: see run {end.run.run_id[:8]} in Dagster; nothing downstream of the failure was "
            "changed. The alert ends when the job succeeds for the same days"
            f"{' or later ones' if end.supersedes else ''}.",
            end.days.last if end.days else None,
            end.at,
        )
    ]


def _for(end: RunEnd) -> str:
    return f" for {str(end.days).replace('..', ' to ')}" if end.days else ""


def _first_error(instance: dg.DagsterInstance, end: RunEnd) -> str:
    failures = instance.all_logs(end.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    if not failures:
        return end.message[:ENOUGH]
    first = failures[0]
    step = str(first.step_key).replace("__", ".")
    others = f"\n{len(failures) - 1} more failed" if len(failures) > 1 else ""
    return f"{step}: {find_root_cause(first.get_dagster_event())[:ENOUGH]}{others}"


def _checks(instance: dg.DagsterInstance, end: RunEnd) -> list[ConditionRaised | ConditionCleared]:
    entries = instance.all_logs(end.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = sorted(
        (entry.get_dagster_event().asset_check_evaluation_data for entry in entries),
        key=lambda one: one.asset_check_key,
    )
    return [
        _check(list(group), end)
        for _, group in groupby(evaluations, key=lambda one: one.asset_check_key)
    ]


def _check(
    evaluations: Sequence[dg.AssetCheckEvaluation], end: RunEnd
) -> ConditionRaised | ConditionCleared:
    last = evaluations[-1]
    key = condition_key("check_failed", *last.asset_key.path, last.check_name)
    what = f"check {last.check_name} of {last.asset_key.to_user_string()}"
    failed = [one for one in evaluations if not one.passed]
    if not failed:
        text = f"{what} passed{_for(end)}, in {end.name}."
        return ConditionCleared(key, text, end.at, trading_day=end.days.last if end.days else None)
    level: Level = "warning"
    if any(one.severity is dg.AssetCheckSeverity.ERROR for one in failed):
        level = "critical"
    return ConditionRaised(
        key,
        level,
        f"{what} did not pass{_for(end)}",
        f"{_details(failed[-1])}\nhint: see the check in Dagster, run {end.run.run_id[:8]} of "
        f"{end.name}. The alert ends when the check passes for that day or a later one.",
        end.days.last if end.days else None,
        end.at,
    )


def _details(evaluation: dg.AssetCheckEvaluation) -> str:
    found = (f"{name}: {value.value}" for name, value in evaluation.metadata.items())
    return "\n".join(filter(None, [evaluation.description, *found]))[:ENOUGH] or "no details"

"""Reads the ends of runs from Dagster's event log, and turns them into events of alerts.

The level of each event is decided here; how alerts open and close, in ``alerts.alert_lifecycle``.
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

# Without a success of these jobs there is no submission.
CRITICAL_JOBS = frozenset({"refresh_daily", "load_history", "submit_competition"})
# Longest text of an error in a message, in characters.
MAX_ERROR_LENGTH = 1500
# Jobs whose success for a later day ends the alert of an earlier day: they concern the newest day
# only, or are not requested again for an earlier day.
_SUPERSEDED = ("watch_daily", "update_daily", "retrain_models", "submit_competition", "report_")
_AD_HOC = "__ASSET_JOB"
_PARTITION = "dagster/partition"
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)


@dataclass(frozen=True)
class RunEnd:
    """A run that succeeded or failed.

    Attributes:
        position: position of its end in Dagster's event log, which rises with each event.
        run: the run.
        at: when it ended, UTC.
        failed: whether it failed.
        message: Dagster's message about its end.
    """

    position: int
    run: dg.DagsterRun
    at: datetime
    failed: bool
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
    def supersedes(self) -> bool:
        """Whether its success ends alerts about failures for earlier days."""
        return self.name.startswith(_SUPERSEDED)

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
    """Read the next ends of runs, successes and failures in the order of the event log.

    A success must not be read before the failure whose alert it ends. Runs that have been deleted
    are left out.

    Args:
        instance: Dagster's instance with the event log.
        position: ends at this position and before have been read already.
        limit: largest number of ends.

    Returns:
        The ends, and the position up to which the log was read.
    """
    of_both_kinds = [
        record
        for event_type in _ENDS
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type, after_storage_id=position),  # type: ignore[arg-type]
            limit=limit,
            ascending=True,
        ).records
    ]
    # Each kind was read up to the limit, so the first records of both kinds are complete.
    records = sorted(of_both_kinds, key=lambda record: record.storage_id)[:limit]
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


def create_alert_events(
    instance: dg.DagsterInstance, end: RunEnd
) -> list[ConditionRaised | ConditionCleared]:
    """Create the events of a run's end: its job failed, or it succeeded and its checks ran.

    The checks of a failed run create no events: a blocking check is the failure itself, and the
    other checks run again with the next attempt.
    """
    key = condition_key("run_failed", end.name)
    if not end.failed:
        text = f"{end.name} succeeded{_for_days(end)} in run {end.run.run_id[:8]}."
        days = end.days
        if days and end.supersedes:
            days = DayRange(date.min, days.last)
        return [ConditionCleared(key, text, end.at, days), *_create_check_events(instance, end)]
    return [
        ConditionRaised(
            condition_key("run_failed", end.name, days=end.days),
            "critical" if end.name in CRITICAL_JOBS else "warning",
            f"{end.name} failed{_for_days(end)}",
            f"{_read_first_error(instance, end)}\n"
            f"hint: see run {end.run.run_id[:8]} in Dagster; nothing downstream of the failure was "
            "changed. The alert ends when the job succeeds for the same days"
            f"{' or later ones' if end.supersedes else ''}.",
            end.days.last if end.days else None,
            end.at,
        )
    ]


def _for_days(end: RunEnd) -> str:
    return f" for {str(end.days).replace('..', ' to ')}" if end.days else ""


def _read_first_error(instance: dg.DagsterInstance, end: RunEnd) -> str:
    failures = instance.all_logs(end.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    if not failures:
        return end.message[:MAX_ERROR_LENGTH]
    first = failures[0]
    step = str(first.step_key).replace("__", ".")
    others = f"\n{len(failures) - 1} more steps failed" if len(failures) > 1 else ""
    return f"{step}: {find_root_cause(first.get_dagster_event())[:MAX_ERROR_LENGTH]}{others}"


def _create_check_events(
    instance: dg.DagsterInstance, end: RunEnd
) -> list[ConditionRaised | ConditionCleared]:
    entries = instance.all_logs(end.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = sorted(
        (entry.get_dagster_event().asset_check_evaluation_data for entry in entries),
        key=lambda evaluation: evaluation.asset_check_key,
    )
    return [
        _create_check_event(list(of_check), end)
        for _, of_check in groupby(evaluations, key=lambda evaluation: evaluation.asset_check_key)
    ]


def _create_check_event(
    evaluations: Sequence[dg.AssetCheckEvaluation], end: RunEnd
) -> ConditionRaised | ConditionCleared:
    last = evaluations[-1]
    key = condition_key("check_failed", *last.asset_key.path, last.check_name)
    check = f"check {last.check_name} of {last.asset_key.to_user_string()}"
    failed = [evaluation for evaluation in evaluations if not evaluation.passed]
    if not failed:
        text = f"{check} passed{_for_days(end)}, in {end.name}."
        return ConditionCleared(key, text, end.at, trading_day=end.days.last if end.days else None)
    level: Level = "warning"
    if any(evaluation.severity is dg.AssetCheckSeverity.ERROR for evaluation in failed):
        level = "critical"
    return ConditionRaised(
        key,
        level,
        f"{check} did not pass{_for_days(end)}",
        f"{_format_details(failed[-1])}\nhint: see the check in Dagster, run {end.run.run_id[:8]} "
        f"of {end.name}. The alert ends when the check passes for that day or a later one.",
        end.days.last if end.days else None,
        end.at,
    )


def _format_details(evaluation: dg.AssetCheckEvaluation) -> str:
    details = (f"{name}: {value.value}" for name, value in evaluation.metadata.items())
    return (
        "\n".join(filter(None, [evaluation.description, *details]))[:MAX_ERROR_LENGTH]
        or "no details"
    )

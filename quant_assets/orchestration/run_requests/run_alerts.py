"""Turns the ends of runs into events of alerts.

The level of each event is decided here; how alerts open and close, in ``alerts.alert_lifecycle``.
"""

from collections.abc import Sequence
from datetime import date
from itertools import groupby

import dagster as dg

from quant_assets.alerts.alert_lifecycle import (
    ConditionCleared,
    ConditionRaised,
    DayRange,
    Level,
    condition_key,
)
from quant_assets.orchestration.execution.runs import find_root_cause
from quant_assets.orchestration.run_requests.run_ends import RunEnd

# Without a success of these jobs there is no submission.
CRITICAL_JOBS = frozenset({"refresh_daily", "load_history", "submit_competition"})
# Longest text of an error in a message, in characters.
MAX_ERROR_LENGTH = 1500
# Jobs whose success for a later day ends the alert of an earlier day: they concern the newest day
# only, or are not requested again for an earlier day.
_SUPERSEDED = ("watch_daily", "update_daily", "retrain_models", "submit_competition", "report_")
# Jobs whose success for some days does what a refresh of these days would have done.
_STAND_IN_FOR_REFRESH = ("revise_history", "load_history")
_FAILED, _CANCELLED = "run_failed", "run_cancelled"


def create_alert_events(
    instance: dg.DagsterInstance, end: RunEnd
) -> list[ConditionRaised | ConditionCleared]:
    """Create the events of a run's end: it failed, was cancelled, or succeeded and its checks ran.

    The checks of a failed run create no events: a blocking check is the failure itself, and the
    other checks run again with the next attempt.
    """
    if end.outcome == "succeeded":
        return [*_create_success_events(end), *_create_check_events(instance, end)]
    if end.outcome == "cancelled":
        return _create_cancellation_events(end)
    return [
        ConditionRaised(
            condition_key(_FAILED, end.name, days=end.days),
            "critical" if end.name in CRITICAL_JOBS else "warning",
            f"{end.name} failed{_for_days(end)}",
            f"{_read_first_error(instance, end)}\n"
            f"hint: see run {end.run.run_id[:8]} in Dagster; nothing downstream of the failure was "
            "changed. The alert ends when the job succeeds for the same days"
            f"{' or later ones' if _supersedes(end) else ''}.",
            end.days.last if end.days else None,
            end.at,
        )
    ]


def _create_success_events(end: RunEnd) -> list[ConditionRaised | ConditionCleared]:
    text = f"{end.name} succeeded{_for_days(end)} in run {end.run.run_id[:8]}."
    up_to = DayRange(date.min, end.days.last) if end.days else None
    refreshed = []
    if end.name in _STAND_IN_FOR_REFRESH:
        key = condition_key(_FAILED, "refresh_daily")
        refreshed = [ConditionCleared(key, text, end.at, end.days)]
    return [
        *refreshed,
        ConditionCleared(
            condition_key(_FAILED, end.name), text, end.at, up_to if _supersedes(end) else end.days
        ),
        ConditionCleared(condition_key(_CANCELLED, end.name), text, end.at, up_to),
    ]


def _create_cancellation_events(end: RunEnd) -> list[ConditionRaised | ConditionCleared]:
    """Create the event of a run that somebody cancelled, if without the job nothing is submitted.

    Whoever cancelled another job knows of it, and nobody else has to.
    """
    if end.name not in CRITICAL_JOBS:
        return []
    return [
        ConditionRaised(
            condition_key(_CANCELLED, end.name, days=end.days),
            "warning",
            f"{end.name} was cancelled{_for_days(end)}",
            f"{end.message[:MAX_ERROR_LENGTH]}\n"
            f"hint: somebody cancelled run {end.run.run_id[:8]}. Nothing is submitted until "
            f"{end.name} succeeds, for the same days or later ones, which also ends the alert.",
            end.days.last if end.days else None,
            end.at,
        )
    ]


def _supersedes(end: RunEnd) -> bool:
    """Return whether its success ends alerts about failures for earlier days."""
    return end.name.startswith(_SUPERSEDED)


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

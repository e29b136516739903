"""Conditions that are raised and cleared minute by minute, and the alerts they lead to."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from quant_assets.alerts.alert_lifecycle import (
    Alert,
    ConditionCleared,
    ConditionRaised,
    DayRange,
    Kind,
    Level,
    apply_event,
)

BEGIN = datetime(2023, 12, 29, 22, tzinfo=UTC)
DAY = date(2023, 12, 29)


def moment(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def raised(number: int, level: Level = "warning", key: str = "data_late") -> ConditionRaised:
    return ConditionRaised(key, level, "data is late", f"seen {number}", DAY, moment(number))


def cleared(number: int, key: str = "data_late", days: DayRange | None = None) -> ConditionCleared:
    return ConditionCleared(key, "data has come", moment(number), days)


def apply_events(
    events: Iterable[ConditionRaised | ConditionCleared], newest: dict[str, Alert] | None = None
) -> tuple[list[Kind], list[Alert]]:
    """The messages that events lead to, and every occurrence as it is at the end."""
    newest = {} if newest is None else newest
    kinds, alerts = [], {}
    for event in events:
        for step in apply_event(newest, event):
            newest[step.alert.key] = alerts[step.alert.id] = step.alert
            if step.kind:
                kinds.append(step.kind)
    return kinds, list(alerts.values())

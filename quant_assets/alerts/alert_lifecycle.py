"""Alerts, and the events that open, update, escalate and close them.

Pure functions over records: every moment is an argument, none is read from a clock. Alerts are
stored in ``alerts.alert_store``; the channels they are sent to are chosen in ``alerts.messages``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Literal, get_args

Level = Literal["critical", "warning", "info"]
Kind = Literal["opening", "escalation", "recovery"]
"""Kind of a message: an alert was opened, became more urgent, or was closed."""
LEVELS: tuple[Level, ...] = get_args(Level)
"""All levels, the most urgent first."""
_SEPARATOR = ".."


@dataclass(frozen=True)
class DayRange:
    """The trading days from ``first`` to ``last``, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        if self.first == self.last:
            return self.first.isoformat()
        return f"{self.first.isoformat()}{_SEPARATOR}{self.last.isoformat()}"

    def __contains__(self, other: "DayRange") -> bool:
        return self.first <= other.first and other.last <= self.last

    @classmethod
    def parse(cls, text: str) -> "DayRange | None":
        """Parse the text that :meth:`__str__` writes; None if it is another text."""
        first, _, last = text.partition(_SEPARATOR)
        try:
            return cls(date.fromisoformat(first), date.fromisoformat(last or first))
        except ValueError:
            return None


def condition_key(*parts: str, days: DayRange | None = None) -> str:
    """Build the key of a condition from its parts, and the days it holds for if it has any.

    >>> condition_key("run_failed", "load_history")
    'run_failed/load_history'
    """
    return "/".join([*parts, str(days)] if days else parts)


@dataclass(frozen=True)
class ConditionRaised:
    """The event that a condition was observed.

    Attributes:
        key: identifies the condition.
        level: how urgent the condition is.
        subject: the condition in one line.
        text: what was observed, and what to do about it.
        trading_day: the day concerned, the last one of a range; None if there is none.
        at: when the condition was observed, UTC. It identifies the event among those of the key.
        passing: whether the alert is closed as soon as it is told: something happened, and nothing
            has to end. Such an alert has one message.
    """

    key: str
    level: Level
    subject: str
    text: str
    trading_day: date | None
    at: datetime
    passing: bool = False


@dataclass(frozen=True)
class ConditionCleared:
    """The event that a condition was observed to hold no longer.

    Attributes:
        key: key of the condition, without its days.
        text: what was observed instead.
        at: when that was observed, UTC.
        days: the event ends the conditions with this key whose days lie within these, and the
            condition with this key and without days; None ends the latter only.
        trading_day: the day concerned; None if there is none. Alerts of later days stay open.
    """

    key: str
    text: str
    at: datetime
    days: DayRange | None = None
    trading_day: date | None = None

    def ends(self, key: str) -> bool:
        """Return whether the event ends the condition with this key."""
        if key == self.key or self.days is None:
            return key == self.key
        condition, _, text = key.rpartition("/")
        days = DayRange.parse(text)
        return condition == self.key and days is not None and days in self.days


@dataclass(frozen=True)
class Alert:
    """One occurrence of a condition; the columns of ``monitoring.alerts``."""

    id: str
    key: str
    level: Level
    subject: str
    text: str
    trading_day: date | None
    opened_at: datetime
    last_seen_at: datetime
    count: int = 1
    closed_at: datetime | None = None
    delivered_at: datetime | None = None
    warning_at: datetime | None = None
    critical_at: datetime | None = None


@dataclass(frozen=True)
class AlertTransition:
    """A change of an alert.

    Attributes:
        alert: the alert after the change.
        kind: kind of the message to send about the change; None if no message is sent.
        text: text of that message.
    """

    alert: Alert
    kind: Kind | None
    text: str


def apply_event(
    newest_alerts: Mapping[str, Alert], event: ConditionRaised | ConditionCleared
) -> list[AlertTransition]:
    """Compute how an event changes the alerts; an event that was applied before changes nothing.

    Args:
        newest_alerts: the newest alert of each condition, by key.
        event: the event. The events of a condition have to come in the order of their moments: an
            event that is not later than the newest alert's last observation is ignored. An event
            about an earlier trading day than the open alert's, from a day done again, is ignored
            as well.

    Returns:
        One transition for each alert that changes.
    """
    if isinstance(event, ConditionCleared):
        return [
            AlertTransition(replace(alert, closed_at=event.at), "recovery", event.text)
            for alert in newest_alerts.values()
            if not alert.closed_at and event.ends(alert.key) and _is_news(alert, event)
        ]
    alert = newest_alerts.get(event.key)
    if alert is None or (alert.closed_at and event.at > alert.closed_at):
        return [AlertTransition(_open_alert(event), "opening", event.text)]
    if alert.closed_at or not _is_news(alert, event):
        return []
    return [_update_alert(alert, event)]


def _is_news(alert: Alert, event: ConditionRaised | ConditionCleared) -> bool:
    """Whether the event is later than the alert's last observation, and not of an earlier day."""
    same_or_later_day = event.trading_day is None or event.trading_day >= (
        alert.trading_day or date.min
    )
    return same_or_later_day and event.at > alert.last_seen_at


def _open_alert(event: ConditionRaised) -> Alert:
    digest = sha256(f"{event.key} {event.at.isoformat()}".encode()).hexdigest()
    alert = Alert(
        # Derived from the event, not random: after a crash the same event gives the same id again.
        id=digest[:16],
        key=event.key,
        level=event.level,
        subject=event.subject,
        text=event.text,
        trading_day=event.trading_day,
        opened_at=event.at,
        last_seen_at=event.at,
        closed_at=event.at if event.passing else None,
    )
    return _note_level_moment(alert, event.at)


def _note_level_moment(alert: Alert, at: datetime) -> Alert:
    """Note when the alert reached its level; for level info ``opened_at`` says it already."""
    if alert.level == "critical":
        return replace(alert, critical_at=at)
    return replace(alert, warning_at=at) if alert.level == "warning" else alert


def _update_alert(alert: Alert, event: ConditionRaised) -> AlertTransition:
    """Apply a later observation of an open alert's condition; its level never goes down."""
    escalates = LEVELS.index(event.level) < LEVELS.index(alert.level)
    updated = replace(
        alert,
        level=event.level if escalates else alert.level,
        subject=event.subject,
        text=event.text,
        trading_day=event.trading_day,
        last_seen_at=event.at,
        count=alert.count + 1,
    )
    if not escalates:
        return AlertTransition(updated, None, event.text)
    return AlertTransition(_note_level_moment(updated, event.at), "escalation", event.text)

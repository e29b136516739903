"""What an alert is, and how it goes on: opened, seen again, escalated, closed.

Pure functions over records; every moment is given, none is asked of a clock. Where alerts are kept
is in ``alerts.alert_store``, whom they are told to in ``alerts.messages``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Literal, get_args

Level = Literal["critical", "warning", "info"]
Kind = Literal["opening", "escalation", "recovery"]
# The most urgent first.
LEVELS: tuple[Level, ...] = get_args(Level)
_TO = ".."


@dataclass(frozen=True)
class DayRange:
    """The trading days from ``first`` to ``last``, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        if self.first == self.last:
            return self.first.isoformat()
        return f"{self.first.isoformat()}{_TO}{self.last.isoformat()}"

    def __contains__(self, other: "DayRange") -> bool:
        return self.first <= other.first and other.last <= self.last

    @classmethod
    def parse(cls, text: str) -> "DayRange | None":
        """The days from their text; None if it is not the text of any."""
        first, _, last = text.partition(_TO)
        try:
            return cls(date.fromisoformat(first), date.fromisoformat(last or first))
        except ValueError:
            return None


def condition_key(*parts: str, days: DayRange | None = None) -> str:
    """The key of a condition, of some days where it holds for these only."""
    return "/".join([*parts, str(days)] if days else parts)


@dataclass(frozen=True)
class ConditionRaised:
    """A condition was seen.

    Attributes:
        key: what makes it the same condition when it is seen again.
        level: how urgent it is.
        subject: the condition in one line.
        text: what was found, and what to do about it.
        trading_day: the day concerned, the last of a range; None where there is none.
        at: when it was seen, UTC. The same moment stands for the same sighting.
    """

    key: str
    level: Level
    subject: str
    text: str
    trading_day: date | None
    at: datetime


@dataclass(frozen=True)
class ConditionCleared:
    """A condition was seen to hold no longer.

    Attributes:
        key: of the condition; without its days, if it has any.
        text: what was found instead.
        at: when, UTC.
        days: it holds no longer for these days and all within them, nor for no days in particular.
        trading_day: the day concerned; None where there is none. What is of a later day stays.
    """

    key: str
    text: str
    at: datetime
    days: DayRange | None = None
    trading_day: date | None = None

    def ends(self, key: str) -> bool:
        """Whether the condition with this key holds no longer."""
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
    """An alert after something happened to it.

    Attributes:
        alert: as it is now.
        kind: of the message that has to be sent; None if none has to.
        text: of that message.
    """

    alert: Alert
    kind: Kind | None
    text: str


def apply_event(
    newest: Mapping[str, Alert], event: ConditionRaised | ConditionCleared
) -> list[AlertTransition]:
    """What an event does to the alerts; nothing, if it was taken in before.

    Args:
        newest: the newest occurrence of each condition, by key.
        event: what was seen. Events of one condition are expected in the order of their moments:
            one that is not later than what its newest occurrence knows is taken for known. One
            about an earlier trading day than the open alert's, from a day done again, says nothing.
    """
    if isinstance(event, ConditionCleared):
        return [
            AlertTransition(replace(alert, closed_at=event.at), "recovery", event.text)
            for alert in newest.values()
            if not alert.closed_at and event.ends(alert.key) and _goes_on(alert, event)
        ]
    alert = newest.get(event.key)
    if alert is None or (alert.closed_at and event.at > alert.closed_at):
        return [AlertTransition(_opened(event), "opening", event.text)]
    if alert.closed_at or not _goes_on(alert, event):
        return []
    return [_seen_again(alert, event)]


def _goes_on(alert: Alert, event: ConditionRaised | ConditionCleared) -> bool:
    """Whether the event is later than what the open alert knows, and of no earlier day."""
    of_day = event.trading_day is None or event.trading_day >= (alert.trading_day or date.min)
    return of_day and event.at > alert.last_seen_at


def _opened(event: ConditionRaised) -> Alert:
    digest = sha256(f"{event.key} {event.at.isoformat()}".encode()).hexdigest()
    opened = Alert(
        # Derived, not drawn: what is done again after a crash finds what was written before it.
        id=digest[:16],
        key=event.key,
        level=event.level,
        subject=event.subject,
        text=event.text,
        trading_day=event.trading_day,
        opened_at=event.at,
        last_seen_at=event.at,
    )
    return _reached(opened, event.at)


def _reached(alert: Alert, at: datetime) -> Alert:
    """The alert with the moment at which it got its level; of info that is its opening."""
    if alert.level == "critical":
        return replace(alert, critical_at=at)
    return replace(alert, warning_at=at) if alert.level == "warning" else alert


def _seen_again(alert: Alert, event: ConditionRaised) -> AlertTransition:
    escalates = LEVELS.index(event.level) < LEVELS.index(alert.level)
    now = replace(
        alert,
        level=event.level if escalates else alert.level,
        subject=event.subject,
        text=event.text,
        trading_day=event.trading_day,
        last_seen_at=event.at,
        count=alert.count + 1,
    )
    if not escalates:
        return AlertTransition(now, None, event.text)
    return AlertTransition(_reached(now, event.at), "escalation", event.text)

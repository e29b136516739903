"""Messages: to whom an alert is told, when a message is tried, when it is given up.

Pure functions over records, with the moment and chance given. Sending is in ``alerts.channels``.

A message is tried at most ``MAX_ATTEMPTS`` times, over three days on average and six at most, so
that a channel that is down over a weekend still gets the whole story in its order: before the n-th
repetition passes a time drawn between nothing and ``FIRST_WAIT * 2 ** (n - 1)``, or
``LONGEST_WAIT`` if that is less (full jitter, which keeps many from coming back at once:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from quant_assets.alerts.alert_lifecycle import AlertTransition, Kind, Level

MAX_ATTEMPTS = 150
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True)
class Message:
    """One message for one channel; the columns of ``monitoring.alert_deliveries``."""

    id: str
    alert_id: str
    kind: Kind
    level: Level
    channel: str
    subject: str
    text: str
    created_at: datetime
    attempts: int
    last_error: str | None
    next_attempt: datetime | None
    delivered_at: datetime | None = None

    @property
    def pending(self) -> bool:
        """Whether it still has to be sent; a dead letter has not."""
        return self.delivered_at is None and self.next_attempt is not None


def address_messages(
    step: AlertTransition,
    channels: Mapping[Level, Sequence[str]],
    told: Iterable[Message],
    at: datetime,
) -> list[Message]:
    """The messages that a step asks for, one a channel.

    Args:
        step: what happened to the alert.
        channels: names of each level's channels.
        told: the messages about the alert so far. Those who were told of it are told of its end;
            not those for whom all of it was given up.
        at: when it happened.
    """
    if step.kind is None:
        return []
    names = [one.channel for one in told if one.delivered_at or one.pending]
    if step.kind != "recovery":
        names = list(channels[step.alert.level])
    return [_message(step, step.kind, name, at) for name in dict.fromkeys(names)]


def _message(step: AlertTransition, kind: Kind, channel: str, at: datetime) -> Message:
    alert = step.alert
    identity = "\n".join([alert.id, kind, alert.level, channel])
    return Message(
        id=sha256(identity.encode()).hexdigest()[:16],
        alert_id=alert.id,
        kind=kind,
        level=alert.level,
        channel=channel,
        subject=f"[{'resolved' if kind == 'recovery' else alert.level}] {alert.subject}",
        text=step.text,
        created_at=at,
        attempts=0,
        last_error=None,
        next_attempt=at,
    )


def select_due(messages: Iterable[Message], now: datetime) -> list[Message]:
    """The pending messages whose time has come, oldest first.

    A message waits for the one before it about the same alert on the same channel: nobody hears
    of an end before the beginning.
    """
    waiting = sorted((one for one in messages if one.pending), key=lambda one: one.created_at)
    first: dict[tuple[str, str], Message] = {}
    for one in waiting:
        first.setdefault((one.alert_id, one.channel), one)
    return [one for one in first.values() if _is_due(one, now)]


def _is_due(message: Message, now: datetime) -> bool:
    """Whether its time has come; no wait is so long that a clock must have gone back since."""
    wait = (message.next_attempt or now) - now
    return message.attempts == 0 or not timedelta() < wait <= LONGEST_WAIT


def begin_attempt(message: Message, now: datetime, chance: Callable[[], float]) -> Message:
    """The message as it is recorded before an attempt: counted, and when the next one would be.

    Args:
        message: what is about to be sent.
        now: the moment.
        chance: a number drawn evenly from 0 to 1.
    """
    attempts = message.attempts + 1
    longest = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    later = None if attempts >= MAX_ATTEMPTS else now + longest * chance()
    return replace(
        message, attempts=attempts, next_attempt=later, last_error="the attempt was cut short"
    )


def end_attempt(message: Message, error: str | None, now: datetime) -> Message:
    """The message after an attempt: delivered, or with what came of it.

    Args:
        message: as :func:`begin_attempt` left it.
        error: why it was not delivered; None if it was.
        now: the moment.
    """
    if error is not None:
        return replace(message, last_error=error)
    return replace(message, last_error=None, next_attempt=None, delivered_at=now)


def select_orphaned_ends(messages: Iterable[Message]) -> list[Message]:
    """Messages of an end that wait where all of its beginning was given up; given up with it."""
    kept = list(messages)
    begun_for = {
        (one.alert_id, one.channel)
        for one in kept
        if one.kind != "recovery" and (one.delivered_at or one.pending)
    }
    return [
        replace(one, next_attempt=None, last_error="the beginning did not arrive")
        for one in kept
        if one.kind == "recovery" and one.pending and (one.alert_id, one.channel) not in begun_for
    ]


def select_dead_letters(dead: Sequence[Message], still_open: Container[str]) -> list[Message]:
    """The dead letters that are worth sending again: nobody hears of a beginning without the end.

    Args:
        dead: all dead letters.
        still_open: ids of the alerts that are open.
    """
    of_end = {(one.alert_id, one.channel) for one in dead if one.kind == "recovery"}
    return [
        one for one in dead if one.alert_id in still_open or (one.alert_id, one.channel) in of_end
    ]


def revive_message(message: Message, now: datetime) -> Message:
    """A dead letter as a message that is due, with all its attempts ahead."""
    return replace(message, attempts=0, next_attempt=now)

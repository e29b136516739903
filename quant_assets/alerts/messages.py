"""Messages about alerts: which channels get them, when they are tried and given up.

Pure functions over records; the moment and random numbers are arguments. Sending a message belongs
in ``alerts.channels``.

A message is tried at most ``MAX_ATTEMPTS`` times, over three days on average and at most six. A
channel that is down for a weekend thus still gets all messages in order. The wait before the
n-th repetition is drawn between 0 and ``FIRST_WAIT * 2 ** (n - 1)``, or ``LONGEST_WAIT`` if that is
less. This full jitter keeps many messages from being tried at once:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
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
        """Whether the message still has to be sent; false for a dead letter."""
        return self.delivered_at is None and self.next_attempt is not None


def address_messages(
    transition: AlertTransition,
    channels: Mapping[Level, Sequence[str]],
    earlier: Iterable[Message],
    at: datetime,
) -> list[Message]:
    """Write the messages about a transition, one for each channel.

    An opening or escalation goes to the channels of the alert's level. A recovery goes to the
    channels with an earlier message about the alert that was delivered or still will be.

    Args:
        transition: the change of the alert.
        channels: names of each level's channels.
        earlier: all earlier messages about the alert.
        at: when the alert changed.
    """
    if transition.kind is None:
        return []
    names = [message.channel for message in earlier if message.delivered_at or message.pending]
    if transition.kind != "recovery":
        names = list(channels[transition.alert.level])
    return [_write_message(transition, transition.kind, x, at) for x in dict.fromkeys(names)]


def _write_message(transition: AlertTransition, kind: Kind, channel: str, at: datetime) -> Message:
    alert = transition.alert
    identity = "\n".join([alert.id, kind, alert.level, channel])
    return Message(
        id=sha256(identity.encode()).hexdigest()[:16],
        alert_id=alert.id,
        kind=kind,
        level=alert.level,
        channel=channel,
        subject=f"[{'resolved' if kind == 'recovery' else alert.level}] {alert.subject}",
        text=transition.text,
        created_at=at,
        attempts=0,
        last_error=None,
        next_attempt=at,
    )


def select_due(messages: Iterable[Message], now: datetime) -> list[Message]:
    """Select the pending messages whose next attempt is due, oldest first.

    A message waits until the one before it, about the same alert on the same channel, is delivered
    or given up: no channel gets a recovery before the opening.
    """
    pending = sorted((x for x in messages if x.pending), key=lambda message: message.created_at)
    first: dict[tuple[str, str], Message] = {}
    for message in pending:
        first.setdefault((message.alert_id, message.channel), message)
    return [message for message in first.values() if _is_due(message, now)]


def _is_due(message: Message, now: datetime) -> bool:
    """Whether the next attempt is due.

    A wait longer than ``LONGEST_WAIT`` means that the clock was set back; the attempt is due then.
    """
    wait = (message.next_attempt or now) - now
    return message.attempts == 0 or not timedelta() < wait <= LONGEST_WAIT


def begin_attempt(message: Message, now: datetime, draw: Callable[[], float]) -> Message:
    """Return the message to store before an attempt: counted, and with the time of the next.

    Args:
        message: the message that is about to be sent.
        now: the moment.
        draw: draws a random number evenly from 0 to 1.
    """
    attempts = message.attempts + 1
    longest = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    next_attempt = None if attempts >= MAX_ATTEMPTS else now + longest * draw()
    return replace(
        message,
        attempts=attempts,
        next_attempt=next_attempt,
        last_error="the attempt was interrupted",
    )


def end_attempt(message: Message, error: str | None, now: datetime) -> Message:
    """Return the message to store after an attempt: delivered, or with the error.

    Args:
        message: the message that :func:`begin_attempt` returned.
        error: why it was not delivered; None if it was.
        now: the moment.
    """
    if error is not None:
        return replace(message, last_error=error)
    return replace(message, last_error=None, next_attempt=None, delivered_at=now)


def give_up_orphaned_recoveries(messages: Iterable[Message]) -> list[Message]:
    """Give up the pending recoveries on channels where every message before them was given up.

    Returns the recoveries as dead letters.
    """
    all_messages = list(messages)
    informed = {
        (message.alert_id, message.channel)
        for message in all_messages
        if message.kind != "recovery" and (message.delivered_at or message.pending)
    }
    return [
        replace(message, next_attempt=None, last_error="the opening was not delivered")
        for message in all_messages
        if message.kind == "recovery"
        and message.pending
        and (message.alert_id, message.channel) not in informed
    ]


def select_dead_letters(dead: Sequence[Message], open_alerts: Container[str]) -> list[Message]:
    """Select the dead letters that are worth sending again.

    Openings and escalations of a closed alert are left out, unless the recovery on the same
    channel is a dead letter too: no channel gets an opening without a recovery to follow.

    Args:
        dead: all dead letters.
        open_alerts: ids of the open alerts.
    """
    recoveries = {(x.alert_id, x.channel) for x in dead if x.kind == "recovery"}
    return [
        message
        for message in dead
        if message.alert_id in open_alerts or (message.alert_id, message.channel) in recoveries
    ]


def revive_message(message: Message, now: datetime) -> Message:
    """Make a dead letter due now, with all attempts ahead."""
    return replace(message, attempts=0, next_attempt=now)

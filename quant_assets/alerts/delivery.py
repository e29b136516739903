"""Delivery of the messages that are due.

An attempt is stored before it is made, and its outcome after it. If the process is killed in
between, the message may be sent twice and is never lost. Only one process sends at a time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import Channels
from quant_assets.alerts.messages import (
    Message,
    begin_attempt,
    end_attempt,
    give_up_orphaned_recoveries,
    revive_message,
    select_dead_letters,
    select_due,
)

TIME_BUDGET = 40.0
"""Seconds after which no attempt is begun: Dagster ends a sensor's tick after 60."""
Clock = Callable[[], datetime]
_DRAW = SystemRandom().random


@dataclass(frozen=True)
class DeliveryResult:
    """The messages that a delivery tried.

    Attributes:
        sent: messages that their channels accepted.
        failed: messages that were not accepted and will be tried again.
        dead: messages that were not accepted and are given up.
        busy: whether another process was sending, so that no message was tried.
    """

    sent: tuple[Message, ...] = ()
    failed: tuple[Message, ...] = ()
    dead: tuple[Message, ...] = ()
    busy: bool = False

    def __str__(self) -> str:
        if self.busy:
            return "another process is sending"
        errors = (f"{x.channel}: {x.last_error}" for x in (*self.failed, *self.dead))
        counts = f"{len(self.sent)} sent, {len(self.failed)} to be tried again, "
        return "; ".join([f"{counts}{len(self.dead)} given up", *errors])


def deliver_messages(
    store: AlertStore,
    channels: Callable[[], Channels],
    clock: Clock,
    draw: Callable[[], float] = _DRAW,
) -> DeliveryResult:
    """Send the messages that are due.

    After a failure on a channel, no further message is sent to it until the next delivery.

    Args:
        store: holds the messages.
        channels: opens the channels of the settings; called only if a message is pending.
        clock: returns the moment, UTC.
        draw: draws a random number evenly from 0 to 1, for the waits.

    Raises:
        SettingsError: a channel's URL cannot be used.
        LakeError: the lake cannot be read or written.
    """
    if not store.pending():
        store.note_deliveries()
        return DeliveryResult()
    with store.lock_sending() as locked:
        if not locked:
            return DeliveryResult(busy=True)
        tried = _try_due_messages(store, channels(), clock, draw)
    store.note_deliveries()
    return DeliveryResult(
        sent=tuple(message for message in tried if message.delivered_at),
        failed=tuple(message for message in tried if message.pending),
        dead=tuple(x for x in tried if not x.delivered_at and not x.pending),
    )


def _try_due_messages(
    store: AlertStore, channels: Channels, clock: Clock, draw: Callable[[], float]
) -> list[Message]:
    """Try the due messages within the time budget. Returns them with their outcomes."""
    deadline = time.monotonic() + TIME_BUDGET
    tried: list[Message] = []
    # Selected again after each round, since a message may have waited for the one before it.
    while due := _select_untried(store, tried, clock()):
        for message in due:
            if time.monotonic() > deadline:
                return tried
            if message.channel in _failed_channels(tried):
                continue
            attempt = begin_attempt(message, clock(), draw)
            store.write_messages([attempt])
            error = channels.send(attempt.channel, attempt.level, attempt.subject, attempt.text)
            tried.append(end_attempt(attempt, error, clock()))
            store.write_messages(tried[-1:])
            if error is not None and not tried[-1].pending:
                store.write_messages(give_up_orphaned_recoveries(store.messages()))
    return tried


def _select_untried(store: AlertStore, tried: list[Message], now: datetime) -> list[Message]:
    failed = _failed_channels(tried)
    return [
        message for message in select_due(store.pending(), now) if message.channel not in failed
    ]


def _failed_channels(tried: list[Message]) -> set[str]:
    return {message.channel for message in tried if not message.delivered_at}


def resend_dead_letters(store: AlertStore, clock: Clock) -> int:
    """Make dead letters due again, with all attempts ahead. Returns how many.

    Dead letters that :func:`select_dead_letters` leaves out stay dead.
    """
    letters = select_dead_letters(store.dead_letters(), {alert.id for alert in store.alerts()})
    store.write_messages([revive_message(letter, clock()) for letter in letters])
    return len(letters)

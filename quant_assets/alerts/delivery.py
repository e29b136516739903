"""Delivering what is due: an attempt is recorded before it is made, and what came of it after.

A process that is killed in between may have a message sent twice, and never loses one. Only one
process sends at a time.
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
    revive_message,
    select_dead_letters,
    select_due,
    select_orphaned_ends,
)

# Seconds after which no attempt is begun: Dagster gives a sensor's tick 60 in all.
ENOUGH = 40.0
Clock = Callable[[], datetime]
_CHANCE = SystemRandom().random


@dataclass(frozen=True)
class DeliveryResult:
    """What was sent, and what was not.

    Attributes:
        sent: messages their channels took.
        failed: messages they did not take, to be tried again.
        dead: messages they did not take, given up.
        busy: another process was sending, and nothing was tried.
    """

    sent: tuple[Message, ...] = ()
    failed: tuple[Message, ...] = ()
    dead: tuple[Message, ...] = ()
    busy: bool = False

    def __str__(self) -> str:
        if self.busy:
            return "another process is sending"
        errors = (f"{one.channel}: {one.last_error}" for one in (*self.failed, *self.dead))
        counts = f"{len(self.sent)} sent, {len(self.failed)} to be tried again, "
        return "; ".join([f"{counts}{len(self.dead)} given up", *errors])


def deliver_messages(
    book: AlertStore,
    channels: Callable[[], Channels],
    clock: Clock,
    chance: Callable[[], float] = _CHANCE,
) -> DeliveryResult:
    """Send what is due. A channel that does not take a message is left alone until the next time.

    Args:
        book: holds the messages.
        channels: of the settings; asked only if something is to be sent.
        clock: the moment, UTC.
        chance: a number drawn evenly from 0 to 1, for the waiting times.

    Raises:
        SettingsError: a channel's URL cannot be used.
        LakeError: the lake cannot be read or written.
    """
    if not book.pending():
        book.note_deliveries()
        return DeliveryResult()
    with book.sending() as mine:
        if not mine:
            return DeliveryResult(busy=True)
        tried = _tried(book, channels(), clock, chance)
    book.note_deliveries()
    return DeliveryResult(
        sent=tuple(one for one in tried if one.delivered_at),
        failed=tuple(one for one in tried if one.pending),
        dead=tuple(one for one in tried if not one.delivered_at and not one.pending),
    )


def _tried(
    book: AlertStore, channels: Channels, clock: Clock, chance: Callable[[], float]
) -> list[Message]:
    until = time.monotonic() + ENOUGH
    tried: list[Message] = []
    # Again, since a message may have waited for the one before it.
    while waiting := _untried(book, tried, clock()):
        for message in waiting:
            if time.monotonic() > until:
                return tried
            if any(one.channel == message.channel and not one.delivered_at for one in tried):
                continue
            now = begin_attempt(message, clock(), chance)
            book.record([now])
            error = channels.send(now.channel, now.level, now.subject, now.text)
            tried.append(end_attempt(now, error, clock()))
            book.record(tried[-1:])
            if error is not None and not tried[-1].pending:
                book.record(select_orphaned_ends(book.messages()))
    return tried


def _untried(book: AlertStore, tried: list[Message], now: datetime) -> list[Message]:
    silent = {one.channel for one in tried if not one.delivered_at}
    return [one for one in select_due(book.pending(), now) if one.channel not in silent]


def resend_dead_letters(book: AlertStore, clock: Clock) -> int:
    """Make dead letters due again, with all attempts ahead; how many there were.

    Those that would tell of the beginning of what has ended stay, unless the end is one of them.
    """
    letters = select_dead_letters(book.dead(), {one.id for one in book.alerts()})
    book.record([revive_message(one, clock()) for one in letters])
    return len(letters)

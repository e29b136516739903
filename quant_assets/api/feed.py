"""The feed of events: it follows the lake, and hands each event to every subscriber.

What an event is belongs in ``events``; the forms in which it is sent in ``routes.stream``.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool

from quant_assets.api.events import Event, EventId, derive_events
from quant_assets.api.lake_state import LakeState
from quant_assets.api.problems import Refusal
from quant_assets.api.subscription import GOING_AWAY, LOST, Ending, Subscription
from quant_assets.core.errors import QuantAssetsError
from quant_assets.lake.readers.changes import read_kept_snapshots
from quant_assets.lake.store.lake import Lake

_LOG = logging.getLogger(__name__)
REMEMBERED = 10_000
"""Newest events that are kept in memory for those who come back."""
_LOOK_SECONDS = 5.0
"""Longest time between two looks at the lake, after one that failed for example."""


class Feed:
    """The events of a lake since a snapshot, and those who wait for the next ones.

    It belongs to one event loop.

    Args:
        lake: the lake, open for reading.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._events: list[Event] = []
        # All events of the snapshots after `_since` up to `_position` are in `_events`.
        self._since = self._position = -1
        self._subscriptions: set[Subscription] = set()
        self._turn = asyncio.Lock()
        self._ending: Ending | None = None

    @property
    def subscribers(self) -> int:
        """Number of subscribers."""
        return len(self._subscriptions)

    async def advance(self) -> None:
        """Read the events since the last look, and hand them to the subscribers.

        Events that cannot be read now are read by the next call.
        """
        async with self._turn:
            try:
                await self._advance()
            except QuantAssetsError as error:
                _LOG.warning("the lake's events cannot be read now: %s", error)
            except Exception:  # noqa: BLE001 - the streams must outlast one strange row
                _LOG.exception("the lake's events cannot be derived")

    async def _advance(self) -> None:
        if await run_in_threadpool(self._lake.snapshot_id) == self._position:
            return
        kept = await run_in_threadpool(read_kept_snapshots, self._lake)
        if not kept.oldest <= self._position <= kept.newest:
            # The server begins, events have expired unread, or the lake is another one.
            for subscription in list(self._subscriptions):
                subscription.end(LOST)
            self._events = []
            # The newest event so far is the place at which new subscribers begin.
            self._since = self._position = max(kept.oldest, kept.newest - 1)
        events = await run_in_threadpool(derive_events, self._lake, self._position, kept.newest)
        self._position = kept.newest
        self._events += events
        if len(self._events) > REMEMBERED:
            self._since = self._events[-REMEMBERED - 1].id.snapshot
            self._events = [each for each in self._events if each.id.snapshot > self._since]
        if events:
            for subscription in list(self._subscriptions):
                subscription.put(events)

    async def subscribe(self, after: str | None) -> tuple[Subscription, EventId, list[Event]]:
        """Begin a subscription.

        Args:
            after: id of the newest event that the subscriber has; None for events to come only.

        Returns:
            The subscription, the id from which it can be resumed, and the events to send first.

        Raises:
            Refusal: there is no such event, or it has expired.
            LakeError: the lake cannot be read.
        """
        wanted = None if after is None else _parse(after)
        async with self._turn:
            if self._position < 0 or (wanted and wanted.snapshot > self._position):
                # Another server of the lake may have sent the event a moment earlier.
                await self._advance()
            missed = await self._replay(wanted) if wanted else []
            subscription = Subscription()
            if self._ending:
                subscription.end(self._ending)
            self._subscriptions.add(subscription)
            start = wanted or EventId(self._position)
            if wanted is None and self._events:
                start = max(start, self._events[-1].id)
        return subscription, start, missed

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscriber that has gone."""
        self._subscriptions.discard(subscription)

    def end(self) -> None:
        """End all subscriptions, and those that come, because the server goes away."""
        self._ending = GOING_AWAY
        for subscription in list(self._subscriptions):
            subscription.end(GOING_AWAY)

    async def _replay(self, after: EventId) -> list[Event]:
        """Return the events after an id, from memory or from the lake."""
        if after.snapshot > self._position:
            raise _unknown(after, f"the newest id is {EventId(self._position)} or little more")
        if after.snapshot <= self._since:
            await self._reach_back(after)
        at = bisect_right(self._events, after, key=lambda event: event.id)
        if after.position and (not at or self._events[at - 1].id != after):
            raise _unknown(after, f"snapshot {after.snapshot} has fewer events")
        return self._events[at:]

    async def _reach_back(self, after: EventId) -> None:
        """Read the events of earlier snapshots as well, from that of the id on.

        The first snapshot that is kept counts as one without events.
        """
        kept = await run_in_threadpool(read_kept_snapshots, self._lake)
        since = max(after.snapshot - 1, kept.oldest)
        if after.snapshot < kept.oldest or (after.snapshot == kept.oldest and after.position):
            raise Refusal(
                HTTPStatus.GONE,
                "the events after this one are not kept any more",
                where="the id to resume after",
                expected=f"an id from {EventId(kept.oldest)} on",
                found=str(after),
                hint="read the newest forecast and the open alerts, and subscribe without an id",
            )
        if since < self._since:
            earlier = await run_in_threadpool(derive_events, self._lake, since, self._since)
            self._events = earlier + self._events
            self._since = since


@asynccontextmanager
async def follow_lake(lake: Lake, state: LakeState) -> AsyncIterator[Feed]:
    """Let a feed follow the lake while the context lasts.

    Args:
        lake: the lake, open for reading.
        state: says when the lake has changed.
    """
    feed, changed, loop = Feed(lake), asyncio.Event(), asyncio.get_running_loop()

    async def follow() -> None:
        while True:
            await feed.advance()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await changed.wait()
            changed.clear()

    unsubscribe = state.subscribe(lambda _: loop.call_soon_threadsafe(changed.set))
    following = asyncio.create_task(follow())
    try:
        yield feed
    finally:
        unsubscribe()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def _parse(text: str) -> EventId:
    wanted = EventId.parse(text)
    if wanted is None:
        raise _unknown(text, "an id is two numbers with a dash between them, such as 46-1")
    return wanted


def _unknown(found: object, expected: str) -> Refusal:
    return Refusal(
        HTTPStatus.NOT_FOUND,
        "no event has this id",
        where="the id to resume after",
        expected=expected,
        found=str(found)[:40],
        hint="take the id of an event that a server of this lake has sent, or leave it out",
    )

"""The events of one subscriber, which wait until it reads them, and why a subscription ends.

Which events there are belongs in ``feed``, the forms in which they are sent in ``routes.stream``.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from quant_assets.api.events import Event

BUFFER = 256
"""Events that wait for a subscriber; one that reads more slowly is dropped."""


@dataclass(frozen=True)
class Ending:
    """Why the server ends a subscription.

    Attributes:
        code: close code of a WebSocket.
        reason: the reason that people read.
        resumable: whether the subscriber may come back with its newest id.
    """

    code: int
    reason: str
    resumable: bool = True


GOING_AWAY = Ending(1012, "the server is going away; connect again with the newest id")
TOO_SLOW = Ending(1013, "events came faster than they were read; connect again with the newest id")
REVOKED = Ending(4401, "the API key is not valid any more")
LOST = Ending(
    4410, "events between two looks at the lake have expired; read the state anew", resumable=False
)


class Subscription:
    """The events of one subscriber, which wait here until it reads them."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self._waiting: deque[Event] = deque()
        self._changed = asyncio.Event()

    def put(self, events: list[Event]) -> None:
        """Let further events wait; end the subscription where too many wait already."""
        if len(self._waiting) + len(events) > BUFFER:
            self.end(TOO_SLOW)
        elif self.ending is None:
            self._waiting.extend(events)
            self._changed.set()

    def end(self, ending: Ending) -> None:
        """End the subscription; events that wait are dropped, since the next one replays them."""
        self.ending = self.ending or ending
        self._waiting.clear()
        self._changed.set()

    async def read(self, seconds: float) -> list[Event]:
        """Wait for events. Returns none after ``seconds``, and once the subscription has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return []
        self._changed.clear()
        events = list(self._waiting)
        self._waiting.clear()
        return events

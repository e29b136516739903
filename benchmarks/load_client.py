"""A client that asks one server for one thing on many connections, as fast or as often as wanted.

It speaks HTTP itself, so that it needs a fraction of the time that a server needs. What the answers
should be is decided in ``benchmarks.serving``.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import cast

import numpy as np
import uvloop

from quant_assets.core.typing import FloatArray


@dataclass(frozen=True)
class Load:
    """What to ask.

    Attributes:
        port: port of the server on this machine.
        request: bytes of the request.
        connections: connections that stay open.
        seconds: how long to ask.
        rate: requests a second of all connections together; None asks again after each answer.
    """

    port: int
    request: bytes
    connections: int
    seconds: float
    rate: float | None = None


@dataclass
class Seen:
    """Equal answers: how many, and when the first and the last were asked for and came.

    Moments are seconds since the epoch.
    """

    status: int
    body: bytes
    count: int
    first: tuple[float, float]
    last: tuple[float, float]


@dataclass
class Result:
    """What came of a load.

    Attributes:
        seconds: seconds of each answer since the request was due, shape (answers,).
        elapsed: seconds of the whole load.
        answers: the different answers, by their digests.
        errors: connections that ended, and requests without an answer, by their reasons.
    """

    seconds: FloatArray
    elapsed: float
    answers: dict[bytes, Seen] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.elapsed

    def percentile(self, share: float) -> float:
        """Milliseconds within which a share of the answers came, in percent."""
        return float(np.percentile(self.seconds, share)) * 1000


def run_load(load: Load) -> Result:
    """Ask a server, and return what came of it."""
    return uvloop.run(_Client(load).run())


class _Client:
    """All connections of a load, and what they measured."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.seconds: list[float] = []
        self.answers: dict[bytes, Seen] = {}
        self.errors: dict[str, int] = {}
        self.ending = False

    async def run(self) -> Result:
        loop, load = asyncio.get_running_loop(), self.load
        connections = []
        for number in range(load.connections):
            made = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", load.port)
            connections.append(made[1])
            if number % 100 == 99:
                # A server accepts as many as its backlog holds; let it come to the others.
                await asyncio.sleep(0.01)
        begun = loop.time()
        period = load.connections / load.rate if load.rate else 0.0
        for number, connection in enumerate(connections):
            connection.begin(begun + period * number / load.connections, period)
        await asyncio.sleep(load.seconds)
        self.ending = True
        elapsed = loop.time() - begun
        until = loop.time() + 10
        while any(connection.due for connection in connections) and loop.time() < until:
            await asyncio.sleep(0.05)
        for connection in connections:
            if connection.due:
                self.fail("no answer within 10 s")
            connection.close()
        return Result(np.array(self.seconds), elapsed, self.answers, self.errors)

    def fail(self, reason: str) -> None:
        self.errors[reason] = self.errors.get(reason, 0) + 1

    def take(self, status: int, body: bytes, seconds: float) -> None:
        self.seconds.append(seconds)
        now = time.time()
        moments = now - seconds, now
        key = blake2b(body, digest_size=16, salt=str(status).encode()).digest()
        seen = self.answers.get(key)
        if seen is None:
            self.answers[key] = Seen(status, body, 1, moments, moments)
        else:
            seen.count += 1
            seen.last = moments


class _Connection(asyncio.Protocol):
    """One connection, which asks again and again; ``due`` holds when its open requests were due."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._period = 0.0
        self._closed = False
        self.due: deque[float] = deque()

    def begin(self, at: float, period: float) -> None:
        """Ask at a moment, and then in each period; without one, after each answer."""
        self._period = period
        self._loop.call_at(at, self._ask, at)

    def close(self) -> None:
        self._closed = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not declared to be asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._client.fail(f"connection lost: {error}")
            self.due.clear()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + size:
            return
        body = bytes(self._received[end + 4 : end + 4 + size])
        del self._received[: end + 4 + size]
        # The clock of uvloop, which stands still within a round of its loop, agrees with this one.
        now = time.monotonic()
        self._client.take(int(head[9:12]), body, now - self.due.popleft())
        if self.due:
            self._transport.write(self._client.load.request)
        elif not self._period:
            self._ask(now)

    def _ask(self, due: float) -> None:
        if self._client.ending or self._closed:
            return
        self.due.append(due)
        if len(self.due) == 1:
            self._transport.write(self._client.load.request)
        if self._period:
            self._loop.call_at(due + self._period, self._ask, due + self._period)

"""uvicorn's HTTP with limits of what comes before a request's body. Bodies have limits elsewhere.

uvicorn itself takes headers of any size, and waits for them for ever.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 65_536
"""Bytes of a request's first line and headers."""
SLOWEST_HEAD = 30.0
"""Seconds in which the first line and the headers must arrive."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose request begins too slowly, and refuses headers beyond a size."""

    _size = 0
    _is_head = True
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and count them until the headers are complete."""
        super().data_received(data)
        if self._is_head:
            self._size += len(data)
            if self._size > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        """Begin with the next request."""
        super().on_message_begin()
        self._is_head, self._size = True, 0
        if self._clock is None:
            self._start_clock()

    def on_headers_complete(self) -> None:
        """Check the size of headers that came in few pieces, and have the request answered."""
        self._is_head = False
        self._stop_clock()
        if len(self.url) + sum(len(name) + len(text) for name, text in self.headers) > LONGEST_HEAD:
            # httptools turns it into its own error, which uvicorn answers with status 400.
            raise ValueError("the headers are too large")
        super().on_headers_complete()

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(SLOWEST_HEAD, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        self._clock = None
        self.transport.close()

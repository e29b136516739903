"""The process that answers: uvicorn, and how it ends without losing a request.

Which socket it listens on, and who may reach that, belongs in ``commands.serving``.
"""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from quant_assets.api.feed import Feed
from quant_assets.api.protocol import BoundedProtocol

FINISHING_SECONDS = 10
"""Longest time in which requests in flight may end once the server stops accepting others."""
PATIENCE_SECONDS = 10.0
"""Longest time in which a server that was replaced answers on connections that are open."""
_LONGEST_END = 60.0
"""Seconds after which the process ends whatever still runs in it, which may be killed anywhere."""
_IDLE_SECONDS = 75
_LONGEST_MESSAGE = 4096
"""Bytes of a message on a WebSocket, which has to name an id and nothing more."""


class ReplaceableServer(uvicorn.Server):
    """A server that tells its subscribers when it goes, and can leave its socket to another.

    Args:
        config: uvicorn's configuration.
        app: the application, whose feed is ended first.
        started: called once the server accepts connections.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, started: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(config)
        self._app = app
        self._started = started
        self._replaced = False

    def leave(self) -> None:
        """End soon, since another server accepts connections on the same socket now.

        It may be called from any thread.
        """
        self._replaced = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, accept connections, and say so."""
        await super().startup(sockets)
        await asyncio.to_thread(self._started)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, and let requests in flight end.

        A server that was replaced closes no idle connection at once, because a request may be on
        its way there. It answers that request, and asks the client to close the connection.
        """
        overdue = threading.Timer(_LONGEST_END, os._exit, (1,))
        overdue.daemon = True
        overdue.start()
        for listener in [*self.servers, *(sockets or ())]:
            listener.close()
        feed: Feed = self._app.state.feed
        feed.end()
        if self._replaced:
            headers = self.server_state.default_headers
            self.server_state.default_headers = [*headers, (b"connection", b"close")]
            given_up = time.monotonic() + PATIENCE_SECONDS
            while self.server_state.connections and time.monotonic() < given_up:
                await asyncio.sleep(0.05)
        await super().shutdown(sockets)
        overdue.cancel()


def configure(
    app: ASGIApp, certificate: Path | None = None, key: Path | None = None
) -> uvicorn.Config:
    """Return uvicorn's configuration: one process, and no log of requests, which metrics count.

    Args:
        app: the application.
        certificate: file of the TLS certificate with its chain, as PEM; None for no TLS.
        key: file of its key; None if the certificate's file has it.
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="websockets-sansio",
        ws_max_size=_LONGEST_MESSAGE,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        # A request that a proxy forwards is never one of this machine's own.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=FINISHING_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )

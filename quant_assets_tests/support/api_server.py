"""The prediction API on a free port of loopback, in a thread of the test's process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from time import monotonic, sleep

import uvicorn
from fastapi import FastAPI

from quant_assets.api.app import create_app
from quant_assets.api.context import Context, LoadedModels
from quant_assets.client import Client
from quant_assets.core.settings import Settings

PATIENCE = 30.0


@dataclass(frozen=True)
class ApiServer:
    """A running server.

    Attributes:
        url: its address.
        app: its application, whose state a test may look at.
    """

    url: str
    app: FastAPI

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context

    def client(self, key: str | None = None) -> Client:
        return Client(self.url, key)


@contextmanager
def serve(settings: Settings, models: LoadedModels | None = None) -> Iterator[ApiServer]:
    """Serve a data directory while the context lasts."""
    with serve_app(create_app(settings, models)) as server:
        yield server


@contextmanager
def serve_app(app: FastAPI) -> Iterator[ApiServer]:
    """Serve an application while the context lasts."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="api server")
    thread.start()
    try:
        deadline = monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive(), "the server ended while it started"
            assert monotonic() < deadline, "the server does not start"
            sleep(0.01)
        yield ApiServer(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()

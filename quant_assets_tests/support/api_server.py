"""The prediction API of a data directory on a free port of loopback, in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from quant_assets.api.app import create_app
from quant_assets.api.context import Context
from quant_assets.client import Client
from quant_assets.core.settings import Settings
from quant_assets_tests.support.served_app import served


@dataclass(frozen=True)
class ApiServer:
    """A running server.

    Attributes:
        url: its address.
        app: its application, whose state a test may look at.
        http: sends requests as they are.
        client: the typed client without a key.
    """

    url: str
    app: FastAPI
    http: httpx.Client
    client: Client

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context


@contextmanager
def serve(settings: Settings) -> Iterator[ApiServer]:
    """Serve a data directory while the context lasts; models are loaded when they are needed."""
    app = create_app(settings, prepared=False)
    with served(app) as port:
        url = f"http://127.0.0.1:{port}"
        with (
            httpx.Client(base_url=url, trust_env=False, timeout=120) as http,
            Client(url, timeout=120) as client,
        ):
            yield ApiServer(url, app, http, client)

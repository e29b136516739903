"""A channel on loopback: an HTTP server that takes messages, refuses them, or takes its time."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from quant_assets.core.settings import Settings, load_settings

# A secret that may appear in the request itself only.
SECRET = "swordfish"


class Receiver(ThreadingHTTPServer):
    """A server with the ``status`` and ``delay`` (seconds) of its answers, and its requests."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status = 200
        self.delay = 0.0
        self.requests: list[tuple[str, dict[str, Any]]] = []

    @property
    def name(self) -> str:
        return f"json://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return url(self.server_port)

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that it took, in order."""
        return [body["title"] for _, body in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.delay)
        if self.server.status == 200:
            self.server.requests.append((self.path, body))
        try:
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except ConnectionError:
            # The sender gave up waiting.
            return

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def open_receiver(port: int = 0) -> Iterator[Receiver]:
    """Run a server on a port within the context; on any free port by default."""
    with Receiver(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def url(port: int) -> str:
    """Return a URL with secrets in every possible place, and a timeout of half a second."""
    return f"json://desk:{SECRET}@127.0.0.1:{port}/{SECRET}/?rto=0.5&-key={SECRET}"


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def with_channels(settings: Settings, **urls: str) -> Settings:
    """Add channels to settings: ``with_channels(settings, critical=..., warning=...)``."""
    channels = {f"alerts_{level}": value for level, value in urls.items()}
    return load_settings(**{**settings.model_dump(exclude_unset=True), **channels})

"""The channel that a rehearsed desk tells people through: an HTTP server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class AlertReceiver(ThreadingHTTPServer):
    """Takes messages meanwhile, or refuses them.

    Attributes:
        down: whether it refuses.
        taken: titles of the messages it took, in order.
        refused: how many it refused.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.down = False
        self.taken: list[str] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """Where a desk finds it."""
        return f"json://127.0.0.1:{self.server_port}/?rto=2"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: AlertReceiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.down:
            self.server.refused += 1
        else:
            self.server.taken.append(body["title"])
        self.send_response(503 if self.server.down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return

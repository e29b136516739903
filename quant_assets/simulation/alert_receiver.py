"""The alert channel of a rehearsal: an HTTP server on loopback that records every message."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class AlertReceiver(ThreadingHTTPServer):
    """Receives messages in a thread of its own while its context is open.

    Attributes:
        down: whether messages are refused.
        received: titles of the messages that were accepted, in order.
        refused: the number of messages that were refused.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.down = False
        self.received: list[str] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """The Apprise URL to which the platform sends its messages."""
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
            self.server.received.append(body["title"])
        self.send_response(503 if self.server.down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return

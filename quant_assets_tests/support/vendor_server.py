"""A vendor on loopback: an HTTP server with scripted answers, and a clock that does not wait."""

import io
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from quant_assets.sources.http.waiting import WaitingClock


@dataclass(frozen=True)
class Scripted:
    """An answer, and what goes wrong with it."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    resets_after: int | None = None
    parts: int = 1
    pause_s: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


class VendorServer(ThreadingHTTPServer):
    """A server with a list of answers for each path; the last one of a list repeats.

    A function ``respond`` answers instead if it is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[Scripted]] = {}
        self.asked: list[Asked] = []
        self.respond: Callable[[Asked], Scripted] | None = None
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def script(self, path: str, *answers: Scripted) -> str:
        """Set the answers of a path and all below, and return its URL."""
        self.answers[path] = list(answers)
        return self.url + path

    def next_answer(self, asked: Asked) -> Scripted:
        matching = [key for key in self.answers if asked.path.startswith(key)]
        if not matching:
            return Scripted("not there", 404)
        queue = self.answers[max(matching, key=len)]
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class _Handler(BaseHTTPRequestHandler):
    server: VendorServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        asked = Asked(parts.path, parameters, dict(self.headers))
        self.server.asked.append(asked)
        answer = (self.server.respond or self.server.next_answer)(asked)
        if answer.hangs:
            self.server.over.wait(20)
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Scripted) -> None:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.resets_after is not None:
            self.wfile.write(body[: answer.resets_after])
            self._reset()
            return
        size = max(1, -(-len(body) // answer.parts))
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if self.server.over.wait(answer.pause_s):
                return

    def _reset(self) -> None:
        """Close the connection so that the client is sent a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def open_vendor() -> Iterator[VendorServer]:
    """Run a vendor within the context."""
    with VendorServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


@dataclass
class ManualClock(WaitingClock):
    """A clock that waits by moving itself, and keeps the pauses."""

    moment: datetime = datetime(2026, 1, 6, 18, 0, tzinfo=UTC)
    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.move(seconds=seconds)

    def move(self, **step: float) -> None:
        self.moment += timedelta(**step)


def zip_bytes(text: str, name: str = "eurofxref-hist.csv") -> bytes:
    """Pack a text as the one file of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()

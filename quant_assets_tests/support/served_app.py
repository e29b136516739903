"""An application on a real port of this machine, and requests to it byte by byte."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from quant_assets.api.protocol import BoundedProtocol


@contextmanager
def served(app: ASGIApp, **options: Any) -> Iterator[int]:
    """Serve an application by uvicorn in a thread; yields its port."""
    config = uvicorn.Config(app, port=0, http=BoundedProtocol, log_config=None, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)


def exchange(port: int, *parts: bytes, pause: float = 0.0, timeout: float = 30.0) -> bytes:
    """Send bytes on a new connection, and return all answers until the server closes it.

    Args:
        port: the port.
        parts: what to send, one after the other.
        pause: seconds between two parts.
        timeout: seconds without an answer after which the wait fails.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        for number, part in enumerate(parts):
            if number:
                time.sleep(pause)
            try:
                connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer; 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

"""Limits of what a request may send: bytes of its body, and seconds until the body is complete."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quant_assets.api.problems import Refusal, problem_response

# What is left of a refused body is not read, so the connection cannot go on.
_CLOSE = {"Connection": "close"}


class BodyLimits:
    """Middleware that refuses bodies which are too large or come too slowly.

    Args:
        app: the application.
        most_bytes: bytes that a body may have.
        most_seconds: seconds from the start of a request until its body must be complete.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, most_seconds: float = 30.0) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count what it sends."""
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        size = headers.get(b"content-length", b"")
        if not size and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
        elif size.isdigit() and int(size) > self._most_bytes:
            refusal = self._refuse_size(int(size))
            await problem_response(refusal.document, _CLOSE)(scope, receive, send)
        else:
            await self._app(scope, self._limit(receive), send)

    def _limit(self, receive: Receive) -> Receive:
        end = asyncio.get_running_loop().time() + self._most_seconds
        received, complete = 0, False

        async def receive_within() -> Message:
            nonlocal received, complete
            try:
                async with asyncio.timeout_at(None if complete else end):
                    message = await receive()
            except TimeoutError:
                raise self._refuse_pace(received) from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > self._most_bytes:
                    raise self._refuse_size(received)
            return message

        return receive_within

    def _refuse_size(self, size: int) -> Refusal:
        expected, found = f"at most {self._most_bytes} bytes", f"{size} bytes or more"
        problem = "the body is too large"
        return Refusal(413, problem, where="body", expected=expected, found=found, headers=_CLOSE)

    def _refuse_pace(self, received: int) -> Refusal:
        expected = f"the whole body within {self._most_seconds:g} seconds"
        found, problem = f"{received} bytes", "the body came too slowly"
        return Refusal(408, problem, where="body", expected=expected, found=found, headers=_CLOSE)

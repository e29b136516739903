"""Events as they happen: server-sent events, and a WebSocket.

Both send the same messages. What an event is belongs in ``api.events``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, FastAPI, Header, Query, WebSocket, WebSocketDisconnect
from fastapi.sse import format_sse_event
from starlette.requests import HTTPConnection, Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from quant_assets.api.events import Event, EventId
from quant_assets.api.feed import Feed, follow_lake
from quant_assets.api.origin import is_from_another_site
from quant_assets.api.problems import Refusal
from quant_assets.api.security import Caller, Reader, gate_of
from quant_assets.api.subscription import REVOKED, Ending, Subscription
from quant_assets.core.errors import ForbiddenError, QuantAssetsError

HEARTBEAT = 15.0
"""Seconds after which a subscriber without events is told that the server is there."""
_SEND_SECONDS = 20.0
"""Longest wait for a subscriber that reads nothing."""
_RETRY_MILLISECONDS = 1000
_FIRST_MESSAGE = msgspec.json.Decoder(dict[str, str])
_EXAMPLE = """retry: 1000
event: start
data: {"id":"46-0","kind":"start"}
id: 46-0

event: forecast
data: {"id":"47-1","kind":"forecast","at":"2026-01-05T06:10:12.3Z","change":"published",
data: "day":"2026-01-05","first_day":"2026-01-05","days":1,"targets":120,"origin":"live"}
id: 47-1
"""
After = Annotated[
    str | None,
    Query(description="Id of the newest event that the caller has.", examples=["46-1"]),
]


@asynccontextmanager
async def _feed(app: FastAPI) -> AsyncIterator[None]:
    context = app.state.context
    async with follow_lake(context.lake, context.state) as feed:
        app.state.feed = feed
        yield


router = APIRouter(tags=["Stream"], lifespan=_feed)


def feed_of(connection: HTTPConnection) -> Feed:
    """Return the feed of the server that a request or a WebSocket reached."""
    return cast(Feed, connection.app.state.feed)


@router.get(
    "/stream",
    response_class=StreamingResponse,
    summary="Events as they happen",
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}}
    },
)
async def stream(
    request: Request,
    caller: Reader,
    after: After = None,
    last_event_id: Annotated[str | None, Header(description="As `after`, but newer.")] = None,
) -> StreamingResponse:
    """Send a message when a forecast is published, a release changes, or an alert opens or ends.

    Each has an id. A caller who sends the newest id that it has gets every event since, whatever
    server of the lake it reaches. An id that no event has is answered with 404, one whose events
    have expired with 410. Comments keep an idle connection open.
    """
    feed = feed_of(request)
    subscription, start, missed = await feed.subscribe(last_event_id or after)
    return _EventStream(feed, subscription, _encode(request, subscription, caller, start, missed))


@router.websocket("/ws/stream")
async def websocket_stream(websocket: WebSocket, caller: Reader, after: str | None = None) -> None:
    """Send the messages of ``GET /stream``, one JSON object each.

    The first message of the caller may be ``{"after": ID}``, as the parameter may say it.

    Raises:
        ForbiddenError: a page of another site asks.
    """
    if is_from_another_site(websocket):
        raise ForbiddenError("a page of another site may not listen", where="the header Origin")
    await websocket.accept()
    with suppress(WebSocketDisconnect, TimeoutError):
        ending = await _Conversation(websocket, caller).hold(after)
        async with asyncio.timeout(_SEND_SECONDS):
            await websocket.close(ending.code, ending.reason[:120])


class _EventStream(StreamingResponse):
    """The answer to ``GET /stream``; the subscription ends with it, however it ends."""

    media_type = "text/event-stream"

    def __init__(
        self, feed: Feed, subscription: Subscription, content: AsyncIterator[bytes]
    ) -> None:
        # A proxy that buffered or compressed the answer would hold events back.
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, headers=headers)
        self._feed = feed
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the subscription ends or the caller has gone."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        try:
            with suppress(TimeoutError):
                await super().__call__(scope, receive, send_in_time)
        finally:
            self._feed.unsubscribe(self._subscription)


async def _encode(
    request: Request,
    subscription: Subscription,
    caller: Caller,
    start: EventId,
    missed: list[Event],
) -> AsyncIterator[bytes]:
    """Yield the chunks of an event stream."""
    yield format_sse_event(
        data_str=_start_message(start),
        event="start",
        id=str(start),
        retry=_RETRY_MILLISECONDS,
    )
    events = missed
    while True:
        if events:
            yield b"".join(
                format_sse_event(data_str=event.json, event=event.kind, id=str(event.id))
                for event in events
            )
        events = await subscription.read(HEARTBEAT)
        if not events and subscription.ending is None:
            if not await gate_of(request).still_admits(caller):
                subscription.end(REVOKED)
            yield b": alive\n\n"
        if subscription.ending:
            # An empty id makes a browser forget an id that cannot be resumed.
            resume = None if subscription.ending.resumable else ""
            message = _end_message(subscription.ending)
            yield format_sse_event(data_str=message, event="end", id=resume)
            return


class _Conversation:
    """One WebSocket: events go out, and the first message that comes in may name an id."""

    def __init__(self, websocket: WebSocket, caller: Caller) -> None:
        self._websocket = websocket
        self._caller = caller
        self._feed = feed_of(websocket)
        self._subscription = Subscription()

    async def hold(self, after: str | None) -> Ending:
        """Send events until the subscription ends, or the caller goes or says something wrong."""
        listening = asyncio.create_task(self._listen(may_resume=after is None))
        try:
            while True:
                sending = asyncio.create_task(self._send_events(after))
                done, _ = await asyncio.wait(
                    {listening, sending}, return_when=asyncio.FIRST_COMPLETED
                )
                self._feed.unsubscribe(self._subscription)
                if sending in done:
                    return sending.result()
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                heard = listening.result()
                if isinstance(heard, Ending):
                    return heard
                after, listening = heard, asyncio.create_task(self._listen(may_resume=False))
        finally:
            self._feed.unsubscribe(self._subscription)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, *, may_resume: bool) -> str | Ending:
        """Return the id that the caller's next message names, or why the message is wrong."""
        text = await self._websocket.receive_text()
        if not may_resume:
            return Ending(4400, "only the first message may name an id")
        try:
            return _FIRST_MESSAGE.decode(text)["after"]
        except (msgspec.DecodeError, KeyError):
            return Ending(4400, 'the first message has to be like {"after": "46-1"}')

    async def _send_events(self, after: str | None) -> Ending:
        try:
            self._subscription, start, missed = await self._feed.subscribe(after)
        except Refusal as error:
            return Ending(4000 + error.status_code, f"{error.detail}: {error.document['expected']}")
        except QuantAssetsError as error:
            return Ending(1013, error.problem)
        await self._send(_start_message(start))
        for event in missed:
            await self._send(event.json)
        while self._subscription.ending is None:
            events = await self._subscription.read(HEARTBEAT)
            for event in events:
                await self._send(event.json)
            if not events and self._subscription.ending is None:
                if not await gate_of(self._websocket).still_admits(self._caller):
                    return REVOKED
                await self._send('{"kind":"alive"}')
        return self._subscription.ending

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(_SEND_SECONDS):
            await self._websocket.send_text(text)


def _start_message(start: EventId) -> str:
    return _to_json({"id": str(start), "kind": "start"})


def _end_message(ending: Ending) -> str:
    return _to_json({"kind": "end", "reason": ending.reason, "resumable": ending.resumable})


def _to_json(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()

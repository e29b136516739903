"""Events over ``GET /stream`` and the WebSocket: none is lost, none comes twice."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from quant_assets.access.keys import make_key, revoke_key
from quant_assets.api import subscription
from quant_assets.api.feed import Feed
from quant_assets.api.routes import stream
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.installation import Installation, copy_loaded
from quant_assets_tests.support.server_process import Listener, running_server, start_server
from quant_assets_tests.support.stored_events import write_alert

SECONDS = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, ApiServer]]:
    installation = copy_loaded(tmp_path_factory.mktemp("stream"))
    with serve(installation.settings) as server:
        yield installation, server
        # A server waits for its streams, which this module leaves open.
        server.app.state.feed.end()


@pytest.fixture(scope="module")
def lake(served: tuple[Installation, ApiServer]) -> Iterator[Lake]:
    with Lake(served[0].settings.lake_dir) as opened:
        yield opened


@pytest.fixture
def url(served: tuple[Installation, ApiServer]) -> str:
    return served[1].url


def websocket(url: str, query: str = "", **options: Any) -> ClientConnection:
    return connect(f"ws{url.removeprefix('http')}/ws/stream{query}", **options)


def receive(line: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line.recv(timeout=SECONDS))
    return message


def close_of(line: ClientConnection) -> tuple[int, str]:
    """Read until the server closes, and return the code and the reason."""
    with suppress(ConnectionClosedError):
        for _ in line:
            pass
    assert line.close_code is not None
    return line.close_code, line.close_reason or ""


def test_both_forms_tell_the_same_and_can_be_resumed(url: str, lake: Lake) -> None:
    listener = Listener(url)
    start = listener.next("start")
    with websocket(url) as line:
        assert receive(line) == start
        for number in range(3):
            write_alert(lake, f"both {number}")
        write_alert(lake, "both 0", closed_at=datetime.now(UTC).replace(tzinfo=None))
        events = [listener.next("alert") for _ in range(4)]
        assert [receive(line) for _ in range(4)] == events
    assert [event["change"] for event in events] == ["opened"] * 3 + ["ended"]
    ids = [event["id"] for event in events]
    assert [block["id"] for block in listener.blocks[-4:]] == ids
    missed = Listener(url, after=ids[1])
    assert [missed.next("alert") for _ in range(2)] == events[2:]
    with websocket(url, f"?after={ids[2]}") as line:
        assert receive(line)["id"] == ids[2]
        assert receive(line) == events[3]
    with websocket(url) as line:
        receive(line)
        line.send(json.dumps({"after": ids[0]}))
        assert receive(line) == {"id": ids[0], "kind": "start"}
        assert [receive(line) for _ in range(3)] == events[1:]
    everything = Listener(url, after=start["id"])
    assert [everything.next("alert") for _ in range(4)] == events


def test_the_header_is_newer_than_the_parameter(url: str, lake: Lake) -> None:
    write_alert(lake, "newer")
    first = Listener(url, after="0-0")
    while (event := first.next("alert"))["key"] != "newer":
        pass
    with httpx.stream(
        "GET", f"{url}/stream?after=0-0", headers={"Last-Event-ID": event["id"]}, timeout=SECONDS
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store, no-transform"
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(3)][2] == f"id: {event['id']}"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("999999-1", "newest id"),
        ("30-7", "has fewer events"),
        ("yesterday", "two numbers with a dash"),
        ("1-1\x00", "two numbers with a dash"),
    ],
)
def test_an_id_that_no_event_has_is_refused(url: str, after: str, words: str) -> None:
    answer = httpx.get(f"{url}/stream", params={"after": after})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["expected"]
    with websocket(url) as line:
        line.send(json.dumps({"after": after}))
        code, reason = close_of(line)
        assert (code, words in reason) == (4404, True)


def test_what_is_no_first_message_ends_a_conversation(url: str) -> None:
    for text in ("hello", "[1]", '{"before": "1-1"}', '{"after": 3}', "{" * 4000):
        with websocket(url) as line:
            line.send(text)
            assert close_of(line)[0] == 4400
    with websocket(url, "?after=0-0") as line:
        line.send(json.dumps({"after": "0-0"}))
        assert close_of(line)[0] == 4400


def test_a_page_of_another_site_may_not_listen(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        websocket(url, origin="https://elsewhere.example")
    assert refused.value.response.status_code in {401, 403}
    with websocket(url, origin=url) as line:
        assert receive(line)["kind"] == "start"


def test_one_that_reads_too_slowly_is_dropped() -> None:
    async def drop() -> subscription.Subscription:
        slow = subscription.Subscription()
        for _ in range(subscription.BUFFER + 1):
            slow.put([None])  # type: ignore[list-item]
        assert await slow.read(0.1) == []
        return slow

    slow = asyncio.run(drop())
    assert slow.ending == subscription.TOO_SLOW
    assert slow.ending.resumable


def test_a_feed_loses_nothing_when_snapshots_expire(installation: Installation) -> None:
    """Events that expired unread end the streams; those that were read are still there."""

    async def follow() -> None:
        with Lake(installation.settings.lake_dir) as lake, Lake(lake_dir, read_only=True) as read:
            feed = Feed(read)
            subscriber, start, _ = await feed.subscribe(None)
            write_alert(lake, "a")
            await feed.advance()
            (event,) = await subscriber.read(0.1)
            lake.maintain(0)
            await feed.advance()
            assert (await feed.subscribe(str(start)))[2] == [event]
            write_alert(lake, "b")
            lake.maintain(0)
            await feed.advance()
            assert subscriber.ending == subscription.LOST
            for gone in (str(start), str(event.id)):
                with pytest.raises(stream.Refusal) as refused:
                    await feed.subscribe(gone)
                assert refused.value.status_code == 410

    lake_dir = installation.settings.lake_dir
    asyncio.run(follow())


def test_a_stream_ends_soon_after_its_key_is_revoked(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    settings = installation.settings
    with Lake(settings.lake_dir) as lake, serve(settings) as server:
        key, token = make_key(lake, settings.lake_dir, "ann", "read", datetime.now(UTC))
        listener = Listener(server.url, **{"X-API-Key": token})
        listener.next("start")
        with websocket(server.url, additional_headers={"X-API-Key": token}) as line:
            receive(line)
            revoke_key(lake, settings.lake_dir, key.id, datetime.now(UTC))
            assert close_of(line) == (4401, "the API key is not valid any more")
        assert "not valid" in listener.next("end")["reason"]
        listener.ends()


def test_after_a_kill_another_server_goes_on_from_the_id(installation: Installation) -> None:
    with running_server(installation) as killed, Lake(installation.settings.lake_dir) as lake:
        listener = Listener(killed.url)
        listener.next("start")
        write_alert(lake, "before")
        before = listener.next("alert")
        killed.end(signal.SIGKILL)
        write_alert(lake, "meanwhile")
        server = start_server(installation, "--port", killed.port)
        try:
            again = Listener(server.url, after=before["id"])
            assert again.next("alert")["key"] == "meanwhile"
            write_alert(lake, "after")
            assert again.next("alert")["key"] == "after"
        finally:
            server.end()
            server.close()

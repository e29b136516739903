"""The client asks a real server on loopback, which fails as vendors do."""

import gzip
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from quant_assets.core.errors import SettingsError, SourceError
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.paging import fetch_pages
from quant_assets.sources.http.requests import Answer, Credentials, Kind, Request
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.waiting import Limits, WaitingClock, parse_retry_after
from quant_assets_tests.support.alert_receiver import closed_port
from quant_assets_tests.support.vendor_server import (
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
)

KEY = "swordfish-4711/+x"
GOOD = Scripted('{"a": 1}', headers={"Content-Type": "application/json"})
SHORT = Limits(read_s=0.2, whole_s=5.0, attempts=2)


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with open_vendor() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def client(tmp_path: Path, clock: ManualClock) -> HttpClient:
    return HttpClient("vendor", ResponseStore(tmp_path), clock=clock)


def ask(url: str, kind: Kind = Kind.JSON, **more: bool) -> Request:
    return Request("prices", url, kind, {"from": "2026-01-02"}, **more)


def keyed(clock: WaitingClock, store: ResponseStore | None = None) -> HttpClient:
    secret = SecretStr(KEY)
    credentials = Credentials({"Authorization": SecretStr(f"Token {KEY}")}, {"api_key": secret})
    return HttpClient("vendor", store, credentials, SHORT, clock)


def test_an_answer_is_returned_and_kept(vendor: VendorServer, client: HttpClient) -> None:
    answer = client.fetch(ask(vendor.script("/p", GOOD)))
    assert answer.json() == {"a": 1}
    assert vendor.asked[0].parameters == {"from": "2026-01-02"}
    assert client.store
    (record,) = client.store.records()
    assert (record.url, record.status, record.problem) == (answer.url, 200, "")
    assert client.store.read(record) == answer.body


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(
    vendor: VendorServer, client: HttpClient, clock: ManualClock, status: int
) -> None:
    url = vendor.script("/p", Scripted("Too Many Requests", status), GOOD)
    assert client.fetch(ask(url)).json() == {"a": 1}
    assert len(clock.pauses) == 1
    assert 1 <= clock.pauses[0] <= 2
    assert client.store
    assert [record.status for record in client.store.records()] == [status, 200]


def test_pauses_grow_until_the_attempts_are_over(
    vendor: VendorServer, client: HttpClient, clock: ManualClock
) -> None:
    url = vendor.script("/p", Scripted("Too Many Requests", 429))
    with pytest.raises(SourceError, match="429 with 'Too Many Requests', in the last of 4") as info:
        client.fetch(ask(url))
    assert info.value.where == f"{url}?from=2026-01-02"
    assert [round(pause) for pause in clock.pauses] != sorted(clock.pauses, reverse=True)
    assert clock.pauses == sorted(clock.pauses)
    assert len(clock.pauses) == 3


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("7", 7.0),
        ("Tue, 06 Jan 2026 18:00:30 GMT", 30.0),
        ("86400", 60.0),
        ("Tue, 06 Jan 2026 17:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_obeyed_up_to_a_limit(
    vendor: VendorServer, client: HttpClient, clock: ManualClock, value: str, pause: float
) -> None:
    client.fetch(ask(vendor.script("/p", Scripted("", 429, {"Retry-After": value}), GOOD)))
    assert clock.pauses == [pause]


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "Someday, 40 Jan"])
def test_retry_after_that_says_nothing(value: str | None) -> None:
    assert parse_retry_after(value, datetime(2026, 1, 6, tzinfo=UTC)) is None


def test_a_hang_ends(vendor: VendorServer, clock: ManualClock) -> None:
    client = HttpClient("vendor", limits=SHORT, clock=clock)
    url = vendor.script("/p", Scripted(hangs=True))
    with pytest.raises(SourceError, match="ReadTimeout: timed out, in the last of 2 attempts"):
        client.fetch(ask(url))
    assert len(vendor.asked) == 2


def test_an_answer_that_trickles_in_ends(vendor: VendorServer) -> None:
    client = HttpClient("vendor", limits=Limits(whole_s=0.2, attempts=1))
    url = vendor.script("/p", Scripted("[" + " " * 40 + "]", parts=40, pause_s=0.05))
    with pytest.raises(SourceError, match=r"bytes in more than 0.2 s"):
        client.fetch(ask(url))


def test_a_reset_in_mid_body_is_tried_again(
    vendor: VendorServer, client: HttpClient, clock: ManualClock
) -> None:
    url = vendor.script("/p", Scripted("[" + " " * 5000 + "]", resets_after=2000), GOOD)
    assert client.fetch(ask(url)).json() == {"a": 1}
    assert len(clock.pauses) == 1
    assert client.store
    assert len(client.store.records()) == 1


def test_nobody_listens(client: HttpClient) -> None:
    with pytest.raises(SourceError, match="ConnectError"):
        client.fetch(ask(f"http://127.0.0.1:{closed_port()}/p"))


@pytest.mark.parametrize(
    ("kind", "answer", "problem"),
    [
        (Kind.JSON, Scripted("<!DOCTYPE html><p>Get a key"), "a web page"),
        (Kind.CSV, Scripted("\n <HTML>Get a key"), "a web page"),
        (Kind.CSV, Scripted("Get a key", headers={"Content-Type": "text/html"}), "a web page"),
        (Kind.ZIP, Scripted("<?xml version='1.0'?><Error/>"), "something else"),
        (Kind.JSON, Scripted("Your query was too short"), "something else"),
        (Kind.CSV, Scripted('{"error": "no key"}'), "something else"),
        (Kind.CSV, Scripted(""), "an empty body"),
        (Kind.JSON, Scripted(" \n"), "an empty body"),
        (Kind.JSON, Scripted("", 204), "an empty body"),
    ],
)
def test_a_wrong_body_with_status_200_is_refused(
    vendor: VendorServer, client: HttpClient, kind: Kind, answer: Scripted, problem: str
) -> None:
    with pytest.raises(SourceError, match=f"a vendor answered with {problem}"):
        client.fetch(ask(vendor.script("/p", answer), kind))
    assert len(vendor.asked) == 1
    assert client.store
    assert problem in client.store.records()[0].problem
    assert client.store.newest("vendor", "prices") is None


def test_an_empty_body_may_mean_that_nothing_is_new(
    vendor: VendorServer, client: HttpClient
) -> None:
    url = vendor.script("/p", Scripted(""))
    assert client.fetch(ask(url, Kind.CSV, empty_is_nothing=True)).body == b""


@pytest.mark.parametrize(("status", "hint"), [(403, "check the key"), (404, "check the name")])
def test_a_refusal_is_not_tried_again(
    vendor: VendorServer, client: HttpClient, status: int, hint: str
) -> None:
    with pytest.raises(SourceError, match=hint):
        client.fetch(ask(vendor.script("/p", Scripted("no", status))))
    assert len(vendor.asked) == 1


def test_too_large_a_body_is_refused(vendor: VendorServer) -> None:
    client = HttpClient("vendor", limits=Limits(most_bytes=1000))
    with pytest.raises(SourceError, match="too large"):
        client.fetch(ask(vendor.script("/p", Scripted("[" * 5000))))


def test_json_that_was_cut_is_refused(vendor: VendorServer, client: HttpClient) -> None:
    answer = client.fetch(ask(vendor.script("/p", Scripted('{"a": [1, '))))
    with pytest.raises(SourceError, match="not JSON"):
        answer.json()


def test_an_answer_that_is_no_text_is_refused(vendor: VendorServer, client: HttpClient) -> None:
    answer = client.fetch(ask(vendor.script("/p", Scripted(b"a,b\n\xff")), Kind.CSV))
    with pytest.raises(SourceError, match="byte 0xff at place 4"):
        answer.text  # noqa: B018


def test_a_damaged_compression_is_tried_again(
    vendor: VendorServer, client: HttpClient, clock: ManualClock
) -> None:
    url = vendor.script("/p", Scripted(b"no gzip", headers={"Content-Encoding": "gzip"}), GOOD)
    assert client.fetch(ask(url)).json() == {"a": 1}
    assert len(clock.pauses) == 1


def test_the_size_limit_holds_for_what_is_unpacked(vendor: VendorServer) -> None:
    packed = gzip.compress(b"[" * 100_000)
    client = HttpClient("vendor", limits=Limits(most_bytes=10_000))
    with pytest.raises(SourceError, match="too large"):
        client.fetch(
            ask(vendor.script("/p", Scripted(packed, headers={"Content-Encoding": "gzip"})))
        )


def test_a_proxy_of_the_environment_is_used(
    vendor: VendorServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", vendor.url)
    monkeypatch.setenv("no_proxy", "")
    vendor.script("/p", GOOD)
    assert client.fetch(ask("http://rates.example/p")).json() == {"a": 1}
    assert vendor.asked[0].headers["Host"] == "rates.example"


def test_requests_keep_an_interval(vendor: VendorServer, clock: ManualClock) -> None:
    client = HttpClient("vendor", limits=Limits(interval_s=12.0), clock=clock)
    url = vendor.script("/p", GOOD)
    client.fetch(ask(url))
    clock.move(seconds=5)
    client.fetch(ask(url))
    assert clock.pauses == pytest.approx([7.0])


def test_redirections_are_followed_on_the_same_host(vendor: VendorServer) -> None:
    vendor.script("/new", GOOD)
    url = vendor.script("/old", Scripted(status=301, headers={"Location": "/new?x=1"}))
    assert keyed(ManualClock()).fetch(ask(url)).json() == {"a": 1}
    assert vendor.asked[-1].parameters == {"x": "1", "api_key": KEY}
    assert vendor.asked[-1].headers["Authorization"] == f"Token {KEY}"


def test_redirections_end(vendor: VendorServer, client: HttpClient) -> None:
    url = vendor.script("/loop", Scripted(status=302, headers={"Location": "/loop"}))
    with pytest.raises(SourceError, match="redirects without end"):
        client.fetch(ask(url))


def test_another_host_is_followed_without_a_key_only(
    vendor: VendorServer, client: HttpClient, clock: ManualClock
) -> None:
    with open_vendor() as other:
        there = other.script("/p", GOOD)
        url = vendor.script("/old", Scripted(status=302, headers={"Location": there}))
        assert client.fetch(ask(url)).json() == {"a": 1}
        with pytest.raises(SourceError, match="the key must not reach others"):
            keyed(clock).fetch(ask(url))
        assert len(other.asked) == 1


@pytest.mark.parametrize("url", ["http://x:port/p", "http://x/\n"])
def test_an_address_that_is_none(client: HttpClient, url: str) -> None:
    with pytest.raises(SourceError, match="an address cannot be asked"):
        client.fetch(ask(url))


def test_a_key_is_sent_by_https_only() -> None:
    with pytest.raises(SourceError, match="unencrypted"):
        keyed(ManualClock()).fetch(ask("http://vendor.example/p"))


@pytest.mark.parametrize("key", ["k3y", "with\nline-end", " blank-before", "schlüsselwort"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(SettingsError) as info:
        Credentials(parameters={"token": SecretStr(key)})
    assert key not in str(info.value)


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(f'{{"echo": "{KEY}"}}'),
        Scripted(f'{{"echo": "{KEY}", "too": "{quote(KEY, "")}"}}'.replace("/", "\\/")),
        Scripted(f"{KEY} is unknown", 403),
        Scripted(f"{KEY} again", 429),
        Scripted(f"<html>{KEY}"),
        Scripted(f"Token {KEY}", 500),
        Scripted(status=302, headers={"Location": f"http://127.0.0.1:9/?api_key={KEY}"}),
        Scripted(status=302, headers={"Location": f"/p?api_key={KEY}"}),
        Scripted(hangs=True),
        Scripted("[" + KEY * 500, resets_after=2000),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[:8]!r}",
)
def test_a_key_appears_nowhere(
    vendor: VendorServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Scripted
) -> None:
    caplog.set_level(logging.DEBUG)
    client = keyed(ManualClock(), ResponseStore(tmp_path))
    texts = [repr(client), repr(client._credentials), repr(vars(client))]
    try:
        result = client.fetch(ask(vendor.script("/p", answer)))
        texts += [repr(result), result.text]
    except SourceError as error:
        texts += [repr(error), *traceback.format_exception(error)]
        chained: BaseException | None = error
        while chained := chained.__cause__ or chained.__context__:
            texts += [repr(chained), repr(vars(chained))]
    assert vendor.asked[0].parameters["api_key"] == KEY
    texts.append(caplog.text)
    texts += [str(path) for path in tmp_path.rglob("*")]
    texts += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert "swordfish" not in "\n".join(texts)


def test_pages_are_followed_to_the_last(vendor: VendorServer, client: HttpClient) -> None:
    url = vendor.script("/p", *(Scripted(f"[{number}]") for number in range(3)))

    def find_next(answer: Answer) -> Request | None:
        number = answer.json()[0]
        return Request("prices", url, Kind.JSON, {"page": str(number)}) if number < 2 else None

    pages = fetch_pages(client, ask(url), find_next)
    assert [page.json() for page in pages] == [[0], [1], [2]]


@pytest.mark.parametrize("address", ["repeats", "moves"])
def test_pages_that_repeat_end(vendor: VendorServer, client: HttpClient, address: str) -> None:
    url = vendor.script("/p", Scripted('{"next_page_token": "again"}'))
    numbers = iter(range(10_000))

    def find_next(answer: Answer) -> Request:
        number = next(numbers) if address == "moves" else 0
        return Request("prices", url, Kind.JSON, {"page": str(number)})

    with pytest.raises(SourceError, match="do not end"):
        list(fetch_pages(client, ask(url), find_next))
    assert len(vendor.asked) == 2

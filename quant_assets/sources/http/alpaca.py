"""Alpaca: bars of US stocks as they were traded. Needs a key and its secret.

The free plan has the trades of one exchange only (``feed=iex``), whose volume is a few percent of
the whole. Splits and dividends are asked for by themselves: two requests a symbol.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from math import nan
from urllib.parse import urljoin

from quant_assets.sources.http.bar_source import open_bars
from quant_assets.sources.http.bars import (
    NEW_YORK,
    US_BARS_COMPLETE,
    Bar,
    Bars,
    Event,
    build_bars,
    newest_finished_day,
    place_actions,
)
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.json_fields import (
    day_of,
    field_of,
    letters_of,
    list_of,
    moment_of,
    number_of,
)
from quant_assets.sources.http.minute_bars import Values, build_minute_bars
from quant_assets.sources.http.paging import fetch_pages
from quant_assets.sources.http.requests import Answer, Kind, Request
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://data.alpaca.markets/v2/stocks/bars"
_PAGE = 10_000
_PAID_AFTER = timedelta(days=120)


def read_alpaca(
    client: Asker, symbol: str, start: date, end: date, url: str = URL, feed: str = "iex"
) -> Bars:
    """Read the bars of a stock from ``start`` to ``end``, both included, without unfinished ones.

    Args:
        client: opened with a key.
        symbol: Alpaca's name of the stock.
        start: first day.
        end: last day.
        url: the interface.
        feed: whose trades: ``iex`` of one exchange, ``sip`` of all.

    Raises:
        SourceError: Alpaca does not answer, or its answer has not the known form.
    """
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    asked = {"timeframe": "1Day", "feed": feed, "start": str(start), "end": str(until)}
    bars = [
        Bar(moment.astimezone(NEW_YORK).date(), values)
        for moment, values in _fetch_rows(client, symbol, symbol, url, asked)
    ]
    events = _read_events(client, symbol, start, until, url)
    return build_bars(symbol, place_actions(bars, events), until, url, with_actions=True)


def read_alpaca_minutes(
    client: Asker,
    symbol: str,
    start: date,
    end: date,
    url: str = URL,
    feed: str = "iex",
    *,
    minutes: int,
) -> Bars:
    """Read the bars within the days from ``start`` to ``end`` of a stock, unfinished days left out.

    Bars before and after the exchange's session are among them.

    Args:
        client: opened with a key.
        symbol: Alpaca's name of the stock.
        start: first day.
        end: last day.
        url: the interface.
        feed: as for :func:`read_alpaca`.
        minutes: length of the bars.

    Raises:
        SourceError: as for :func:`read_alpaca`.
    """
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    # The last minutes are refused without a plan, so nothing after the day's end is asked for.
    ends = (
        datetime.combine(start, time(), NEW_YORK),
        datetime.combine(until, US_BARS_COMPLETE, NEW_YORK),
    )
    first, last = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in ends)
    asked = {"timeframe": f"{minutes}Min", "feed": feed, "start": first, "end": last}
    rows = _fetch_rows(client, f"{symbol} {minutes} min", symbol, url, asked)
    return build_minute_bars(symbol, rows, until, url)


def _fetch_rows(
    client: Asker, dataset: str, symbol: str, url: str, asked: Mapping[str, str]
) -> Iterator[tuple[datetime, Values]]:
    """Ask for the bars of a stock, page after page; yield when each begins, and its values."""
    own = {"symbols": symbol, "adjustment": "raw", "limit": str(_PAGE), **asked}

    def request(token: str | None) -> Request:
        page = {"page_token": token} if token else {}
        return Request(dataset, url, Kind.JSON, own | page)

    def find_next(answer: Answer) -> Request | None:
        token = field_of(answer.json(), "next_page_token", where=answer.url)
        return request(str(token)) if token else None

    for page in fetch_pages(client, request(None), find_next):
        yield from _parse(page, symbol)


def _read_events(client: Asker, symbol: str, start: date, until: date, url: str) -> list[Event]:
    """Read the splits and dividends of a stock; some after ``until`` may be among them."""

    def request(token: str | None) -> Request:
        parameters = {
            "symbols": symbol,
            "types": "forward_split,reverse_split,cash_dividend",
            "start": str(start),
            # A dividend may be listed by the day on which it is paid.
            "end": str(until + _PAID_AFTER),
            "limit": "1000",
        }
        page = {"page_token": token} if token else {}
        address = urljoin(url, "/v1/corporate-actions")
        return Request(f"{symbol} actions", address, Kind.JSON, parameters | page)

    def find_next(answer: Answer) -> Request | None:
        token = answer.json().get("next_page_token")
        return request(str(token)) if token else None

    pages = fetch_pages(client, request(None), find_next)
    return [event for page in pages for event in _parse_events(page) if event.day >= start]


def _parse_events(answer: Answer) -> Iterator[Event]:
    where = answer.url
    kinds = field_of(answer.json(), "corporate_actions", where=where) or {}

    def number(row: object, name: str) -> float:
        return number_of(field_of(row, name, where=where), where)

    for kind in ("forward_splits", "reverse_splits", "cash_dividends"):
        for row in kinds.get(kind) or ():
            day = day_of(field_of(row, "ex_date", where=where), where)
            if kind == "cash_dividends":
                yield Event(day, dividend=number(row, "rate"))
            else:
                yield Event(day, split=number(row, "new_rate") / (number(row, "old_rate") or nan))


def _parse(answer: Answer, symbol: str) -> Iterator[tuple[datetime, Values]]:
    where = answer.url
    by_symbol = field_of(answer.json(), "bars", where=where)
    if not by_symbol:
        return
    for row in list_of(by_symbol, symbol, where=where):
        yield moment_of(field_of(row, "t", where=where), where), letters_of(row, where)


# The free plan allows 200 requests a minute.
ALPACA = Vendor(
    name="alpaca",
    title="Alpaca",
    url=URL,
    read=read_alpaca,
    limits=Limits(interval_s=0.3),
    keys={
        "APCA-API-KEY-ID": "APCA_API_KEY_ID",
        "APCA-API-SECRET-KEY": "APCA_API_SECRET_KEY",
    },
    feeds=("iex", "sip"),
    read_minutes=read_alpaca_minutes,
)
"""The vendor."""

open_source = partial(open_bars, ALPACA)
"""Opens the source ``alpaca`` of a described market."""

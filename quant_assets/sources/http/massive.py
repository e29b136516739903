"""Massive, formerly Polygon: bars of US stocks as they were traded. Needs a key.

Splits and dividends are asked for by themselves: three requests a symbol.
"""

from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from math import nan
from urllib.parse import urljoin, urlsplit

from quant_assets.core.errors import SourceError
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
from quant_assets.sources.http.requests import Answer, Kind, Request, in_path
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://api.massive.com/v2/aggs/ticker"
_PARAMETERS = {"adjusted": "false", "sort": "asc", "limit": "50000"}
_DAYS = {"splits": "execution_date", "dividends": "ex_dividend_date"}


def read_massive(client: Asker, symbol: str, start: date, end: date, url: str = URL) -> Bars:
    """Read the bars of a stock from ``start`` to ``end``, both included, without unfinished ones.

    Args:
        client: opened with a key.
        symbol: Massive's name of the stock.
        start: first day.
        end: last day.
        url: the interface.

    Raises:
        SourceError: Massive does not answer, or its answer has not the known form.
    """
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    address = f"{url}/{in_path(symbol)}/range/1/day/{start}/{end}"
    bars = [
        Bar(moment.astimezone(NEW_YORK).date(), values)
        for page in _fetch_all(client, Request(symbol, address, Kind.JSON, _PARAMETERS))
        for moment, values in _parse(page)
    ]
    events = [
        event
        for kind in ("splits", "dividends")
        for page in _fetch_all(client, _ask_events(symbol, kind, start, url))
        for event in _parse_events(page, kind)
    ]
    return build_bars(symbol, place_actions(bars, events), until, address, with_actions=True)


def read_massive_minutes(
    client: Asker, symbol: str, start: date, end: date, url: str = URL, *, minutes: int
) -> Bars:
    """Read the bars within the days from ``start`` to ``end`` of a stock, unfinished days left out.

    Bars before and after the exchange's session are among them.

    Args:
        client: opened with a key.
        symbol: Massive's name of the stock.
        start: first day.
        end: last day.
        url: the interface.
        minutes: length of the bars.

    Raises:
        SourceError: as for :func:`read_massive`.
    """
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    address = f"{url}/{in_path(symbol)}/range/{minutes}/minute/{start}/{until}"
    pages = _fetch_all(client, Request(f"{symbol} {minutes} min", address, Kind.JSON, _PARAMETERS))
    rows = (row for page in pages for row in _parse(page))
    return build_minute_bars(symbol, rows, until, address)


def _ask_events(symbol: str, kind: str, start: date, url: str) -> Request:
    address = urljoin(url, f"/stocks/v1/{kind}")
    parameters = {"ticker": symbol, f"{_DAYS[kind]}.gte": str(start), "limit": "5000"}
    return Request(f"{symbol} {kind}", address, Kind.JSON, parameters)


def _fetch_all(client: Asker, first: Request) -> Iterator[Answer]:
    def find_next(answer: Answer) -> Request | None:
        following = answer.json().get("next_url")
        if not following:
            return None
        if urlsplit(str(following))[:2] != urlsplit(first.url)[:2]:
            raise SourceError(
                "the next page is on another host",
                where=answer.url,
                expected=f"{urlsplit(first.url).netloc}, since the key must not reach others",
                found=urlsplit(str(following)).netloc,
            )
        return Request(first.dataset, str(following), Kind.JSON)

    return fetch_pages(client, first, find_next)


def _parse(answer: Answer) -> Iterator[tuple[datetime, Values]]:
    """Yield when each bar begins, and its values."""
    where, page = answer.url, answer.json()
    # No field at all is how some plans say that there are no bars.
    count = number_of(field_of(page, "resultsCount", where=where), where)
    rows = list_of(page, "results", where=where) if count or "results" in page else []
    if page.get("adjusted") is not False and rows:
        raise SourceError(
            "bars are adjusted", where=where, expected="adjusted: false", found=page.get("adjusted")
        )
    for row in rows:
        moment = number_of(field_of(row, "t", where=where), where) / 1000
        yield moment_of(moment, where), letters_of(row, where)


def _parse_events(answer: Answer, kind: str) -> Iterator[Event]:
    where = answer.url

    def number(row: object, name: str) -> float:
        return number_of(field_of(row, name, where=where), where)

    for row in list_of(answer.json(), "results", where=where):
        day = day_of(field_of(row, _DAYS[kind], where=where), where)
        if kind == "splits":
            yield Event(day, split=number(row, "split_to") / (number(row, "split_from") or nan))
        else:
            yield Event(day, dividend=number(row, "cash_amount"))


# The free plan allows 5 requests a minute.
MASSIVE = Vendor(
    name="massive",
    title="Massive",
    url=URL,
    read=read_massive,
    limits=Limits(interval_s=12.5),
    keys={"Authorization": "MASSIVE_API_KEY"},
    scheme="Bearer ",
    read_minutes=read_massive_minutes,
)
"""The vendor."""

open_source = partial(open_bars, MASSIVE)
"""Opens the source ``massive`` of a described market."""

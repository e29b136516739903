"""Tiingo: bars of US stocks as they were traded, with splits and dividends. Needs a key.

Bars within the day hold the trades of one exchange only, IEX, as Tiingo publishes no others.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from urllib.parse import urljoin

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.bar_source import open_bars
from quant_assets.sources.http.bars import (
    FIELDS,
    NEW_YORK,
    US_BARS_COMPLETE,
    Bar,
    Bars,
    build_bars,
    newest_finished_day,
)
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.json_fields import (
    day_of,
    field_of,
    list_of,
    moment_of,
    number_of,
)
from quant_assets.sources.http.minute_bars import Values, build_minute_bars
from quant_assets.sources.http.requests import Answer, Kind, Request, in_path
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://api.tiingo.com/tiingo/daily"
_ROWS = 10_000
_MINUTES_A_SESSION = 390


def read_tiingo(client: Asker, symbol: str, start: date, end: date, url: str = URL) -> Bars:
    """Read the bars of a stock from ``start`` to ``end``, both included, without unfinished ones.

    Args:
        client: opened with a key.
        symbol: Tiingo's name of the stock, such as ``brk-b``.
        start: first day.
        end: last day.
        url: the interface.

    Raises:
        SourceError: Tiingo does not answer, or its answer has not the known form.
    """
    parameters = {"startDate": str(start), "endDate": str(end), "format": "json"}
    request = Request(symbol, f"{url}/{in_path(symbol)}/prices", Kind.JSON, parameters)
    answer = client.fetch(request)
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    return build_bars(symbol, _parse(answer), until, answer.url, with_actions=True)


def read_tiingo_minutes(
    client: Asker, symbol: str, start: date, end: date, url: str = URL, *, minutes: int
) -> Bars:
    """Read the bars within the days from ``start`` to ``end`` of a stock, unfinished days left out.

    Args:
        client: opened with a key.
        symbol: Tiingo's name of the stock.
        start: first day.
        end: last day.
        url: the interface of daily bars, on whose host that of bars within the day is.
        minutes: length of the bars.

    Raises:
        SourceError: as for :func:`read_tiingo`; or an answer is cut off.
    """
    until = min(end, newest_finished_day(client.clock.now(), NEW_YORK, US_BARS_COMPLETE))
    address = urljoin(url, f"/iex/{in_path(symbol)}/prices")
    rows = _fetch_minutes(client, symbol, start, until, address, minutes)
    return build_minute_bars(symbol, rows, until, address)


def _fetch_minutes(
    client: Asker, symbol: str, start: date, until: date, address: str, minutes: int
) -> Iterator[tuple[datetime, Values]]:
    """Ask for some months at a time, as an answer has no more than 10,000 bars."""
    step = timedelta(days=_ROWS * minutes // _MINUTES_A_SESSION)
    asked = {"resampleFreq": f"{minutes}min", "columns": ",".join(FIELDS), "format": "json"}
    while start <= until:
        last = min(until, start + step - timedelta(days=1))
        span = {"startDate": str(start), "endDate": str(last)}
        answer = client.fetch(Request(f"{symbol} {minutes} min", address, Kind.JSON, asked | span))
        rows = list_of(answer.json(), where=answer.url)
        if len(rows) >= _ROWS:
            raise SourceError(
                "an answer is cut off",
                where=answer.url,
                expected=f"fewer than {_ROWS:,} bars",
                found=f"{len(rows):,}",
            )
        yield from _parse_minutes(rows, answer.url)
        start = last + timedelta(days=1)


def _parse_minutes(rows: Sequence[object], where: str) -> Iterator[tuple[datetime, Values]]:
    for row in rows:
        opened, high, low, close, volume = (
            number_of(field_of(row, name, where=where), where) for name in FIELDS
        )
        moment = moment_of(field_of(row, "date", where=where), where)
        yield moment, (opened, high, low, close, volume)


def _parse(answer: Answer) -> Iterator[Bar]:
    where = answer.url
    for row in list_of(answer.json(), where=where):
        numbers = {
            name: number_of(field_of(row, name, where=where), where)
            for name in (*FIELDS, "splitFactor", "divCash")
        }
        *values, split, dividend = numbers.values()
        opened, high, low, close, volume = values
        day = day_of(field_of(row, "date", where=where), where)
        yield Bar(day, (opened, high, low, close, volume), split, dividend)


# The free plan allows 50 symbols an hour and 1,000 requests a day.
TIINGO = Vendor(
    name="tiingo",
    title="Tiingo",
    url=URL,
    read=read_tiingo,
    limits=Limits(interval_s=1.0),
    keys={"Authorization": "TIINGO_API_KEY"},
    scheme="Token ",
    read_minutes=read_tiingo_minutes,
)
"""The vendor."""

open_source = partial(open_bars, TIINGO)
"""Opens the source ``tiingo`` of a described market."""

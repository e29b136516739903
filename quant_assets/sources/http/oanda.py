"""OANDA: candles of currencies and metals. Needs an account's token.

A daily candle begins at 17:00 in New York, and belongs to the day on which it ends.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.bar_source import open_bars
from quant_assets.sources.http.bars import NEW_YORK, Bar, Bars, build_bars
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.currency_pairs import parse_pair
from quant_assets.sources.http.json_fields import field_of, letters_of, list_of, moment_of
from quant_assets.sources.http.minute_bars import Values, build_minute_bars
from quant_assets.sources.http.paging import fetch_pages
from quant_assets.sources.http.requests import Answer, Kind, Request, in_path
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://api-fxpractice.oanda.com/v3/instruments"
_PAGE = 5_000
_BEGINS = time(17)


def read_oanda(client: Asker, symbol: str, start: date, end: date, url: str = URL) -> Bars:
    """Read the mid candles of an instrument from ``start`` to ``end``, both included.

    Candles that are not complete are left out. The volume counts changes of the price.

    Args:
        client: opened with a token.
        symbol: OANDA's name of the instrument, such as ``EUR_USD``.
        start: first day.
        end: last day.
        url: the interface.

    Raises:
        SourceError: OANDA does not answer, or its answer has not the known form.
    """
    asked = {"granularity": "D", "alignmentTimezone": "America/New_York", "dailyAlignment": "17"}
    address = f"{url}/{in_path(symbol)}/candles"
    rows = _fetch_rows(client, Request(symbol, address, Kind.JSON, asked), start, _begin_of(end))
    bars = (Bar(_end_day(moment, address), values) for moment, values in rows)
    kept = (bar for bar in bars if bar.day >= start)
    return build_bars(symbol, kept, end, address, with_actions=False)


def read_oanda_minutes(
    client: Asker, symbol: str, start: date, end: date, url: str = URL, *, minutes: int
) -> Bars:
    """Read the mid candles within the days from ``start`` to ``end``; the days begin at 17:00.

    Candles that are not complete are left out.

    Args:
        client: opened with a token.
        symbol: OANDA's name of the instrument.
        start: first day.
        end: last day.
        url: the interface.
        minutes: length of the candles.

    Raises:
        SourceError: as for :func:`read_oanda`.
    """
    address = f"{url}/{in_path(symbol)}/candles"
    first = Request(f"{symbol} {minutes} min", address, Kind.JSON, {"granularity": f"M{minutes}"})
    rows = _fetch_rows(client, first, start, _begin_of(end + timedelta(days=1)))
    return build_minute_bars(symbol, rows, end, address, _BEGINS)


def _fetch_rows(
    client: Asker, asked: Request, start: date, until: datetime
) -> Iterator[tuple[datetime, Values]]:
    """Yield when each complete candle begins, and its values.

    Args:
        client: opened with a token.
        asked: asks for candles of an instrument and a length.
        start: day with the first candle.
        until: when the last candle that is wanted begins; some later candles are yielded too.
    """

    def request(begin: str, *, included: bool) -> Request:
        # A moment in the future is refused, so a number of candles is asked for instead of an end.
        more = {"price": "M", "count": str(_PAGE), "from": begin, "includeFirst": str(included)}
        return replace(asked, parameters={**asked.parameters, **more})

    def find_next(answer: Answer) -> Request | None:
        candles = list_of(answer.json(), "candles", where=answer.url)
        if len(candles) < _PAGE:
            return None
        begin = field_of(candles[-1], "time", where=answer.url)
        if moment_of(begin, answer.url) >= until:
            return None
        return request(str(begin), included=False)

    first = request(f"{_begin_of(start):%Y-%m-%dT%H:%M:%SZ}", included=True)
    for page in fetch_pages(client, first, find_next):
        yield from _parse(page)


def _begin_of(day: date) -> datetime:
    """Return when a trading day begins, UTC."""
    return datetime.combine(day - timedelta(days=1), _BEGINS, NEW_YORK).astimezone(UTC)


def _parse(answer: Answer) -> Iterator[tuple[datetime, Values]]:
    where = answer.url
    for candle in list_of(answer.json(), "candles", where=where):
        if field_of(candle, "complete", where=where) is True:
            prices = {**field_of(candle, "mid", where=where), "v": candle.get("volume")}
            moment = moment_of(field_of(candle, "time", where=where), where)
            yield moment, letters_of(prices, where)


def _end_day(moment: datetime, where: str) -> date:
    """Return the day on which a daily candle ends.

    Raises:
        SourceError: it does not begin at 17:00 in New York.
    """
    begin = moment.astimezone(NEW_YORK)
    if begin.time() == _BEGINS:
        return begin.date() + timedelta(days=1)
    raise SourceError(
        "a candle begins at another time",
        where=where,
        expected=f"{_BEGINS:%H:%M} in New York",
        found=f"{begin:%Y-%m-%d %H:%M} there",
    )


def _name_symbol(instrument: str) -> str:
    """Return OANDA's name of a pair: ``EUR_USD`` for ``EURUSD``."""
    pair = parse_pair(instrument)
    return f"{pair.base}_{pair.quote}" if pair else instrument


OANDA = Vendor(
    name="oanda",
    title="OANDA",
    url=URL,
    read=read_oanda,
    limits=Limits(interval_s=0.1),
    keys={"Authorization": "OANDA_API_TOKEN"},
    scheme="Bearer ",
    complete=_BEGINS,
    name_symbol=_name_symbol,
    read_minutes=read_oanda_minutes,
    has_splits=False,
)
"""The vendor."""

open_source = partial(open_bars, OANDA)
"""Opens the source ``oanda`` of a described market."""

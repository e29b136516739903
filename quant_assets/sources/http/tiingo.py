"""Tiingo: daily bars of US stocks as they were traded, with splits and dividends. Needs a key."""

from collections.abc import Iterator
from datetime import date
from functools import partial

from quant_assets.sources.http.bar_source import open_bars
from quant_assets.sources.http.bars import (
    NEW_YORK,
    US_BARS_COMPLETE,
    Bar,
    Bars,
    build_bars,
    newest_finished_day,
)
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.json_fields import day_of, field_of, list_of, number_of
from quant_assets.sources.http.requests import Answer, Kind, Request, in_path
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://api.tiingo.com/tiingo/daily"


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


def _parse(answer: Answer) -> Iterator[Bar]:
    where = answer.url
    for row in list_of(answer.json(), where=where):
        numbers = {
            name: number_of(field_of(row, name, where=where), where)
            for name in ("open", "high", "low", "close", "volume", "splitFactor", "divCash")
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
)
"""The vendor."""

open_source = partial(open_bars, TIINGO)
"""Opens the source ``tiingo`` of a described market."""

"""Yahoo's chart interface, version 8: daily bars. Its terms forbid automated access.

It is asked only after the user has accepted that with ``QUANT_ACCEPT_YAHOO_TERMS=yes``. Prices come
divided by all later splits; here the splits are undone, so that a new split changes no past bar.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import FloatArray
from quant_assets.sources.http.bar_source import open_bars
from quant_assets.sources.http.bars import (
    FIELDS,
    Bar,
    Bars,
    build_bars,
    newest_finished_day,
    product_after,
    undo_splits,
)
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.json_fields import (
    field_of,
    list_of,
    moment_of,
    number_of,
    numbers_of,
)
from quant_assets.sources.http.requests import Answer, Kind, Request, in_path
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import Limits

URL = "https://query2.finance.yahoo.com/v8/finance/chart"
# All exchanges have closed, wherever they are, before their own day ends.
_COMPLETE = time(23, 59, 59)


def read_yahoo(client: Asker, symbol: str, start: date, end: date, url: str = URL) -> Bars:
    """Read the bars of a symbol from ``start`` to ``end``, both included, without unfinished ones.

    Days until now are asked for, whatever ``end`` is: later splits are in every price.

    Args:
        client: asks Yahoo.
        symbol: Yahoo's name of the instrument.
        start: first day.
        end: last day.
        url: the interface.

    Raises:
        SourceError: Yahoo does not answer, or its answer has not the known form.
    """
    now = client.clock.now()
    parameters = {
        "period1": str(int(datetime.combine(start, time(), UTC).timestamp())),
        "period2": str(int((now + timedelta(days=1)).timestamp())),
        "interval": "1d",
        "events": "div,splits,capitalGains",
    }
    answer = client.fetch(Request(symbol, f"{url}/{in_path(symbol)}", Kind.JSON, parameters))
    result = field_of(answer.json(), "chart", "result", 0, where=answer.url)
    zone = _zone_of(result, answer.url)
    until = min(end, newest_finished_day(now, zone, _COMPLETE))
    return build_bars(symbol, _parse(result, zone, answer), until, answer.url, with_actions=True)


def _zone_of(result: object, where: str) -> ZoneInfo:
    name = field_of(result, "meta", "exchangeTimezoneName", where=where)
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        pass
    raise SourceError("a time zone is unknown", where=where, expected="a name", found=repr(name))


def _parse(result: Mapping[str, Any], zone: ZoneInfo, answer: Answer) -> list[Bar]:
    where = answer.url
    if "timestamp" not in result:
        return []
    moments = list_of(result, "timestamp", where=where)
    days = [_local_day(moment, zone, where) for moment in moments]
    values = _read_columns(result, len(days), answer)
    splits = _read_events(result, "splits", zone, answer)
    dividends = _read_events(result, "dividends", zone, answer)
    if unknown := sorted((splits.keys() | dividends.keys()) - set(days)):
        raise SourceError(
            "a split or dividend is on a day without a bar",
            where=where,
            expected="a bar",
            found=unknown[0],
        )
    rows = undo_splits(days, values, splits).tolist()
    return [
        Bar(
            day,
            (row[0], row[1], row[2], row[3], row[4]),
            splits.get(day, 1.0),
            # Dividends are divided by later splits as prices are.
            dividends.get(day, 0.0) * product_after(day, splits),
        )
        for day, row in zip(days, rows, strict=True)
    ]


def _read_columns(result: Mapping[str, Any], rows: int, answer: Answer) -> FloatArray:
    """Return an array of shape (rows, 5) with ``FIELDS``.

    Raises:
        SourceError: a column is missing, or has another length.
    """
    quote = field_of(result, "indicators", "quote", 0, where=answer.url)
    columns = [numbers_of(list_of(quote, name, where=answer.url), answer) for name in FIELDS]
    lengths = [len(column) for column in columns]
    if set(lengths) == {rows}:
        return np.column_stack(columns)
    raise SourceError(
        "columns of an answer have different lengths",
        where=answer.url,
        expected=f"{rows} values, as there are times",
        found=", ".join(map(str, lengths)),
    )


def _read_events(
    result: Mapping[str, Any], kind: str, zone: ZoneInfo, answer: Answer
) -> dict[date, float]:
    """Return the factors of splits, or the amounts of dividends, by day."""
    names = ("numerator", "denominator") if kind == "splits" else ("amount",)
    by_day: dict[date, float] = {}
    for event in ((result.get("events") or {}).get(kind) or {}).values():
        day = _local_day(field_of(event, "date", where=answer.url), zone, answer.url)
        parts = [number_of(field_of(event, name, where=answer.url), answer.url) for name in names]
        by_day[day] = parts[0] / parts[1] if len(parts) == 2 else parts[0]
    return by_day


def _local_day(moment: object, zone: ZoneInfo, where: str) -> date:
    return moment_of(moment, where).astimezone(zone).date()


YAHOO = Vendor(
    name="yahoo",
    title="Yahoo",
    url=URL,
    read=read_yahoo,
    limits=Limits(interval_s=2.0),
    acceptance="QUANT_ACCEPT_YAHOO_TERMS",
    complete=_COMPLETE,
)
"""The vendor."""

open_source = partial(open_bars, YAHOO)
"""Opens the source ``yahoo`` of a described market."""

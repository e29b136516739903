"""FRED of the Federal Reserve Bank of St. Louis: economic series, with and without vintages.

The interface needs a key and has vintages; the table of a graph needs none and has the values as
they are now.
"""

from collections.abc import Iterator
from datetime import date

from quant_assets.core.errors import SourceError
from quant_assets.core.settings.vendor_keys import read_vendor_key
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.csv_rows import parse_day, read_csv_rows
from quant_assets.sources.http.json_fields import day_of, field_of, list_of, number_of
from quant_assets.sources.http.observations import (
    Observation,
    Observations,
    build_observations,
)
from quant_assets.sources.http.paging import fetch_pages
from quant_assets.sources.http.requests import Answer, Credentials, Kind, Request
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.waiting import Limits, WaitingClock

NAME = "fred"
API_URL = "https://api.stlouisfed.org/fred/series/observations"
GRAPH_URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
_LIMITS = Limits(interval_s=0.6)
_PAGE = 100_000
_ALL_VINTAGES = {"realtime_start": "1776-07-04", "realtime_end": "9999-12-31"}
# The header was DATE until December 2024.
_DAY_COLUMNS = ("observation_date", "DATE")


def open_fred(
    store: ResponseStore | None = None, clock: WaitingClock | None = None, *, keyed: bool = True
) -> HttpClient:
    """Open a client for FRED.

    Args:
        store: keeps the answers.
        clock: the clock.
        keyed: whether the interface is asked, with the key in ``FRED_API_KEY``.

    Raises:
        SettingsError: the key is needed and missing.
    """
    key = {"api_key": read_vendor_key("FRED_API_KEY", "FRED")} if keyed else {}
    return HttpClient(NAME, store, Credentials(parameters=key), _LIMITS, clock)


def read_fred(client: HttpClient, series: str, url: str = API_URL) -> Observations:
    """Read a series in all its vintages: each value with the first day on which it was known.

    Args:
        client: opened with a key.
        series: FRED's name of the series, such as ``DGS10``.
        url: the interface.

    Raises:
        SourceError: FRED does not answer, refuses (it gives at most 2,000 vintages), or its answer
            has not the known form.
    """
    first = _request(series, url, 0)

    def find_next(answer: Answer) -> Request | None:
        page = answer.json()
        count, offset = (
            int(number_of(field_of(page, name, where=answer.url), answer.url))
            for name in ("count", "offset")
        )
        read = offset + len(list_of(page, "observations", where=answer.url))
        return _request(series, url, read) if offset < read < count else None

    pages = fetch_pages(client, first, find_next)
    return build_observations(series, (row for page in pages for row in _parse(page)), url)


def read_fred_graph(client: HttpClient, series: str, url: str = GRAPH_URL) -> Observations:
    """Read a series as it is now, without a key. No vintage is known.

    Args:
        client: needs no key.
        series: FRED's name of the series, such as ``DGS10``.
        url: the table of a graph.

    Raises:
        SourceError: FRED does not answer, or its table has not the known columns.
    """
    answer = client.fetch(Request(f"{series} graph", url, Kind.CSV, {"id": series}))
    header, rows = read_csv_rows(answer.text, answer.url)
    if header[0] not in _DAY_COLUMNS or header[1:] != [series]:
        raise SourceError(
            "the columns of a table are unknown",
            where=answer.url,
            expected=f"{_DAY_COLUMNS[0]}, {series}",
            found=", ".join(header)[:200],
            hint="the vendor may have renamed them",
        )
    observations = (
        Observation(parse_day(day, f"{answer.url}, line {line}"), number_of(value, answer.url))
        for line, (day, value) in rows
    )
    return build_observations(series, observations, answer.url)


def _request(series: str, url: str, offset: int) -> Request:
    parameters = {
        "series_id": series,
        "file_type": "json",
        "output_type": "1",
        "limit": str(_PAGE),
        "offset": str(offset),
        **_ALL_VINTAGES,
    }
    return Request(f"{series} vintages", url, Kind.JSON, parameters)


def _parse(answer: Answer) -> Iterator[Observation]:
    where = answer.url
    for row in list_of(answer.json(), "observations", where=where):
        day, known_on = (_day(row, name, where) for name in ("date", "realtime_start"))
        yield Observation(day, number_of(field_of(row, "value", where=where), where), known_on)


def _day(row: object, name: str, where: str) -> date:
    return day_of(field_of(row, name, where=where), where)

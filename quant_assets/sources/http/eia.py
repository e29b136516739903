"""The Energy Information Administration of the United States, interface 2: daily energy prices.

No vintages are known. Negative oil prices of April 2020 are real.
"""

from collections.abc import Iterator

from quant_assets.core.errors import SourceError
from quant_assets.core.settings.vendor_keys import read_vendor_key
from quant_assets.sources.http.client import HttpClient
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

NAME = "eia"
URL = "https://api.eia.gov/v2"
PETROLEUM_SPOT = "petroleum/pri/spt"
_LIMITS = Limits(interval_s=0.5)
_PAGE = 5_000


def open_eia(store: ResponseStore | None = None, clock: WaitingClock | None = None) -> HttpClient:
    """Open a client with the key in ``EIA_API_KEY``.

    Args:
        store: keeps the answers.
        clock: the clock.

    Raises:
        SettingsError: the key is missing.
    """
    key = read_vendor_key("EIA_API_KEY", "the EIA")
    return HttpClient(NAME, store, Credentials(parameters={"api_key": key}), _LIMITS, clock)


def read_eia(
    client: HttpClient, series: str, route: str = PETROLEUM_SPOT, url: str = URL
) -> Observations:
    """Read a daily series.

    Args:
        client: opened with a key.
        series: the EIA's name of the series, such as ``RWTC``.
        route: where the series is, such as ``petroleum/pri/spt``.
        url: the interface.

    Raises:
        SourceError: the EIA does not answer, or its answer has not the known form.
    """
    address = f"{url}/{route}/data/"

    def request(offset: int) -> Request:
        parameters = {
            "frequency": "daily",
            "data[0]": "value",
            "facets[series][]": series,
            "sort[0][column]": "period",
            "sort[0][direction]": "asc",
            "offset": str(offset),
            "length": str(_PAGE),
        }
        return Request(series, address, Kind.JSON, parameters)

    read = 0

    def find_next(answer: Answer) -> Request | None:
        nonlocal read
        page, where = answer.json(), answer.url
        rows = len(list_of(page, "response", "data", where=where))
        total = number_of(field_of(page, "response", "total", where=where), where)
        read += rows
        return request(read) if rows and read < total else None

    pages = fetch_pages(client, request(0), find_next)
    observations = (row for page in pages for row in _parse(page, series))
    return build_observations(series, observations, address)


def _parse(answer: Answer, series: str) -> Iterator[Observation]:
    where = answer.url
    for row in list_of(answer.json(), "response", "data", where=where):
        name = field_of(row, "series", where=where)
        if name != series:
            raise SourceError(
                "an answer is about another series", where=where, expected=series, found=repr(name)
            )
        day = day_of(field_of(row, "period", where=where), where)
        yield Observation(day, number_of(field_of(row, "value", where=where), where))

"""Options that several vendors have in ``market.yaml``: addresses, and when answers are old."""

from collections.abc import Mapping
from datetime import timedelta

import httpx

from quant_assets.market.description.values import Value

_KEY = "refresh_after_hours"


def read_url(value: Value) -> str:
    """Return an address without a slash at its end.

    Raises:
        MarketError: it is none, or has a user's name.
    """
    text = value.text().rstrip("/")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise value.error(
            "not an address", expected="https://host/path, without a user's name", found="a text"
        )
    return text


def read_refresh_after(options: Mapping[str, Value], otherwise: timedelta) -> timedelta:
    """Return the age from which answers are old, by the option ``refresh_after_hours``.

    Args:
        options: the options by name.
        otherwise: the age if the option is not there.

    Raises:
        MarketError: it is no number of hours.
    """
    return timedelta(hours=options[_KEY].number(0, 720)) if _KEY in options else otherwise

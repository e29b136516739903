"""Options of the source ``ecb`` in ``market.yaml``, checked against the market's instruments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value, list_names, place_of, quote
from quant_assets.market.instruments import InstrumentSeries, SeriesList
from quant_assets.sources.http.currency_pairs import CurrencyPair, parse_pair
from quant_assets.sources.http.ecb_rates import is_currency
from quant_assets.sources.http.option_values import read_refresh_after, read_url

_KEYS = ("currencies", "crosses", "url", "api_url", "refresh_after_hours")
_URL = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"
_API_URL = "https://data-api.ecb.europa.eu/service/data/EXR"


@dataclass(frozen=True)
class EcbOptions:
    """What the source ``ecb`` delivers, and where it asks.

    Attributes:
        pairs: the c currency pairs, in the order of ``series``.
        series: the closes of the pairs.
        currencies: the currencies whose rates are needed, the euro excepted.
        url: address of the zip with the whole history.
        api_url: address of the interface for the newest days.
        refresh_after: age of the answers from which the bank is asked again.
    """

    pairs: tuple[CurrencyPair, ...]
    series: SeriesList
    currencies: tuple[str, ...]
    url: str = _URL
    api_url: str = _API_URL
    refresh_after: timedelta = timedelta(hours=1)


def read_ecb_options(options: Value | None, market: MarketDescription) -> EcbOptions:
    """Read the options of the source ``ecb``.

    Args:
        options: the value of ``source: {ecb: ...}``; None if nothing is written there.
        market: the market, whose instruments are currency pairs.

    Raises:
        MarketError: an option is wrong, or an instrument is not a pair that can be computed.
    """
    given = options.record(_KEYS) if options and options.content is not None else {}
    pairs = _list_pairs(market)
    if "crosses" in given:
        _check_crosses(given["crosses"], pairs)
    columns = [market.series_name(InstrumentSeries(name, "close")) for name in pairs]
    return EcbOptions(
        tuple(pairs.values()),
        market.list_series(columns),
        _read_currencies(given.get("currencies"), pairs),
        read_url(given["url"]) if "url" in given else _URL,
        read_url(given["api_url"]) if "api_url" in given else _API_URL,
        read_refresh_after(given, timedelta(hours=1)),
    )


def _list_pairs(market: MarketDescription) -> dict[str, CurrencyPair]:
    """Return the pair of each instrument."""
    pairs: dict[str, CurrencyPair] = {}
    for instrument in market.instruments():
        pair = parse_pair(instrument.name)
        if pair is None or instrument.fields != ("close",):
            raise MarketError(
                "an instrument is not a currency pair with a close",
                where=place_of(market.file),
                expected="two currencies, such as EURUSD or USDJPY, and the field close alone",
                found=f"{quote(instrument.name)} with {', '.join(instrument.fields)}",
                hint="the source ecb has daily reference rates of currencies only",
            )
        pairs[instrument.name] = pair
    return pairs


def _check_crosses(value: Value, pairs: Mapping[str, CurrencyPair]) -> None:
    """Check that the instruments without the euro are those that ``crosses`` allows."""
    crosses = [name for name, pair in pairs.items() if pair.is_cross]
    if isinstance(value.content, tuple):
        listed = value.items()
        for item in listed:
            item.choice("pair without the euro among the instruments", crosses)
        allowed = {item.text() for item in listed}
    else:
        allowed = set(crosses) if value.choice("answer", ["true", "false"]) == "true" else set()
    if refused := [name for name in crosses if name not in allowed]:
        raise value.error(
            "an instrument is a cross rate, and is not allowed",
            expected="pairs with EUR, or those that are listed",
            found=list_names(refused),
            hint="add it to `crosses`, or write `crosses: true`",
        )


def _read_currencies(value: Value | None, pairs: Mapping[str, CurrencyPair]) -> tuple[str, ...]:
    needed = list(dict.fromkeys(c for pair in pairs.values() for c in pair.currencies))
    if value is None:
        return tuple(needed)
    currencies = [item.text() for item in value.items()]
    for item in value.items():
        if not is_currency(item.text()) or item.text() == "EUR":
            raise item.error("not a currency", expected="a code such as USD; EUR has no rate")
    for currency in needed:
        if currency not in currencies:
            raise value.error(
                "an instrument needs a currency that is not listed",
                expected=currency,
                found=list_names(currencies),
                hint=suggest_names(currency, currencies, "add it, or leave out `currencies`"),
            )
    return tuple(dict.fromkeys(currencies))

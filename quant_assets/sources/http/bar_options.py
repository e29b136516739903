"""Options of a vendor of bars in ``market.yaml``, checked against the market's instruments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from quant_assets.core.errors import MarketError
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value, list_names, place_of, quote
from quant_assets.market.instruments import InstrumentSeries, SeriesList
from quant_assets.sources.http.bars import FIELDS
from quant_assets.sources.http.minute_bars import MINUTES
from quant_assets.sources.http.option_values import read_refresh_after, read_url
from quant_assets.sources.http.vendor import Vendor

_KEYS = ("symbols", "first_day", "refresh_after_hours", "url")
_REFRESH_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class BarOptions:
    """What a source of bars delivers, and where it asks.

    Attributes:
        symbols: the vendor's name of each instrument.
        series: the c series, all of whose fields the vendor has.
        first_day: first day that is asked for.
        url: the vendor's interface.
        feed: the vendor's feed; empty if it has none.
        refresh_after: age of the bars of a symbol from which the vendor is asked again.
        minutes: length of the bars within the day that are delivered as well; 0 for none.
    """

    symbols: tuple[tuple[str, str], ...]
    series: SeriesList
    first_day: date
    url: str
    feed: str = ""
    refresh_after: timedelta = _REFRESH_AFTER
    minutes: int = 0

    @property
    def asked_for(self) -> str:
        """What bars mean: the address, and the feed if there are feeds."""
        return f"{self.url} {self.feed}".strip()


def read_bar_options(
    vendor: Vendor, options: Value | None, market: MarketDescription
) -> BarOptions:
    """Read the options of a vendor.

    Args:
        vendor: the vendor.
        options: the value below the name of the source; None if nothing is written there.
        market: the market, whose instruments are a list or a table.

    Raises:
        MarketError: an option is wrong, or the vendor lacks a field of an instrument.
    """
    keys = [*_KEYS, *(("feed",) if vendor.feeds else ())]
    keys += ("bars",) if vendor.read_minutes else ()
    given = options.record(keys) if options and options.content is not None else {}
    url = read_url(given["url"]) if "url" in given else vendor.url
    feed = vendor.feeds[0] if vendor.feeds else ""
    if "feed" in given:
        feed = given["feed"].choice("feed", vendor.feeds)
    return BarOptions(
        tuple(_read_symbols(vendor, given.get("symbols"), market).items()),
        _list_series(vendor, market),
        _read_first_day(vendor, given, market),
        url,
        feed,
        read_refresh_after(given, _REFRESH_AFTER),
        _read_minutes(given["bars"]) if "bars" in given else 0,
    )


def _read_minutes(value: Value) -> int:
    """Return the length of the bars within the day."""
    minutes = value.record(("minutes",), required=("minutes",))["minutes"]
    if minutes.whole_number(1) not in MINUTES:
        raise minutes.error("bars of another length", expected=list_names(map(str, MINUTES)))
    return minutes.whole_number(1)


def _read_symbols(vendor: Vendor, value: Value | None, market: MarketDescription) -> dict[str, str]:
    """Return the vendor's name of each instrument; no two instruments have one name."""
    names = [each.name for each in market.instruments()]
    symbols = {name: vendor.name_symbol(name) for name in names}
    own = value.record(names) if value else {}
    symbols |= {name: item.text() for name, item in own.items()}
    taken: dict[str, str] = {}
    for name, symbol in symbols.items():
        if other := taken.get(symbol):
            place = own.get(name) or own.get(other)
            raise MarketError(
                "two instruments have one symbol",
                where=place.where if place else place_of(market.file),
                expected="another symbol for each instrument",
                found=f"{quote(symbol)} for {other} and for {name}",
            )
        taken[symbol] = name
    return symbols


def _list_series(vendor: Vendor, market: MarketDescription) -> SeriesList:
    columns = []
    for instrument in market.instruments():
        if lacking := [name for name in instrument.fields if name not in FIELDS]:
            raise MarketError(
                "a vendor lacks a field",
                where=place_of(market.file),
                expected=f"fields that {vendor.title} has: {', '.join(FIELDS)}",
                found=f"{quote(instrument.name)} with {list_names(lacking)}",
            )
        series = [InstrumentSeries(instrument.name, name) for name in instrument.fields]
        columns += [market.series_name(each) for each in series]
    return market.list_series(columns)


def _read_first_day(vendor: Vendor, given: Mapping[str, Value], market: MarketDescription) -> date:
    if "first_day" in given:
        return given["first_day"].day()
    if market.calendar.first_day:
        return market.calendar.first_day
    raise MarketError(
        "the first day of the history is not said",
        where=place_of(market.file, key=f"source.{vendor.name}"),
        expected="first_day, such as 2015-01-02",
        found="none, and none in `calendar`",
    )

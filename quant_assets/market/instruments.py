"""Names of series: a competition column's instrument and field, and an instrument's market.

No prices and no files belong here, only names.

A *series* is one column, such as ``US_Stock_CVX_adj_close``. It is one *field* (``close``) of one
*instrument* (``US_Stock_CVX``).
"""

from dataclasses import dataclass

from quant_assets.core.errors import unknown_name

MARKETS = ("LME", "JPX", "US", "FX")
FIELDS = ("open", "high", "low", "close", "volume", "open_interest", "settlement")
PRICE_FIELDS = ("open", "high", "low", "close", "settlement")

_SUFFIXES = {
    "LME": {"_Close": "close"},
    "JPX": {
        "_Open": "open",
        "_High": "high",
        "_Low": "low",
        "_Close": "close",
        "_Volume": "volume",
        "_settlement_price": "settlement",
        "_open_interest": "open_interest",
    },
    "US": {
        "_adj_open": "open",
        "_adj_high": "high",
        "_adj_low": "low",
        "_adj_close": "close",
        "_adj_volume": "volume",
    },
    "FX": {"": "close"},
}


@dataclass(frozen=True, order=True)
class InstrumentSeries:
    """A series: one field of one instrument."""

    instrument: str
    field: str


def market_of(instrument: str) -> str:
    """Return the market of an instrument or column: LME, JPX, US or FX.

    >>> market_of("US_Stock_CVX")
    'US'

    Raises:
        UnknownNameError: the name has no known market prefix.
    """
    market = instrument.split("_", 1)[0]
    if market not in MARKETS:
        raise unknown_name("market", instrument, list(MARKETS))
    return market


def parse_column(column: str) -> InstrumentSeries:
    """Split a competition column into instrument and field.

    >>> parse_column("US_Stock_CVX_adj_close")
    InstrumentSeries(instrument='US_Stock_CVX', field='close')

    Raises:
        UnknownNameError: the column does not follow the naming of any market.
    """
    for suffix, field in _SUFFIXES[market_of(column)].items():
        if column.endswith(suffix) and len(column) > len(suffix):
            return InstrumentSeries(column.removesuffix(suffix), field)
    raise unknown_name("series", column, [f"<instrument>{s}" for s in _SUFFIXES[market_of(column)]])


def column_name(series: InstrumentSeries) -> str:
    """Return the competition column of a series; the inverse of :func:`parse_column`.

    Raises:
        UnknownNameError: the market has no such field.
    """
    for suffix, field in _SUFFIXES[market_of(series.instrument)].items():
        if field == series.field:
            return series.instrument + suffix
    raise unknown_name("field", series.field, list(FIELDS))

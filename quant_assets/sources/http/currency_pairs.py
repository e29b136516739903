"""Currency pairs, and their prices from euro rates. Reading rates belongs in ``ecb_rates``.

The pair XXXYYY is the price of one XXX in YYY.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.sources.deliveries import UnreadCell
from quant_assets.sources.http.ecb_rates import MISSING, Rates, is_currency
from quant_assets.sources.http.json_fields import NUMBER

EURO = "EUR"


@dataclass(frozen=True)
class CurrencyPair:
    """A currency pair.

    Attributes:
        base: the currency that is priced.
        quote: the currency of the price.
    """

    base: str
    quote: str

    @property
    def is_cross(self) -> bool:
        """Whether neither currency is the euro."""
        return EURO not in {self.base, self.quote}

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies other than the euro."""
        return tuple(name for name in (self.base, self.quote) if name != EURO)


def parse_pair(name: str) -> CurrencyPair | None:
    """Split the name of a pair; None if it is none.

    >>> parse_pair("USDJPY")
    CurrencyPair(base='USD', quote='JPY')
    """
    base, quote = name[:3], name[3:]
    if base == quote or not (is_currency(base) and is_currency(quote)):
        return None
    return CurrencyPair(base, quote)


def price_pairs(
    days: DayArray, rates: Rates, pairs: Mapping[str, CurrencyPair]
) -> tuple[FloatArray, list[UnreadCell]]:
    """Compute the prices of pairs as ratios of two euro rates of the same day.

    Args:
        days: (n,) days, each of which has rates.
        rates: the rates.
        pairs: the c pairs by the names of their series.

    Returns:
        Prices of shape (n, c), NaN where a rate is missing or unread; and the cells in which a rate
        is text.
    """
    rows = [rates[day] for day in _to_dates(days)]
    texts = {name for pair in pairs.values() for name in pair.currencies}
    numbers = {name: _to_numbers([row.get(name, "") for row in rows]) for name in texts}
    numbers[EURO] = np.ones(len(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [numbers[pair.quote] / numbers[pair.base] for pair in pairs.values()]
    values = np.column_stack(columns) if columns else np.zeros((len(rows), 0))
    unread = [
        UnreadCell(i, name, text)
        for name, pair in pairs.items()
        for i, row in enumerate(rows)
        if (text := _unread_text(row, pair))
    ]
    return values, unread


def _to_dates(days: DayArray) -> list[date]:
    result: list[date] = days.tolist()
    return result


def _to_numbers(texts: Sequence[str]) -> FloatArray:
    """Return an array of shape (n,); NaN where a text is no number."""
    return np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in texts])


def _unread_text(row: Mapping[str, str], pair: CurrencyPair) -> str:
    """Return the first text of a pair's rates that is neither a number nor missing; else empty."""
    texts = (row.get(name, "") for name in pair.currencies)
    return next((t for t in texts if t not in MISSING and not NUMBER.fullmatch(t)), "")

"""Which of the newest rows of prices have come: whole rows, in which enough markets have delivered.

Reading the files does not belong here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.market.instruments import market_of, parse_column


@dataclass(frozen=True)
class Delivery:
    """What a row must hold for its day to have come.

    A market has delivered a row if at least ``share`` of its closes are filled. A day has come when
    as many markets have delivered as are open on every trading day: currencies trade on each, and
    by definition London or Tokyo is open. That is two where the file has FX, LME and JPX, otherwise
    one. Where it has FX, one of them must be FX or US: the few closes of London and Tokyo alone are
    a nearly empty row, while a day without FX for once is one.

    No row of 7,683 real days had fewer markets, though London and New York were closed together on
    80 of them, and all had FX. Of an open market, less than half of the closes were filled in three
    of those rows, all in the midst of full ones: a share of 0.5 holds no real day back.

    Attributes:
        closes: positions of each market's closes among the columns.
        share: share of a market's closes, above 0, up to 1.
    """

    closes: dict[str, IntArray]
    share: float

    @classmethod
    def of(cls, columns: Sequence[str], values: FloatArray, share: float) -> "Delivery":
        """Group the closes that are ever filled by market.

        Args:
            columns: names of the c series.
            values: (n, c) prices; NaN where a cell is empty.
            share: share of a market's closes, above 0, up to 1.
        """
        closes: dict[str, list[int]] = {}
        positions: list[int] = np.flatnonzero((~np.isnan(values)).any(axis=0)).tolist()
        for i in positions:
            if parse_column(columns[i]).field == "close":
                closes.setdefault(market_of(columns[i]), []).append(i)
        return cls({market: np.array(at) for market, at in closes.items()}, share)

    @property
    def needed(self) -> int:
        """The number of markets that are open on every trading day, at least 1."""
        return max(1, ("FX" in self.closes) + ({"LME", "JPX"} <= self.closes.keys()))

    def find_markets(self, filled: BoolArray) -> list[str]:
        """Return the markets that have delivered a row.

        Args:
            filled: (c,), whether the row has a number for each series.
        """
        return [m for m, at in self.closes.items() if filled[at].mean() >= self.share]

    def has_come(self, filled: BoolArray) -> bool:
        """Return whether enough markets have delivered a row, (c,) as in :meth:`find_markets`."""
        markets = self.find_markets(filled)
        return len(markets) >= self.needed and not self._lacks_main_market(markets)

    def describe_lack(self, filled: BoolArray) -> str:
        """Say why a row, (c,) as in :meth:`find_markets`, has not come."""
        markets = self.find_markets(filled)
        who = "no market has delivered"
        if markets:
            more = "FX or US has" if self._lacks_main_market(markets) else f"{self.needed} have"
            have = "has" if len(markets) == 1 else "have"
            who = f"only {' and '.join(markets)} {have} delivered, and {more} on every day"
        return f"{who}: {filled.sum()} of {len(filled)} cells are filled"

    def _lacks_main_market(self, markets: Sequence[str]) -> bool:
        return "FX" in self.closes and not {"FX", "US"} & set(markets)


def count_rows(values: FloatArray, delivery: Delivery) -> int:
    """Count the rows up to the newest that has come.

    Only rows at the end are left out: an empty row with a later full row is a day.

    Args:
        values: (n, c) prices; NaN where a cell is empty.
        delivery: what a row must hold.
    """
    for row in range(len(values) - 1, -1, -1):
        if delivery.has_come(~np.isnan(values[row])):
            return row + 1
    return 0

"""A described market of twenty real stocks in CSV files, which are read beside the checkout."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from quant_assets_tests.support.described_market import (
    DESCRIPTION,
    DescribedMarket,
    draw_factors,
)

STOCKS = Path(__file__).parents[3] / "shared" / "us-stocks-2014-2017" / "prices.parquet"
FIRST_DAY, LAST_DAY = date(2016, 6, 13), date(2017, 10, 31)
HORIZONS = (1, 5, 20)
BENCHMARK = "BRK-B"
# SNAP begins within the history. EVSTC ends within it, and has two Saturdays.
GROUPS = {
    "finance": ("BRK-B", "JPM", "BAC", "GS", "WFC", "C"),
    "energy": ("XOM", "CVX", "COP", "SLB", "HAL", "MRO"),
    "technology": ("AAPL", "MSFT", "INTC", "CSCO", "ORCL", "SNAP"),
    "others": ("FCX", "EVSTC"),
}
SPLIT = "XOM"
_PRICES = ["open", "high", "low", "close"]
_TEXT = """\
name: stocks
source: {{files: {{folder: prices, other_days: skip}}}}
instruments:
  fields: [open, high, low, close, volume]
  closes: {{time: "16:00", zone: America/New_York}}
  list:
{instruments}
group_by: business
leads: {{finance: [energy, technology]}}
calendar: {{exchanges: [XNYS], due: "18:00", zone: America/New_York}}
targets: {{spreads: {{against: market, benchmark: BRK-B, horizons: [1, 5, 20]}}}}
submission: long
"""


def _describe() -> str:
    lines = (
        f"    - {{name: {symbol}, labels: {{business: {group}}}}}"
        for group, symbols in GROUPS.items()
        for symbol in symbols
    )
    return _TEXT.format(instruments="\n".join(lines))


@dataclass
class StockMarket(DescribedMarket):
    """Twenty stocks, a file each.

    Attributes:
        prices: rows of symbol, date, open, high, low, close and volume, ascending.
    """

    prices: pd.DataFrame

    @property
    def horizons(self) -> tuple[int, ...]:
        return HORIZONS

    @property
    def moves_labels(self) -> bool:
        return False

    def deliver(self, newest: int = -1) -> None:
        folder = self.installation.folder / "prices"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / DESCRIPTION).write_text(_describe())
        shown = self.prices[self.prices["date"] <= self.days[newest]]
        for symbol, rows in shown.groupby("symbol"):
            rows.drop(columns="symbol").to_csv(folder / f"{symbol}.csv", index=False)

    def change_after(self, row: int) -> None:
        later = self.prices["date"] > self.days[row]
        factors = draw_factors((int(later.sum()), 2))
        self.prices.loc[later, _PRICES] *= factors[:, :1]
        self.prices.loc[later, "volume"] *= factors[:, 1]

    def restate(self) -> str:
        """Halve the prices of a stock, and double its volumes, as after a split of tomorrow."""
        of_stock = self.prices["symbol"] == SPLIT
        self.prices.loc[of_stock, _PRICES] /= 2
        self.prices.loc[of_stock, "volume"] *= 2
        self.deliver()
        return SPLIT

    def withdraw(self, row: int) -> None:
        self.prices = self.prices[self.prices["date"] != self.days[row]]
        self.deliver()

    def disappear(self) -> str:
        folder = self.installation.folder / "prices"
        folder.rename(folder.with_name("elsewhere"))
        return str(folder)

    def read_closes(self) -> pd.DataFrame:
        files = sorted((self.installation.folder / "prices").glob("*.csv"))
        closes = {
            file.stem: pd.read_csv(file, parse_dates=["date"]).set_index("date")["close"]
            for file in files
        }
        table = pd.DataFrame(closes).reindex(pd.DatetimeIndex(self.days))
        return table.set_index(np.array(self.days))

    def lay_out(self, values: pd.DataFrame) -> pd.DataFrame:
        rows = [
            (day, self.days.index(day), target, value)
            for day, of_day in values.iterrows()
            for target, value in of_day.items()
        ]
        return pd.DataFrame(rows, columns=["trading_day", "date_id", "target", "value"])

    def at(self, root: Path) -> "StockMarket":
        """Return an equal market whose files are not written yet."""
        return replace(self, root=root, prices=self.prices.copy())


def make_stock_market(root: Path) -> StockMarket:
    """Make a market; :meth:`StockMarket.deliver` writes its files. Skips without data."""
    if not STOCKS.exists():
        pytest.skip(f"no {STOCKS}")
    query = (
        "SELECT symbol, date, open, high, low, close, volume FROM read_parquet(?)"
        " WHERE date BETWEEN ? AND ? AND list_contains(?, symbol) ORDER BY symbol, date"
    )
    symbols = [symbol for members in GROUPS.values() for symbol in members]
    with duckdb.connect() as connection:
        prices = connection.execute(query, [str(STOCKS), FIRST_DAY, LAST_DAY, symbols]).df()
    prices["date"] = prices["date"].dt.date
    prices = prices.astype(dict.fromkeys([*_PRICES, "volume"], float)).round(4)
    sessions = exchange_calendars.get_calendar("XNYS").sessions_in_range(
        str(FIRST_DAY), str(LAST_DAY)
    )
    days = [day.date() for day in sessions]
    assert len(set(prices["date"]) - set(days)) == 2
    return StockMarket(root, days, prices)

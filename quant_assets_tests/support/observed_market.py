"""A small described market with a table of rates and a table of fundamentals beside its prices."""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets_tests.support.described_market import DESCRIPTION, DescribedInstallation

SYMBOLS = {"BP": "oil", "CVX": "oil", "XOM": "oil", "ENPH": "sun", "FSLR": "sun", "TAN": "sun"}
WITHOUT_ROWS = "TAN"
CLOSE = pd.Timedelta(hours=18)
_LIST = ", ".join(f"{{name: {name}, labels: {{kind: {kind}}}}}" for name, kind in SYMBOLS.items())
TEXT = f"""\
name: observed
source: {{files: {{folder: prices}}}}
instruments: {{list: [{_LIST}]}}
group_by: kind
calendar: {{days: data, due: "18:00", zone: UTC}}
targets: {{spreads: {{against: group, benchmarks: {{oil: BP, sun: ENPH}}, horizons: [1, 3]}}}}
"""
TABLES_TEXT = """\
tables:
  rates:
    file: rates.csv
    columns: {date: observation_date}
    fields: [DGS10]
    release_lag_days: 1
  fundamentals:
    file: fundamentals.parquet
    columns: {symbol: ticker, date: period, known_at: filed}
    fields: [value, yield]
    max_age_days: 120
"""


@dataclass
class ObservedMarket:
    """The market, whose files hold what was known on the evening of a day.

    Attributes:
        root: directory of the market's folder and the data directory.
        prices: a row a day and a column a symbol.
        rates: a row a weekday, known at the close of the next calendar day.
        fundamentals: rows with the moment ``filed`` from which they are known, UTC.
    """

    root: Path
    prices: pd.DataFrame
    rates: pd.DataFrame
    fundamentals: pd.DataFrame = field(repr=False)

    @property
    def installation(self) -> DescribedInstallation:
        return DescribedInstallation(self.root)

    @property
    def days(self) -> list[date]:
        return [day.date() for day in self.prices.index]

    def close(self, row: int) -> pd.Timestamp:
        return pd.Timestamp(self.prices.index[row] + CLOSE)

    def deliver(self, newest: int = -1) -> None:
        """Write the files as on the evening of a day, given by its row."""
        folder = self.installation.folder
        (folder / "prices").mkdir(parents=True, exist_ok=True)
        (folder / DESCRIPTION).write_text(TEXT + TABLES_TEXT)
        shown = self.prices.loc[: self.prices.index[newest]]
        long = shown.melt(ignore_index=False, var_name="symbol", value_name="close")
        long.sort_values(["date", "symbol"]).to_csv(folder / "prices" / "p.csv")
        known = self.rates["observation_date"] + pd.Timedelta(days=1) + CLOSE <= self.close(newest)
        self.rates[known].to_csv(folder / "rates.csv", index=False)
        filed = self.fundamentals["filed"] <= self.close(newest)
        self.fundamentals[filed].to_parquet(folder / "fundamentals.parquet", index=False)

    def change_after(self, row: int) -> None:
        """Change days, values and moments of all rows that are not known at the close of a day."""
        random = np.random.default_rng(9)
        later = self.rates["observation_date"] + pd.Timedelta(days=1) + CLOSE > self.close(row)
        self.rates.loc[later, "DGS10"] += random.normal(0, 1, later.sum())
        later = self.fundamentals["filed"] > self.close(row)
        count = later.sum()
        self.fundamentals.loc[later, "value"] = random.normal(0, 1, count)
        self.fundamentals.loc[later, "period"] -= pd.to_timedelta(random.integers(0, 9, count), "D")
        self.fundamentals.loc[later, "filed"] += pd.to_timedelta(random.integers(0, 50, count), "h")

    def at(self, root: Path) -> "ObservedMarket":
        """Return an equal market whose files are not written yet."""
        rates, fundamentals = self.rates.copy(), self.fundamentals.copy()
        return replace(self, root=root, rates=rates, fundamentals=fundamentals)


def make_observed_market(root: Path, days: int) -> ObservedMarket:
    """Draw a market. TAN has no fundamentals, and quarters are revised after some weeks."""
    random = np.random.default_rng(6)
    index = pd.bdate_range("2022-01-03", periods=days, name="date")
    moves = random.normal(0, 0.01, (days, len(SYMBOLS)))
    prices = pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), index, list(SYMBOLS)).round(3)
    weekdays = pd.bdate_range("2021-06-01", index[-1])
    steps = random.normal(0, 0.05, len(weekdays))
    rates = pd.DataFrame({"observation_date": weekdays, "DGS10": (2 + steps.cumsum()).round(2)})
    rows = []
    for symbol in SYMBOLS:
        for period in pd.date_range("2021-06-30", index[-1], freq="QE"):
            for delay in random.integers(20, 70, 2):
                filed = (period + pd.Timedelta(days=int(delay), hours=7)).tz_localize("UTC")
                rows.append((symbol, period, filed, *random.normal(0, 1, 2)))
    columns = ["ticker", "period", "filed", "value", "yield"]
    frame = pd.DataFrame(rows, columns=columns).drop_duplicates(columns[:3])
    frame["filed"] = frame["filed"].dt.tz_localize(None)
    fundamentals = frame[frame["ticker"] != WITHOUT_ROWS].reset_index(drop=True)
    return ObservedMarket(root, prices, rates, fundamentals)

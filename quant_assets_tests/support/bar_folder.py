"""A described market of four stocks with bars of 15 minutes, from which the daily prices follow."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES, RAW_BARS
from quant_assets.lake.schemas.table import Table
from quant_assets.market.description.session_slots import SessionSlots, list_slots

NAMES = ("ANT", "BEE", "CAT", "DOG")
FIRST_DAY, DAYS, FIRST_FIT_AFTER = date(2023, 8, 1), 110, 90
FAMILIES = ("rank_prior", "ridge")
BAR_TABLES: tuple[Table, ...] = (RAW_BARS, BAR_FEATURES)
FIELDS = ["open", "high", "low", "close", "volume"]
_TEXT = """\
name: bars
instruments:
  fields: [open, high, low, close, volume]
  list: [ANT, BEE, CAT, DOG]
calendar: {exchanges: [XNYS]}
targets: {returns: {horizons: [1, 2]}}
source: {files: {folder: prices%s}}
"""
_BARS = ", bars: {folder: bars, zone: America/New_York}"


@dataclass
class BarMarket:
    """A market in files.

    Attributes:
        root: directory of the market's folder and the data directory.
        bars: bars with day, symbol, timestamp (local) and the fields, ascending.
    """

    root: Path
    bars: pd.DataFrame

    @property
    def days(self) -> list[date]:
        """Return the trading days, ascending."""
        return sorted(set(self.bars["day"]))

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.root / "data",
            source=str(self.root / "market.yaml"),
            families=",".join(FAMILIES),
            first_fit_after=FIRST_FIT_AFTER,
            refit_every=25,
            threads=1,
            pictures=False,
        )

    def deliver(self, newest: int = -1, *, with_bars: bool = True) -> None:
        """Write the files of the days up to a row of ``days``."""
        (self.root / "prices").mkdir(parents=True, exist_ok=True)
        (self.root / "bars").mkdir(exist_ok=True)
        (self.root / "market.yaml").write_text(_TEXT % (_BARS if with_bars else ""))
        shown = self.bars[self.bars["day"] <= self.days[newest]]
        self.daily(shown).to_csv(self.root / "prices" / "prices.csv", index=False)
        self.deliver_bars(newest)

    def deliver_bars(self, newest: int = -1) -> None:
        """Write the files of bars alone."""
        shown = self.bars[self.bars["day"] <= self.days[newest]]
        for symbol, rows in shown.groupby("symbol"):
            file = self.root / "bars" / f"{symbol}.csv"
            rows[["symbol", "timestamp", *FIELDS]].to_csv(file, index=False)

    def daily(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Return the daily prices that follow from some bars."""
        rules = {
            "open": "first",
            "high": "max",
            "low": "min",
            "close": "last",
            "volume": "sum",
        }
        rows = bars.groupby(["day", "symbol"], as_index=False).agg(rules)
        return rows.rename(columns={"day": "date"})

    def at(self, root: Path) -> "BarMarket":
        """Return an equal market with another root, whose files are not written yet."""
        return replace(self, root=root, bars=self.bars.copy())

    def change_after(self, row: int) -> None:
        """Multiply all prices and volumes of the days after a row by random factors."""
        later = self.bars["day"] > self.days[row]
        random = np.random.default_rng(5)
        factors = np.exp(random.normal(0, 0.05, (int(later.sum()), 2)))
        self.bars.loc[later, FIELDS[:4]] *= factors[:, :1]
        self.bars.loc[later, "volume"] *= factors[:, 1]


def make_bar_market(root: Path, days: int = DAYS) -> BarMarket:
    """Draw a market whose clock changes, and which has early closes; some bars are missing."""
    slots = list_slots("XNYS", FIRST_DAY, date(FIRST_DAY.year + 2, 1, 1), 15)
    kept = slots.days <= np.unique(slots.days)[days - 1]
    slots = SessionSlots(slots.days[kept], slots.starts[kept], slots.places[kept])
    local = pd.DatetimeIndex(slots.starts, tz="UTC").tz_convert("America/New_York")
    random = np.random.default_rng(11)
    tables = []
    for symbol in NAMES:
        moves = random.normal(0, 2e-3, (len(local), 4)) * [1, 1, 0, 0]
        close = 40 * np.exp(moves[:, 0].cumsum())
        opening = np.roll(close, 1) * np.exp(moves[:, 1] / 10)
        reach = np.abs(random.normal(0, 1e-3, (2, len(local))))
        table = pd.DataFrame({"day": slots.days.tolist(), "symbol": symbol})
        table["timestamp"] = local.strftime("%Y-%m-%d %H:%M")
        table["open"] = opening
        table["high"] = np.maximum(opening, close) * np.exp(reach[0])
        table["low"] = np.minimum(opening, close) * np.exp(-reach[1])
        table["close"] = close
        table["volume"] = random.lognormal(7, 1, len(local)).round()
        tables.append(table[random.random(len(local)) > 0.03])
    return BarMarket(root, pd.concat(tables).sort_values(["day", "symbol", "timestamp"]))

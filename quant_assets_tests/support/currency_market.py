"""A described market of currency pairs whose rates a bank on loopback publishes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets_tests.support.described_market import (
    DESCRIPTION,
    DescribedMarket,
    draw_factors,
)
from quant_assets_tests.support.vendor_server import (
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
    zip_bytes,
)

LEVELS = {"USD": 1.08, "JPY": 157.0, "GBP": 0.86, "CHF": 0.95, "AUD": 1.64, "CAD": 1.47}
PAIRS = (
    *("EURUSD", "EURJPY", "EURGBP", "EURCHF", "EURAUD", "USDJPY"),
    *("GBPUSD", "USDCHF", "AUDUSD", "USDCAD", "GBPJPY", "AUDJPY"),
)
HORIZONS = (1, 3, 10)
CLOSED = (date(2023, 5, 1), date(2023, 12, 25), date(2023, 12, 26), date(2024, 1, 1))
RESTATED = slice(300, 305)
"""Rows of the week that is restated."""
_TEXT = """\
name: currencies
source:
  ecb: {{crosses: true, url: "{url}/hist.zip", api_url: "{url}/EXR"}}
instruments:
  closes: {{time: "17:00", zone: America/New_York}}
  list: [{pairs}]
calendar: {{days: data, due: "17:30", zone: America/New_York}}
targets: {{returns: {{horizons: [1, 3, 10]}}}}
submission: {{wide: "pair_{{number}}"}}
"""


def _list_days() -> list[date]:
    weekdays = pd.bdate_range("2023-05-01", periods=334).date
    return [day for day in weekdays if day not in CLOSED]


def _draw_rates(days: list[date]) -> pd.DataFrame:
    """Draw the rates of the currencies as the bank writes them; some cells are N/A."""
    random = np.random.default_rng(5)
    moves = random.normal(0, 0.005, (len(days), len(LEVELS)))
    rates = np.array(list(LEVELS.values())) * np.exp(np.cumsum(moves, axis=0))
    rates[random.random(rates.shape) < 0.005] = np.nan
    return pd.DataFrame(rates, index=days, columns=list(LEVELS)).round(4)


@dataclass
class Bank:
    """The bank's server, its clock, and the numbers of its clients' addresses."""

    server: VendorServer
    clock: ManualClock
    numbers: Iterator[int] = field(default_factory=count)


@contextmanager
def open_bank() -> Iterator[Bank]:
    """Run a bank within the context."""
    with open_vendor() as server:
        yield Bank(server, ManualClock(datetime(2023, 5, 1, tzinfo=UTC)))


@dataclass
class CurrencyMarket(DescribedMarket):
    """Twelve pairs. The zip lags by a day, and the bank's interface gives the newest day.

    Attributes:
        bank: publishes the rates.
        rates: a row a day and a column a currency; NaN is N/A.
        place: path of this market's files on the server.
    """

    bank: Bank
    rates: pd.DataFrame
    place: str

    @property
    def horizons(self) -> tuple[int, ...]:
        return HORIZONS

    @property
    def moves_labels(self) -> bool:
        return True

    def deliver(self, newest: int = -1) -> None:
        shown = self.rates.loc[: self.days[newest]].map(lambda x: "N/A" if np.isnan(x) else repr(x))
        text = shown.iloc[:-1].iloc[::-1].to_csv(index_label="Date")
        self.bank.server.script(f"{self.place}/hist.zip", Scripted(zip_bytes(text)))
        self.bank.server.script(f"{self.place}/EXR", Scripted(_write_newest(shown.iloc[-1])))
        # The zip is asked for once a day.
        evening = datetime.combine(self.days[newest], time(22), UTC)
        self.bank.clock.moment = max(evening, self.bank.clock.moment + timedelta(days=1))
        self._describe(self.bank.server.url)

    def change_after(self, row: int) -> None:
        later = self.rates.iloc[row + 1 :]
        changed = (later * draw_factors(later.shape)).round(4)
        # A day without any rate would be no day of the data.
        changed["USD"] = changed["USD"].fillna(later["USD"])
        self.rates.iloc[row + 1 :] = changed

    def restate(self) -> str:
        at = self.rates.columns.get_loc("GBP")
        self.rates.iloc[RESTATED, at] = (self.rates.iloc[RESTATED, at] * 1.01).round(4)
        self.deliver()
        return "EURGBP"

    def withdraw(self, row: int) -> None:
        self.rates = self.rates.drop(index=self.days[row])
        self.deliver()

    def disappear(self) -> str:
        """Move the bank to an address at which nobody answers, and delete its kept answers."""
        shutil.rmtree(self.installation.settings.data_dir / "sources", ignore_errors=True)
        self._describe("http://127.0.0.1:1")
        return "a vendor did not answer"

    def read_closes(self) -> pd.DataFrame:
        one = pd.Series(1.0, index=self.rates.index)
        in_currency = {"EUR": one, **{name: self.rates[name] for name in LEVELS}}
        closes = {pair: in_currency[pair[3:]] / in_currency[pair[:3]] for pair in PAIRS}
        return pd.DataFrame(closes)

    def lay_out(self, values: pd.DataFrame) -> pd.DataFrame:
        wide = values.set_axis([f"pair_{number}" for number in range(values.shape[1])], axis=1)
        wide.insert(0, "date_id", [self.days.index(day) for day in values.index])
        return wide.reset_index(drop=True)

    def at(self, root: Path) -> "CurrencyMarket":
        """Return an equal market with files of its own at the bank."""
        return replace(
            self, root=root, rates=self.rates.copy(), place=f"/{next(self.bank.numbers)}"
        )

    def _describe(self, url: str) -> None:
        text = _TEXT.format(url=url + self.place, pairs=", ".join(PAIRS))
        self.installation.folder.mkdir(parents=True, exist_ok=True)
        (self.installation.folder / DESCRIPTION).write_text(text)


def make_currency_market(root: Path, bank: Bank) -> CurrencyMarket:
    """Make a market at a bank; :meth:`CurrencyMarket.deliver` publishes its rates."""
    days = _list_days()
    return CurrencyMarket(root, days, bank, _draw_rates(days), f"/{next(bank.numbers)}")


def _write_newest(cells: "pd.Series[str]") -> str:
    header = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE"
    rows = (
        f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A,{cells.name},{cell}"
        for currency, cell in cells.items()
        if cell != "N/A"
    )
    return "\n".join([header, *rows]) + "\n"

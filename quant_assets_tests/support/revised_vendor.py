"""A vendor of very few days and instruments, whose files change as a test wants them to.

Sixteen instruments are enough for 424 different pairs. The files have a ``calendar.csv``, so that
days may be lacking, and come later.
"""

from dataclasses import dataclass, field
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np

from quant_assets.commands.loading import load_everything
from quant_assets.core.files import write_atomically
from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import InstrumentSeries, column_name
from quant_assets.simulation.vendor import (
    VendorTable,
    adjust_prices,
    correct_cell,
    cut_inside_last_number,
    empty_row,
    number_rows,
    spoil_row,
)
from quant_assets.sources.competition.folder_files import COMPETITION_LAGS
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.prepared import copy_prepared

FIRST_DAY, LAST_DAY = date(2023, 6, 1), date(2023, 9, 22)
INSTRUMENTS = (
    *("LME_AH", "LME_CA", "LME_PB", "LME_ZS"),
    *(f"JPX_{name}_Standard_Futures" for name in ("Gold", "Platinum")),
    *(f"US_Stock_{ticker}" for ticker in ("COP", "CVX", "RSP", "VT", "XOM")),
    *("FX_AUDUSD", "FX_EURUSD", "FX_GBPUSD", "FX_USDCHF", "FX_USDJPY"),
)
COLUMNS = tuple(column_name(InstrumentSeries(name, "close")) for name in INSTRUMENTS)
DAYS: DayArray = trading_days(FIRST_DAY, LAST_DAY)
FIRST_FIT_AFTER = 68
DAYS_AT_FIRST = 74
"""Days of the first load; the others are delivered by tests."""


@dataclass(frozen=True)
class RevisedInstallation(Installation):
    """A folder of this vendor and the data directory beside it; a whole load takes seconds."""

    @property
    def settings(self) -> Settings:
        return self.settings_of(self.root / "data")

    def settings_of(self, data_dir: Path) -> Settings:
        """Return the settings for another data directory with the same source."""
        return Settings(
            data_dir=data_dir,
            source=str(self.folder),
            first_day=FIRST_DAY,
            first_fit_after=FIRST_FIT_AFTER,
            refit_every=len(DAYS),
            families="rank_prior",
            threads=1,
            pictures=False,
        )


def copy_loaded_vendor(root: Path) -> "tuple[RevisedInstallation, RevisedVendor]":
    """Copy the vendor's first days, loaded, to a root where both may be changed."""
    copy_prepared("revised", _load_first_days, root)
    installation = RevisedInstallation(root)
    installation.here()
    return installation, _open_vendor(root)


def _load_first_days(root: Path) -> None:
    installation = RevisedInstallation(root)
    _open_vendor(root).write()
    load_everything(installation.settings)


def _open_vendor(root: Path) -> "RevisedVendor":
    return RevisedVendor(root / "market", np.arange(len(DAYS)) < DAYS_AT_FIRST)


def _draw_prices() -> FloatArray:
    random = np.random.default_rng(3)
    moves = random.normal(0, 0.01, (len(DAYS), len(COLUMNS)))
    prices = np.round(100 * np.exp(np.cumsum(moves, axis=0)), 4)
    prices[random.random(prices.shape) < 0.03] = np.nan
    return prices


@dataclass
class RevisedVendor:
    """A vendor's prices, and the days that it shows.

    Attributes:
        folder: where the files lie.
        values: (n, c) prices as the vendor has them now, of days that it does not show as well.
        visible: (n,) whether the vendor shows a day.
        spoiled: rows whose prices are mostly zero until they are repaired.
        emptied: rows without prices until they are repaired.
        half_written: whether ``train.csv`` ends inside its last number.
        renumbered_from: first row whose number is greater by one; None for none.
    """

    folder: Path
    visible: BoolArray
    values: FloatArray = field(default_factory=_draw_prices)
    spoiled: set[int] = field(default_factory=set)
    emptied: set[int] = field(default_factory=set)
    half_written: bool = False
    renumbered_from: int | None = None

    def write(self) -> None:
        """Write the files as they are now."""
        values = self.values
        for row in self.spoiled:
            values = spoil_row(values, row)
        for row in self.emptied:
            values = empty_row(values, row)
        ids = number_rows(self.visible, self.renumbered_from)
        table = VendorTable(COLUMNS, DAYS[self.visible], ids, values[self.visible])
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "target_pairs.csv", _format_pairs().encode())
        write_atomically(self.folder / "calendar.csv", table.calendar_text().encode())
        text = table.prices_text()
        if self.half_written:
            text = cut_inside_last_number(text)
        write_atomically(self.folder / "train.csv", text.encode())

    def repair(self) -> None:
        """End all that is wrong with the files until it is repaired."""
        self.spoiled.clear()
        self.emptied.clear()
        self.half_written = False

    def adjust(self, instrument: int, factor: float, before: int) -> None:
        """Multiply an instrument's prices before a row by a factor."""
        name = INSTRUMENTS[instrument]
        self.values = adjust_prices(COLUMNS, self.values, name, factor, before)

    def correct(self, row: int, instrument: int, factor: float) -> None:
        """Multiply a price by a factor; NaN empties the cell."""
        self.values = correct_cell(self.values, row, instrument, factor)


def _format_pairs() -> str:
    pairs = [f"{a} - {b}" for a, b in combinations(COLUMNS, 2)]
    lags = [(lag, pair) for lag in COMPETITION_LAGS for pair in pairs][:424]
    rows = (f"target_{i},{lag},{pair}" for i, (lag, pair) in enumerate(lags))
    return "\n".join(["target,lag,pair", *rows]) + "\n"

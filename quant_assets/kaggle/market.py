"""The market of a data directory, opened to answer a gateway.

What a predictor needs of it is declared in ``protocol``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SubmissionError
from quant_assets.core.settings import Settings, require_market
from quant_assets.core.typing import FloatArray
from quant_assets.kaggle.day_numbers import DayNumbers, read_day_numbers
from quant_assets.kaggle.frames import PriceFrame
from quant_assets.kaggle.protocol import Session
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import open_description
from quant_assets.models.registry import FALL_BACK
from quant_assets.sources.deliveries import PriceTable


@dataclass
class LoadedMarket:
    """The market of a data directory.

    Attributes:
        lake: its lake, opened for reading.
        settings: its settings.
        description: its description.
        folder: a folder that may hold a ``calendar.csv``; None for the one of the settings.
    """

    lake: Lake
    settings: Settings
    description: MarketDescription
    folder: Path | None = None

    @cached_property
    def numbers(self) -> DayNumbers:
        """The numbers of its days."""
        folder = self.folder or Path(self.settings.source)
        return read_day_numbers(self.lake, self.description.calendar, folder)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The names of its m targets, in submission order."""
        return read_pairs(self.lake).targets

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of a submission; the targets' names if a submission is long."""
        return self.description.submission.columns(len(self.targets)) or self.targets

    @cached_property
    def series(self) -> frozenset[str]:
        """The names of its series."""
        return frozenset(read_series(self.lake).columns)

    @cached_property
    def prior(self) -> Forecasts:
        """The stored forecasts of the fall-back family."""
        days = self.numbers.days
        first, last = (day.astype("datetime64[D]").item() for day in (days[0], days[-1]))
        return read_forecasts(self.lake, forecasts_table(FALL_BACK), self.targets, first, last)

    def column_of(self, target: str) -> str:
        """Return the name of a target's column in a submission."""
        return self.columns[self.targets.index(target)]

    def read_table(self, prices: PriceFrame) -> tuple[PriceTable, Sequence[str]]:
        """Return a batch as prices of trading days, and the columns that were left out.

        A column is left out if the market has no such series.

        Raises:
            SubmissionError: no column is a series, or a day has no date.
        """
        known = [name for name in prices.columns if name in self.series]
        if not known:
            raise SubmissionError(
                "the batch has no prices", expected="series", found=f"{len(prices.columns)} others"
            )
        at = [prices.columns.index(name) for name in known]
        days = [self.numbers.find_day(int(number)) for number in prices.date_ids]
        table = PriceTable(
            days=np.array(days, dtype="datetime64[D]"),
            date_ids=prices.date_ids,
            series=self.description.list_series(known),
            values=prices.values[:, at],
            unread=tuple(cell for cell in prices.unread if cell.column in set(known)),
        )
        return table, [name for name in prices.columns if name not in set(known)]

    def open_session(self) -> Session:
        """Return a session that begins with the stored history."""
        from quant_assets.serving import session

        return session.Session(self.lake, self.settings, self.description)

    def prior_before(self, date_id: int) -> FloatArray | None:
        """Return the (m,) newest forecast of the fall-back family up to a day; None without one."""
        rows = np.searchsorted(self.numbers.stored, date_id, side="right")
        kept = np.isin(self.prior.days, self.numbers.days[:rows])
        return self.prior.values[kept][-1] if kept.any() else None


def open_loaded_market(settings: Settings, folder: Path | None = None) -> LoadedMarket:
    """Open the market of a data directory for reading.

    Args:
        settings: of the data directory.
        folder: a folder that may hold a ``calendar.csv``; None for the one of the settings.

    Raises:
        SettingsError: no market is loaded.
        MarketError: its description cannot be used.
    """
    require_market(settings, loaded=True)
    description = open_description(settings)
    lake = Lake(settings.lake_dir, read_only=True)
    return LoadedMarket(lake, settings, description, folder)

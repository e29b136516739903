"""Two small described markets whose prices a test can change: what they share, and loading them.

Each market is a module of its own: ``currency_market`` and ``stock_market``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.table import Table
from quant_assets_tests.support.installation import Installation

FAMILIES = ("rank_prior", "ridge", "lightgbm")
TABLES: tuple[Table, ...] = declared_tables(FAMILIES, "load")
FIRST_FIT_AFTER, REFIT_EVERY = 280, 25
DESCRIPTION = "market.yaml"


@dataclass(frozen=True)
class DescribedInstallation(Installation):
    """A folder with ``market.yaml``, and the data directory beside it."""

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.root / "data",
            source=str(self.folder / DESCRIPTION),
            families=",".join(FAMILIES),
            first_fit_after=FIRST_FIT_AFTER,
            refit_every=REFIT_EVERY,
            threads=1,
            pictures=False,
        )


@dataclass
class DescribedMarket(ABC):
    """A market in files or at a vendor, as a test wants it to be.

    Attributes:
        root: directory of the market's folder and the data directory.
        days: (n,) the trading days, ascending.
    """

    root: Path
    days: list[date]

    @property
    def installation(self) -> DescribedInstallation:
        return DescribedInstallation(self.root)

    @property
    @abstractmethod
    def horizons(self) -> tuple[int, ...]:
        """Horizons of the targets."""

    @property
    @abstractmethod
    def moves_labels(self) -> bool:
        """Whether :meth:`restate` moves labels."""

    @abstractmethod
    def deliver(self, newest: int = -1) -> None:
        """Give the prices of the days up to a row of ``days``, as on the evening of that day."""

    @abstractmethod
    def change_after(self, row: int) -> None:
        """Multiply the prices of the days after a row by random factors, and remove some prices."""

    @abstractmethod
    def restate(self) -> str:
        """Restate prices of the past; return the name of an instrument that has other prices."""

    @abstractmethod
    def withdraw(self, row: int) -> None:
        """Take back the prices of the day in a row of ``days``."""

    @abstractmethod
    def disappear(self) -> str:
        """Make the prices unreachable; return a text that the source's error has."""

    @abstractmethod
    def read_closes(self) -> pd.DataFrame:
        """Read the closes from what is delivered: a row a day and a column an instrument."""

    @abstractmethod
    def lay_out(self, values: pd.DataFrame) -> pd.DataFrame:
        """Lay out values, a row a day and a column a target, as the description says."""

    @abstractmethod
    def at(self, root: Path) -> "DescribedMarket":
        """Return an equal market with another root, whose prices are not delivered yet."""

    def copy(self, root: Path) -> "DescribedMarket":
        """Copy the market, and what is loaded of it, to another root where it may be changed."""
        self.installation.copy(root)
        DescribedInstallation(root).here()
        market = self.at(root)
        market.deliver()
        return market


def draw_factors(shape: tuple[int, ...]) -> FloatArray:
    """Draw random factors of prices; one in ten is NaN, which removes a price."""
    random = np.random.default_rng(1)
    factors: FloatArray = np.exp(random.normal(0, 0.05, shape))
    factors[random.random(shape) < 0.1] = np.nan
    return factors

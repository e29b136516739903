"""What a predictor needs of a market and of its session of forecasts."""

from collections.abc import Sequence
from typing import Protocol

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.kaggle.frames import PriceFrame
from quant_assets.sources.deliveries import PriceTable


class Served(Protocol):
    """Forecasts from prices that are not stored."""

    @property
    def days(self) -> DayArray:
        """(n,) forecast days."""
        ...

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the m targets."""
        ...

    @property
    def values(self) -> FloatArray:
        """(n, m) forecasts; NaN for a target without one."""
        ...

    @property
    def release(self) -> str | None:
        """The release that forecast; None if another forecast was taken."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller should know."""
        ...


class Session(Protocol):
    """What answers one batch of prices after another."""

    def forecast(self, table: PriceTable) -> Served:
        """Append days to the history, and forecast them.

        A day that is stored or was given before rewinds the history to the day before it.

        Raises:
            QuantAssetsError: the days cannot be forecast.
        """
        ...


class ServedMarket(Protocol):
    """What a predictor needs of a market."""

    def read_table(self, prices: PriceFrame) -> tuple[PriceTable, Sequence[str]]:
        """Return a batch as prices of trading days, and the columns that were left out."""
        ...

    def column_of(self, target: str) -> str:
        """Return the name of a target's column in a submission."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a submission, in order."""
        ...

    def prior_before(self, date_id: int) -> FloatArray | None:
        """Return the newest stored forecast of the fall-back family that a day may use."""
        ...

    def open_session(self) -> Session:
        """Return a session that begins with the stored history."""
        ...

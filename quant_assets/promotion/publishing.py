"""The submitted forecast of a day: champion's and challenger's forecasts mixed, or a fallback.

Which releases are in force belongs in ``promotion.rules``, how a release forecasts in
``promotion.release_forecasts``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.readers.arrays import drop_empty, long_rows, repeat_days
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import find_expected_targets
from quant_assets.lake.schemas.forecast_tables import ENSEMBLE_FORECASTS, forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FALL_BACK
from quant_assets.promotion.promotion_state import PromotionState
from quant_assets.promotion.release_forecasts import ReleaseForecast


@dataclass(frozen=True)
class SubmittedForecast:
    """The forecast of one day that is submitted.

    Attributes:
        day: the forecast day.
        values: (m,) scores of the targets; only their ranks matter.
        fit_as_of: as-of day of the newest fit used.
        champion: champion whose forecast is used; None for a fallback.
        challenger: challenger that forecast the day, with a share or in shadow; None if none did.
        share: the challenger's share.
    """

    day: date
    values: FloatArray
    fit_as_of: np.datetime64
    champion: str | None = None
    challenger: str | None = None
    share: float = 0.0


def mix_releases(
    day: date, state: PromotionState, forecasts: Mapping[str, ReleaseForecast]
) -> SubmittedForecast | None:
    """Mix the champion's and the challenger's forecasts of a day by the challenger's share.

    Args:
        day: the forecast day.
        state: the releases in force on it.
        forecasts: the day's forecasts, by release.

    Returns:
        The share-weighted average of standardised ranks; the champion's forecast unchanged if the
        challenger has no share or no forecast; None if the champion has no forecast.
    """
    champion = forecasts.get(state.champion or "")
    challenger = forecasts.get(state.challenger or "")
    if champion is None:
        return None
    if challenger is None or state.share == 0:
        shadow = state.challenger if challenger else None
        return SubmittedForecast(day, champion.values, champion.fit_as_of, state.champion, shadow)
    weights = np.array([[1.0 - state.share, state.share]])
    values = rank_average([champion.values[None], challenger.values[None]], weights)[0]
    newest_fit = max(champion.fit_as_of, challenger.fit_as_of)
    return SubmittedForecast(day, values, newest_fit, state.champion, state.challenger, state.share)


@dataclass(frozen=True)
class FallbackForecast:
    """The forecast submitted on a day without a champion's: the ensemble's, else the rank prior's.

    Attributes:
        lake: holds the forecasts of both.
        targets: names of the m targets.
        start: first day of the range.
        end: last day of the range.
    """

    lake: Lake
    targets: tuple[str, ...]
    start: date
    end: date

    def forecast(self, day: date) -> SubmittedForecast | None:
        """Return the day's fallback; None if neither has a forecast that can be ranked."""
        return self._select_day(self._ensemble, day) or self._select_day(self._rank_prior, day)

    @cached_property
    def _ensemble(self) -> Forecasts:
        return read_forecasts(self.lake, ENSEMBLE_FORECASTS, self.targets, self.start, self.end)

    @cached_property
    def _rank_prior(self) -> Forecasts:
        table = forecasts_table(FALL_BACK)
        return read_forecasts(self.lake, table, self.targets, self.start, self.end)

    def _select_day(self, stored: Forecasts, day: date) -> SubmittedForecast | None:
        """Select a day's forecast; None if it is missing, incomplete or constant."""
        row = int(np.searchsorted(stored.days, np.datetime64(day)))
        if row == len(stored.days) or stored.days[row] != np.datetime64(day):
            return None
        this, pairs = slice(row, row + 1), read_pairs(self.lake)
        fit_as_of = stored.fit_as_of[this].astype("datetime64[D]")
        expected = find_expected_targets(self.lake, pairs, stored.days[this], fit_as_of)[0]
        values = stored.values[row]
        ranked = values[expected]
        if not len(ranked) or not np.isfinite(ranked).all() or np.ptp(ranked) == 0:
            return None
        return SubmittedForecast(day, np.where(expected, values, np.nan), stored.fit_as_of[row])


def submitted_rows(
    forecasts: Sequence[SubmittedForecast], date_ids: Mapping[date, int], targets: tuple[str, ...]
) -> dict[str, Any]:
    """Build the rows of ``forecasts.published`` without origin, one for each day and target.

    Args:
        forecasts: the submitted forecasts, ascending by day.
        date_ids: the source's number of each day.
        targets: names of the m targets.
    """
    days = np.array([forecast.day for forecast in forecasts], dtype="datetime64[D]")
    numbers = np.array([date_ids[forecast.day] for forecast in forecasts], dtype=np.int64)
    values = np.array([forecast.values for forecast in forecasts])
    values = values.reshape(len(forecasts), len(targets))
    rows = long_rows(days, numbers, {"value": values}, "target", targets)
    fits = np.array([forecast.fit_as_of for forecast in forecasts], dtype="datetime64[D]")
    columns = {
        name: np.array([getattr(forecast, name) for forecast in forecasts], kind)
        for name, kind in (("champion", "object"), ("challenger", "object"), ("share", "f8"))
    }
    rows["fit_as_of"] = repeat_days(fits, len(targets))
    rows |= {name: repeat_days(column, len(targets)) for name, column in columns.items()}
    return drop_empty(rows)


def release_forecast_rows(
    forecasts: Sequence[tuple[date, str, FloatArray]],
    date_ids: Mapping[date, int],
    targets: tuple[str, ...],
) -> dict[str, Any]:
    """Build the rows of ``forecasts.releases``, one for each day, release and target, as columns.

    Args:
        forecasts: forecast day, release and its (m,) scores, ascending by day.
        date_ids: the source's number of each day.
        targets: names of the m targets.
    """
    days = np.array([day for day, _, _ in forecasts], dtype="datetime64[D]")
    numbers = np.array([date_ids[day] for day, _, _ in forecasts], dtype=np.int64)
    values = np.array([scores for _, _, scores in forecasts])
    values = values.reshape(len(forecasts), len(targets))
    rows = long_rows(days, numbers, {"value": values}, "target", targets)
    names = np.array([name for _, name, _ in forecasts], dtype="object")
    return drop_empty({**rows, "release": repeat_days(names, len(targets))})

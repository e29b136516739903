"""What is published on a day: the champion's forecast, mixed with the challenger's, or a fall-back.

Which releases are in force belongs in ``promotion.rules``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.readers.arrays import long_rows, repeat_days
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.schemas.tables import ENSEMBLE_FORECASTS, forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FALL_BACK
from quant_assets.promotion.promotion_state import PromotionState
from quant_assets.promotion.release_forecasts import ReleaseForecast


@dataclass(frozen=True)
class SubmittedForecast:
    """The forecast of one day that is submitted.

    Attributes:
        day: the day.
        values: (m,) scores.
        fit_as_of: as-of day of the newest fit used.
        champion: release that forecast; None where none did.
        challenger: release beside it, with a share or without.
        share: of the challenger.
    """

    day: date
    values: FloatArray
    fit_as_of: np.datetime64
    champion: str | None = None
    challenger: str | None = None
    share: float = 0.0


def mix_releases(
    day: date, state: PromotionState, served: Mapping[str, ReleaseForecast]
) -> SubmittedForecast | None:
    """The rank average of champion and challenger by share; None without the champion's forecast.

    Without a share the champion's forecast as it is.
    """
    champion = served.get(state.champion or "")
    challenger = served.get(state.challenger or "")
    if champion is None:
        return None
    if challenger is None or state.share == 0:
        beside = state.challenger if challenger else None
        return SubmittedForecast(day, champion.values, champion.fit_as_of, state.champion, beside)
    weights = np.array([[1.0 - state.share, state.share]])
    values = rank_average([champion.values[None], challenger.values[None]], weights)[0]
    newest = max(champion.fit_as_of, challenger.fit_as_of)
    return SubmittedForecast(day, values, newest, state.champion, state.challenger, state.share)


@dataclass(frozen=True)
class FallbackForecast:
    """What is published where no release can be: the ensemble, else the rank prior.

    Attributes:
        lake: holds both.
        targets: m names.
        start: first day of the range.
        end: last day.
    """

    lake: Lake
    targets: tuple[str, ...]
    start: date
    end: date

    def on(self, day: date) -> SubmittedForecast | None:
        """The day's; None where there is nothing to publish."""
        return _on(self._ensemble, day) or _on(self._rank_prior, day)

    @cached_property
    def _ensemble(self) -> Forecasts:
        return read_forecasts(self.lake, ENSEMBLE_FORECASTS, self.targets, self.start, self.end)

    @cached_property
    def _rank_prior(self) -> Forecasts:
        table = forecasts_table(FALL_BACK)
        return read_forecasts(self.lake, table, self.targets, self.start, self.end)


def _on(stored: Forecasts, day: date) -> SubmittedForecast | None:
    row = int(np.searchsorted(stored.days, np.datetime64(day)))
    if row == len(stored.days) or stored.days[row] != np.datetime64(day):
        return None
    values = stored.values[row]
    usable = bool(np.isfinite(values).all() and np.ptp(values) > 0)
    return SubmittedForecast(day, values, stored.fit_as_of[row]) if usable else None


def submitted_rows(
    made: Sequence[SubmittedForecast], ids: Mapping[date, int], targets: tuple[str, ...]
) -> dict[str, Any]:
    """Rows of ``forecasts.published``; ``ids`` are the source's numbers of the days."""
    days = np.array([one.day for one in made], dtype="datetime64[D]")
    numbers = np.array([ids[one.day] for one in made], dtype=np.int64)
    values = np.array([one.values for one in made]).reshape(len(made), len(targets))
    rows = long_rows(days, numbers, {"value": values}, "target", targets)
    fits = np.array([one.fit_as_of for one in made], dtype="datetime64[D]")
    return {
        **rows,
        "fit_as_of": repeat_days(fits, len(targets)),
        **{
            name: repeat_days(np.array([getattr(one, name) for one in made], kind), len(targets))
            for name, kind in (("champion", "object"), ("challenger", "object"), ("share", "f8"))
        },
    }


def release_forecast_rows(
    made: Sequence[tuple[date, str, FloatArray]],
    ids: Mapping[date, int],
    targets: tuple[str, ...],
) -> dict[str, Any]:
    """Rows of ``forecasts.releases`` from days, releases and (m,) scores."""
    days = np.array([day for day, _, _ in made], dtype="datetime64[D]")
    numbers = np.array([ids[day] for day, _, _ in made], dtype=np.int64)
    values = np.array([scores for _, _, scores in made]).reshape(len(made), len(targets))
    rows = long_rows(days, numbers, {"value": values}, "target", targets)
    names = np.array([name for _, name, _ in made], dtype="object")
    return {**rows, "release": repeat_days(names, len(targets))}

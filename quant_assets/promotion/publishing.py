"""What is published on a day: the champion's forecast, mixed with the challenger's, or a fall-back.

Which releases are in force belongs in ``promotion.rules``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.arrays import long_rows, repeat_days
from quant_assets.lake.forecasts import Forecasts, read_forecasts
from quant_assets.lake.lake import Lake
from quant_assets.lake.point_in_time import date_ids_of
from quant_assets.lake.tables import ENSEMBLE, forecasts_table
from quant_assets.models.registry import FALL_BACK
from quant_assets.promotion.serving import Served
from quant_assets.promotion.state import State
from quant_assets.typing import FloatArray


@dataclass(frozen=True)
class Published:
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


def mixture(day: date, state: State, served: Mapping[str, Served]) -> Published | None:
    """The rank average of champion and challenger by share; None without the champion's forecast.

    Without a share the champion's forecast as it is.
    """
    champion = served.get(state.champion or "")
    challenger = served.get(state.challenger or "")
    if champion is None:
        return None
    if challenger is None or state.share == 0:
        beside = state.challenger if challenger else None
        return Published(day, champion.values, champion.fit_as_of, state.champion, beside)
    weights = np.array([[1.0 - state.share, state.share]])
    values = rank_average([champion.values[None], challenger.values[None]], weights)[0]
    newest = max(champion.fit_as_of, challenger.fit_as_of)
    return Published(day, values, newest, state.champion, state.challenger, state.share)


@dataclass(frozen=True)
class FallBack:
    """What is published where no release can be: the ensemble, else the rank prior.

    Attributes:
        choices: stored forecasts of the range, the preferred ones first.
    """

    choices: Sequence[Forecasts]

    @classmethod
    def read(cls, lake: Lake, targets: tuple[str, ...], start: date, end: date) -> "FallBack":
        """Those stored for a range."""
        tables = (ENSEMBLE, forecasts_table(FALL_BACK))
        return cls([read_forecasts(lake, table, targets, start, end) for table in tables])

    def on(self, day: date) -> Published | None:
        """The day's; None where there is nothing to publish."""
        for stored in self.choices:
            row = int(np.searchsorted(stored.days, np.datetime64(day)))
            if row < len(stored.days) and stored.days[row] == day:
                values = stored.values[row]
                if np.isfinite(values).all() and np.ptp(values) > 0:
                    return Published(day, values, stored.fit_as_of[row])
        return None


def published_rows(
    lake: Lake, made: Sequence[Published], targets: tuple[str, ...]
) -> dict[str, Any]:
    """Rows of ``forecasts.published``."""
    days = np.array([one.day for one in made], dtype="datetime64[D]")
    values = np.array([one.values for one in made]).reshape(len(made), len(targets))
    rows = long_rows(days, date_ids_of(lake, days), {"value": values}, "target", targets)
    fits = np.array([one.fit_as_of for one in made], dtype="datetime64[D]")
    return {
        **rows,
        "fit_as_of": repeat_days(fits, len(targets)),
        **{
            name: repeat_days(np.array([getattr(one, name) for one in made], kind), len(targets))
            for name, kind in (("champion", "object"), ("challenger", "object"), ("share", "f8"))
        },
    }


def release_rows(
    lake: Lake,
    made: Sequence[tuple[date, str, FloatArray]],
    targets: tuple[str, ...],
) -> dict[str, Any]:
    """Rows of ``forecasts.releases`` from days, releases and (m,) scores."""
    days = np.array([day for day, _, _ in made], dtype="datetime64[D]")
    values = np.array([scores for _, _, scores in made]).reshape(len(made), len(targets))
    rows = long_rows(days, date_ids_of(lake, days), {"value": values}, "target", targets)
    names = np.array([name for _, name, _ in made], dtype="object")
    return {**rows, "release": repeat_days(names, len(targets))}

"""The fits and releases that forecast days which are not stored, and what the lake knows of them.

Reading them from the lake belongs here, and so do the models in memory. Forecasting is in
``day_forecasts``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.ensemble.blend import read_track_record
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.forecast_tables import fits_table, forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import delay_of
from quant_assets.models.protocol import Forecaster
from quant_assets.models.registry import FAMILIES, select_families
from quant_assets.promotion.course import PromotionCourse
from quant_assets.promotion.daily_promotion import read_course
from quant_assets.promotion.release_forecasts import load_model
from quant_assets.promotion.release_store import ReleaseFit


@dataclass(frozen=True)
class FitInForce:
    """The newest fit of a family as of a day.

    Attributes:
        fit: the fit, as a release would pin it.
        parameters: all parameters of the fit.
        seed: its seed.
    """

    fit: ReleaseFit
    parameters: Mapping[str, Any]
    seed: int


@dataclass
class ModelStore:
    """Fitted models in memory, by the digest of their artifact.

    Attributes:
        lake: says which inputs models see now.
        settings: name the artifacts folder.
        models: the models.
    """

    lake: Lake
    settings: Settings
    models: dict[str, Forecaster] = field(default_factory=dict)

    def get(self, fit: ReleaseFit) -> Forecaster:
        """Return the model of a fit; it is loaded once, and its digest is verified.

        Raises:
            ArtifactError: the artifact is missing or altered, or was made on other features.
        """
        if fit.sha256 not in self.models:
            self.models[fit.sha256] = load_model(self.lake, self.settings, fit)
        return self.models[fit.sha256]

    def keep(self, digests: set[str]) -> None:
        """Forget the models of all other artifacts."""
        self.models = {digest: self.models[digest] for digest in digests & set(self.models)}


@dataclass(frozen=True)
class ServingState:
    """Releases, fits and track records, as they are known at the close of a day.

    Attributes:
        course: the course of promotion before the next day.
        families: names of the families of the market's settings.
        fits: the newest fit of each family that has one as of the day.
        record_days: (t,) days on which daily ICs became known, ascending.
        record: (t, k) daily ICs of the families ``record_families``; NaN where there is none.
        record_families: all families of the settings and of the releases.
        forecasts: (m,) stored forecasts of the newest days whose labels are not all known, by
            family and day.
    """

    course: PromotionCourse
    families: tuple[str, ...]
    fits: Mapping[str, FitInForce]
    record_days: DayArray
    record: FloatArray
    record_families: tuple[str, ...]
    forecasts: Mapping[tuple[str, date], FloatArray]


def read_serving_state(lake: Lake, settings: Settings, as_of: date) -> ServingState:
    """Read the releases, fits and track records that are known at the close of a day.

    Args:
        lake: the lake.
        settings: the families, and the thresholds of promotion.
        as_of: the day, a stored one.

    Raises:
        LakeError: no targets or features are stored.
    """
    with lake.at_once():
        known_days = read_known_days(lake, as_of)
        course = read_course(lake, settings, known_days, as_of + timedelta(days=1), date.max)
        families = select_families(settings.families)
        known = {name for release in course.releases.values() for name in release.families}
        every = tuple(name for name in FAMILIES if name in known or name in families)
        record_days, record = read_track_record(lake, every, as_of)
        fits = {
            name: _read_newest_fit(lake, name, _find_fit_day(lake, name, as_of)) for name in every
        }
        return ServingState(
            course,
            families,
            {name: fit for name, fit in fits.items() if fit is not None},
            record_days,
            record,
            every,
            _read_unjudged(lake, every, known_days),
        )


def _find_fit_day(lake: Lake, name: str, as_of: date) -> date:
    """Return the as-of day of the fit that forecast the next day, if that is stored; else the day.

    A fit of a walk-forward forecasts its own as-of day, so that it may be newer than ``as_of``.
    """
    table = forecasts_table(name)
    later = read_known_days(lake, date.max)
    later = later[later > np.datetime64(as_of)]
    if not len(later) or not lake.has(table):
        return as_of
    rows = lake.arrow(
        f"SELECT fit_as_of FROM {table.quoted} WHERE trading_day = ? LIMIT 1", [later[0].item()]
    ).to_pylist()
    day: date = rows[0]["fit_as_of"] if rows else as_of
    return day


def _read_newest_fit(lake: Lake, name: str, as_of: date) -> FitInForce | None:
    table = fits_table(name)
    if not lake.has(table):
        return None
    rows = lake.arrow(
        "SELECT trading_day, fingerprint, artifact, sha256, features_version, parameters, seed"
        f" FROM {table.quoted} WHERE trading_day <= ? AND artifact IS NOT NULL"
        " ORDER BY trading_day DESC LIMIT 1",
        [as_of],
    ).to_pylist()
    if not rows:
        return None
    row = rows[0]
    day, parameters, seed = row.pop("trading_day"), row.pop("parameters"), row.pop("seed")
    fit = ReleaseFit(name, day, pinned=True, weight=1.0, **row)
    return FitInForce(fit, json.loads(parameters), int(seed))


def _read_unjudged(
    lake: Lake, families: Sequence[str], known_days: DayArray
) -> dict[tuple[str, date], FloatArray]:
    """Read the families' forecasts of the last days, of which not all labels are known."""
    pairs = read_pairs(lake)
    days = known_days[-delay_of(pairs.lags) :]
    result: dict[tuple[str, date], FloatArray] = {}
    for name in families:
        if not len(days):
            break
        ends = days[0].item(), days[-1].item()
        stored = read_forecasts(lake, forecasts_table(name), pairs.targets, *ends)
        rows = zip(stored.days.tolist(), stored.values, strict=True)
        result |= {(name, day): values for day, values in rows if np.isfinite(values).any()}
    return result

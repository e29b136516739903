"""What a day's forecasts rest on: the share of each group of inputs in their spread.

Known at the close of the day, since no label is needed. What a group adds to a score is said by
the families (``Forecaster.contributions``), and what a family adds to the ensemble, by its blend.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.errors import ArtifactError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.schemas.tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.training.fits import find_fit_periods, read_observations_for

ATTRIBUTED_DAYS = 20
"""Of a range of days only so many, the newest, are attributed.

Exact Shapley values of trees and gradients of networks take time: on two cores some 2 s for the
fast families of a real market, 10 to 20 s for all. Older days want ranges of their own.
"""
_ROUNDING = 1e-12
GROUPS = {feature.name: feature.group for feature in CATALOGUE}


@dataclass(frozen=True)
class FamilyParts:
    """What a family's scores of some days are made of.

    Attributes:
        family: model family, or ensemble.
        days: (n,) the days.
        parts: (n, m) what each group adds to the scores; NaN on a day on which it has none.
    """

    family: str
    days: DayArray
    parts: Mapping[str, FloatArray]


def variance_shares(parts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """(n,) share of each group in a day's spread of scores: Cov(part, score) / Var(score).

    Over the targets. The shares of a day sum to 1, since the scores are the sum of the parts; one
    is negative where the group works against all the others together. This is the covariance
    principle of risk contributions (Tasche, "Risk Contributions and Performance Measurement",
    1999), with a score's spread for the risk.

    Args:
        parts: (n, m) of each group; NaN on a day on which it has none.

    NaN likewise, and on a day on which all scores are equal but for rounding.
    """
    known = {name: np.nan_to_num(part) for name, part in parts.items()}
    score = np.sum(list(known.values()), axis=0)
    around = score - score.mean(axis=1, keepdims=True)
    squares = np.einsum("ij,ij->i", around, around)
    size = np.sum([np.einsum("ij,ij->i", part, part) for part in known.values()], axis=0)
    squares = np.where(squares > _ROUNDING**2 * size, squares, np.nan)
    return {name: np.einsum("ij,ij->i", part, around) / squares for name, part in parts.items()}


def first_attributed_day(lake: Lake, start: date, end: date) -> date:
    """The first day of a range that is attributed."""
    return max(start, find_history_start(lake, MARKET_FEATURES, end, ATTRIBUTED_DAYS - 1))


def read_family_parts(
    lake: Lake,
    settings: Settings,
    families: Sequence[str],
    start: date,
    end: date,
    warn: Callable[[str], None],
) -> Iterator[FamilyParts]:
    """Parts of each family's forecasts from ``start`` to ``end``, fit by fit.

    A family without a fit has none, nor has one whose stored fit is missing or altered: ``warn`` is
    told, and the others go on.
    """
    seen = read_observations_for(lake, families, start, end)
    for name in families:
        try:
            for spell in find_fit_periods(lake, settings, seen, name, start):
                parts = spell.model.contributions(spell.seen, spell.rows, GROUPS)
                yield FamilyParts(name, spell.days, parts)
        except ArtifactError as error:
            warn(f"{name} is not attributed: {error}")


def attribution_rows(lake: Lake, found: Iterable[FamilyParts]) -> pd.DataFrame:
    """Rows of ``monitoring.attribution``; a share that is undefined has none."""
    rows = [
        pd.DataFrame(
            {"trading_day": one.days, "family": one.family, "inputs": name, "share": share}
        )
        for one in found
        for name, share in variance_shares(one.parts).items()
    ]
    columns = [column.name for column in ATTRIBUTION.columns]
    if not rows:
        return pd.DataFrame({name: [] for name in columns})
    known = pd.concat(rows, ignore_index=True).dropna(subset="share")
    known["date_id"] = read_date_ids(lake, known["trading_day"].to_numpy())
    return known[columns]

"""Attribution: the share of each group of inputs in the variance of a day's scores.

Shares need no labels, so they are known at the close of the forecast day. Families compute what a
group of inputs adds to their scores (``Forecaster.contributions``); ``ensemble.blend`` computes
what a family adds to the ensemble.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.errors import ArtifactError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.features.further_inputs import NO_FURTHER, FurtherInputs, list_every_input
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.readers.series import read_all_groups
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import Group
from quant_assets.training.forecasting import find_fit_periods, read_observations_for

ATTRIBUTED_DAYS = 20
"""Number of days, the newest of a range, that are attributed.

Exact Shapley values of trees and gradients of networks take time: on two cores about 2 s for the
fast families of a real market, 10 to 20 s for all. To attribute older days, run ranges that end
with them.
"""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class FamilyParts:
    """What each group of inputs adds to a family's scores.

    Attributes:
        family: name of the family, or ``ensemble``.
        days: (n,) forecast days.
        parts: (n, m) addends of the scores, by group; NaN on a day without a forecast of the group.
    """

    family: str
    days: DayArray
    parts: Mapping[str, FloatArray]


def variance_shares(parts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Compute each group's share in the variance of a day's scores over the targets.

    The share of a group is Cov(part, score) / Var(score). The shares of a day sum to 1, since a
    score is the sum of its parts; the share of a group that offsets the others is negative. This is
    the covariance principle of risk contributions (Tasche, "Risk Contributions and Performance
    Measurement", 1999), with the variance of scores as the risk.

    Returns arrays of shape (n,) by group; NaN on a day without a part of the group, and on a day
    whose scores are all equal but for rounding.

    Args:
        parts: (n, m) addends of the scores, by group; NaN on a day without a forecast of the group.
    """
    known = {name: np.nan_to_num(part) for name, part in parts.items()}
    score = np.sum(list(known.values()), axis=0)
    scored = np.any([~np.isnan(part) for part in parts.values()], axis=0)
    deviation = score - _mean_of_scored(score, scored)
    deviation[~scored] = 0.0
    squares = np.einsum("ij,ij->i", deviation, deviation)
    size = np.sum([np.einsum("ij,ij->i", part, part) for part in known.values()], axis=0)
    squares = np.where(squares > _ROUNDING**2 * size, squares, np.nan)
    shares = {}
    for name, part in parts.items():
        absent = np.isnan(part).all(axis=1)
        shares[name] = np.einsum("ij,ij->i", known[name], deviation) / squares
        shares[name][absent] = np.nan
    return shares


def _mean_of_scored(score: FloatArray, scored: BoolArray) -> FloatArray:
    """Compute the (n, 1) mean score of the targets that have a score."""
    mean: FloatArray = score.mean(axis=1, keepdims=True)
    partly = scored.any(axis=1) & ~scored.all(axis=1)
    mean[partly] = score[partly].mean(axis=1, keepdims=True, where=scored[partly])
    return mean


def first_attributed_day(lake: Lake, start: date, end: date) -> date:
    """Return the first attributed day of a range: only the newest days of a range are.

    Args:
        lake: the lake.
        start: first day of the range.
        end: last day of the range.
    """
    return max(start, find_history_start(lake, MARKET_FEATURES, end, ATTRIBUTED_DAYS - 1))


def read_family_parts(
    lake: Lake,
    settings: Settings,
    families: Sequence[str],
    start: date,
    end: date,
    warn: Callable[[str], None],
) -> Iterator[FamilyParts]:
    """Compute the parts of each family's forecasts from ``start`` to ``end``, fit by fit.

    A family without a fit yields nothing. A family whose stored fit is missing or altered yields
    nothing for that fit and the later ones; ``warn`` is called, and the other families go on.

    Args:
        lake: the lake.
        settings: where artifacts are.
        families: names of the families.
        start: first forecast day.
        end: last forecast day.
        warn: called with a message about a family that cannot be attributed.
    """
    observations = read_observations_for(lake, families, start, end)
    groups = group_inputs(read_all_groups(lake), read_further_inputs(lake))
    for name in families:
        try:
            for period in find_fit_periods(lake, settings, observations, name, start):
                blocks = [period.model.contributions(*block, groups) for block in period.blocks()]
                parts = {
                    group: period.spread(np.concatenate([block[group] for block in blocks]))
                    for group in blocks[0]
                }
                yield FamilyParts(name, period.days, parts)
        except ArtifactError as error:
            warn(f"{name} is not attributed: {error}")


def group_inputs(groups: Sequence[Group], further: FurtherInputs = NO_FURTHER) -> dict[str, str]:
    """Return the group of features that reports show each input of models in.

    Args:
        groups: the groups of instruments, in the market's order.
        further: what the market has beside daily prices; a table is a group, and bars are one.
    """
    inputs = list_every_input(groups, further)
    return {name: feature.group for (_, name), feature in inputs.items()}


def attribution_rows(lake: Lake, families: Iterable[FamilyParts]) -> pd.DataFrame:
    """Compute rows of ``monitoring.attribution``; an undefined share has no row."""
    rows = [
        pd.DataFrame(
            {"trading_day": family.days, "family": family.family, "inputs": group, "share": share}
        )
        for family in families
        for group, share in variance_shares(family.parts).items()
    ]
    columns = [column.name for column in ATTRIBUTION.columns]
    if not rows:
        return pd.DataFrame({name: [] for name in columns})
    known = pd.concat(rows, ignore_index=True).dropna(subset="share")
    known["date_id"] = read_date_ids(lake, known["trading_day"].to_numpy())
    return known[columns]

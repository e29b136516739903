"""Daily figures of forecasts: ICs over parts of the targets, turnover, dispersion and agreement.

There is one row a day, so a trading day adds its rows and the scoreboard reads no forecasts.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.market.targets import TargetPairs
from quant_assets.scoring.daily_performance import day_columns, masked_ic
from quant_assets.scoring.judged_days import ScoredForecasts
from quant_assets.scoring.metric import daily_ic


def split_targets(
    pairs: TargetPairs, group_of: Mapping[str, str]
) -> dict[tuple[str, str], BoolArray]:
    """Split the targets by lag, and by the groups of their two legs, whichever leg is which.

    Returns (m,) masks by kind and name of the part, such as ``("lag", "1")`` or
    ``("markets", "oil-solar")``.
    """
    names = [
        "-".join(sorted({group_of[leg] for leg in legs if leg}))
        for legs in zip(pairs.leg_a, pairs.leg_b, strict=True)
    ]
    by_lag = {("lag", str(lag)): pairs.lags == lag for lag in np.unique(pairs.lags)}
    return by_lag | {("markets", name): np.array(names) == name for name in sorted(set(names))}


def slice_rows(
    scored: ScoredForecasts | None, coverage: Mapping[str, FloatArray] | None = None
) -> pd.DataFrame:
    """Compute rows of ``monitoring.slices``; an undefined figure has no row.

    Args:
        scored: forecasts and their labels; None gives no rows.
        coverage: (n,) share of the labels within the ensemble's intervals, by level in percent.
    """
    return _join(SLICES, list(_compute_slices(scored, coverage or {})) if scored else [])


def _compute_slices(
    scored: ScoredForecasts, coverage: Mapping[str, FloatArray]
) -> Iterator[pd.DataFrame]:
    for level, share in coverage.items():
        keys = {**day_columns(scored), "family": "ensemble", "by": "interval", "part": level}
        yield pd.DataFrame({**keys, "value": share})
    parts = split_targets(scored.pairs, scored.group_of)
    for name, values in scored.forecasts.items():
        figures = {
            part: masked_ic(values[:, of_part], scored.labels[:, of_part])
            for part, of_part in parts.items()
        }
        has = np.isfinite(values).any(axis=1)
        before = scored.forecasts_before[name]
        before = np.where(np.isfinite(values), before, np.nan)
        persistence = np.full(len(values), np.nan)
        both = has & np.isfinite(before).any(axis=1)
        persistence[both] = daily_ic(values[both], before[both])
        figures["forecast", "turnover"] = 1.0 - persistence
        figures["forecast", "dispersion"] = _compute_dispersion(values)
        for (by, part), figure in figures.items():
            keys = {**day_columns(scored), "family": name, "by": by, "part": part}
            yield pd.DataFrame({**keys, "value": figure})


def _compute_dispersion(values: FloatArray) -> FloatArray:
    """Compute the (n,) standard deviation of each day's forecasts; NaN on a day without any."""
    result = np.asarray(values.std(axis=1))
    for row in np.flatnonzero(np.isnan(result) & np.isfinite(values).any(axis=1)):
        result[row] = values[row][np.isfinite(values[row])].std()
    return result


def agreement_rows(scored: ScoredForecasts | None) -> pd.DataFrame:
    """Compute rows of ``monitoring.agreement``: the rank correlation of each pair of families.

    Args:
        scored: forecasts and their labels, which are not used; None gives no rows.
    """
    return _join(AGREEMENT, list(_compute_agreement(scored)) if scored else [])


def _compute_agreement(scored: ScoredForecasts) -> Iterator[pd.DataFrame]:
    unit = {name: _unit_ranks(values) for name, values in scored.forecasts.items()}
    names = list(unit)
    for i, family in enumerate(names):
        for other in names[i + 1 :]:
            value = np.einsum("ij,ij->i", unit[family], unit[other])
            keys = {**day_columns(scored), "family": family, "other": other}
            yield pd.DataFrame({**keys, "value": value})


def _unit_ranks(values: FloatArray) -> FloatArray:
    """Scale standardised ranks to length 1 a day, so that their products are rank correlations.

    Returns an array of shape (n, m); NaN on a day whose values are all equal or empty, and 0 for a
    target without a value on another day.
    """
    ranks = standardised_ranks(values)
    ranks[np.isnan(ranks) & ~np.isnan(ranks).all(axis=1, keepdims=True)] = 0.0
    norm = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
    return ranks / np.where(norm > 0, norm, np.nan)[:, None]


def _join(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = [column.name for column in table.columns]
    if not frames:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(frames)[columns].dropna(subset="value")

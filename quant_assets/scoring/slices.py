"""What a family is good at: its daily IC over parts of the targets, its turnover, its likeness.

One row a day, so that a trading day adds its rows and a scoreboard never reads forecasts again.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.market.instruments import market_of
from quant_assets.market.targets import TargetPairs
from quant_assets.scoring.daily_performance import day_columns, masked_ic
from quant_assets.scoring.judged_days import ScoredForecasts
from quant_assets.scoring.metric import daily_ic


def split_targets(pairs: TargetPairs) -> dict[tuple[str, str], BoolArray]:
    """(m,) which targets each part holds, by what it is a part by and its name.

    By ``lag``, and by the ``markets`` of both legs, whichever of them is bought.
    """
    names = [
        "-".join(sorted({market_of(leg) for leg in legs if leg}))
        for legs in zip(pairs.leg_a, pairs.leg_b, strict=True)
    ]
    by_lag = {("lag", str(lag)): pairs.lags == lag for lag in np.unique(pairs.lags)}
    return by_lag | {("markets", name): np.array(names) == name for name in sorted(set(names))}


def slice_rows(
    found: ScoredForecasts | None, coverage: Mapping[str, FloatArray] | None = None
) -> pd.DataFrame:
    """Rows of ``monitoring.slices``.

    Args:
        found: forecasts and labels of some release days, if there are any.
        coverage: (n,) share of the labels within the ensemble's intervals, by level in percent.

    A day without a forecast, and one on which a figure is undefined, has no row.
    """
    return _rows(SLICES, list(_slices(found, coverage or {})) if found else [])


def _slices(found: ScoredForecasts, coverage: Mapping[str, FloatArray]) -> Iterator[pd.DataFrame]:
    for level, share in coverage.items():
        keys = {**day_columns(found), "family": "ensemble", "by": "interval", "part": level}
        yield pd.DataFrame({**keys, "value": share})
    parts = split_targets(found.pairs)
    for name, values in found.forecasts.items():
        figures = {
            part: masked_ic(values[:, of_part], found.truth[:, of_part])
            for part, of_part in parts.items()
        }
        has = np.isfinite(values).all(axis=1)
        kept = np.full(len(values), np.nan)
        both = has & np.isfinite(found.before[name]).all(axis=1)
        kept[both] = daily_ic(values[both], found.before[name][both])
        figures["forecast", "turnover"] = 1.0 - kept
        figures["forecast", "dispersion"] = np.where(has, values.std(axis=1), np.nan)
        for (by, part), figure in figures.items():
            keys = {**day_columns(found), "family": name, "by": by, "part": part}
            yield pd.DataFrame({**keys, "value": figure})


def agreement_rows(found: ScoredForecasts | None) -> pd.DataFrame:
    """Rows of ``monitoring.agreement``."""
    return _rows(AGREEMENT, list(_agreement(found)) if found else [])


def _agreement(found: ScoredForecasts) -> Iterator[pd.DataFrame]:
    unit = {name: _unit_ranks(values) for name, values in found.forecasts.items()}
    names = list(unit)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            value = np.einsum("ij,ij->i", unit[one], unit[other])
            keys = {**day_columns(found), "family": one, "other": other}
            yield pd.DataFrame({**keys, "value": value})


def _unit_ranks(values: FloatArray) -> FloatArray:
    """(n, m) standardised ranks of length 1 a day: their products are rank correlations."""
    ranks = standardised_ranks(values)
    norm = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
    return ranks / np.where(norm > 0, norm, np.nan)[:, None]


def _rows(table: Table, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = [column.name for column in table.columns]
    if not parts:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(parts)[columns].dropna(subset="value")

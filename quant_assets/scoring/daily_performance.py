"""Daily performance of stored forecasts, once their labels are released."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE, TRACK_RECORD
from quant_assets.lake.store.lake import Lake
from quant_assets.scoring.judged_days import ScoredForecasts
from quant_assets.scoring.metric import daily_ic


def performance_rows(
    found: ScoredForecasts | None, others: Mapping[str, FloatArray] | None = None
) -> pd.DataFrame:
    """Rows of ``monitoring.performance``, each family judged on the days it forecasts.

    Args:
        found: forecasts and labels of some release days, if there are any.
        others: further forecasts by name, one row a day, judged on the days on which a family
            forecasts.

    A day on which a correlation is undefined has no row.
    """
    if found is None:
        return pd.DataFrame({column.name: [] for column in PERFORMANCE.columns})
    forecast_on = np.any([np.isfinite(x).any(axis=1) for x in found.forecasts.values()], axis=0)
    forecasts = {**found.forecasts, **(others or {})}
    parts = []
    for name, values in forecasts.items():
        ic = masked_ic(values, found.truth, forecast_on)
        parts.append(pd.DataFrame({**day_columns(found), "family": name, "ic": ic}))
    rows = pd.concat(parts)[[column.name for column in PERFORMANCE.columns]]
    return rows.dropna(subset="ic")


def read_other_track_records(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> pd.DataFrame:
    """Stored rows of ``forecasts.track_record`` of families that are not asked for.

    They stay: releases of these families go on being weighted by them.

    Args:
        lake: the lake.
        families: whose rows are made anew.
        start: first release day.
        end: last release day.
    """
    if not lake.has(TRACK_RECORD):
        return pd.DataFrame()
    columns = ", ".join(column.name for column in TRACK_RECORD.columns)
    return lake.query(
        f"SELECT {columns} FROM {TRACK_RECORD.quoted}"
        " WHERE released_on BETWEEN ? AND ? AND NOT list_contains(?, family)",
        [start, end, list(families)],
    )


def day_columns(found: ScoredForecasts) -> dict[str, AnyArray]:
    """The columns that say of which day a judgement is, and since when it is known."""
    return {
        "trading_day": found.days,
        "date_id": found.date_ids,
        "released_on": found.released_on,
    }


def masked_ic(values: FloatArray, truth: FloatArray, wanted: BoolArray | None = None) -> FloatArray:
    """(n,) daily IC; NaN on days without a forecast, and on those not wanted."""
    ic = np.full(len(values), np.nan)
    has = np.isfinite(values).any(axis=1)
    has = has if wanted is None else has & wanted
    ic[has] = daily_ic(values[has], truth[has])
    return ic


def mean_ic(rows: pd.DataFrame) -> dict[str, float]:
    """Mean IC by family, as ``ic_<family>``."""
    return {f"ic_{name}": float(ic) for name, ic in rows.groupby("family")["ic"].mean().items()}

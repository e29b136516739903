"""Daily ICs of stored forecasts, computed once all labels of a forecast day are known."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.store.lake import Lake
from quant_assets.scoring.judged_days import ScoredForecasts
from quant_assets.scoring.metric import daily_ic


def performance_rows(
    scored: ScoredForecasts | None, others: Mapping[str, FloatArray] | None = None
) -> pd.DataFrame:
    """Compute rows of ``forecasts.track_record``: the IC of each family on each day it forecasts.

    A day on which the IC is undefined has no row.

    Args:
        scored: forecasts and their labels; None gives no rows.
        others: (n, m) further forecasts by name, scored on the days on which any family has a
            forecast.
    """
    if scored is None:
        return pd.DataFrame({column.name: [] for column in TRACK_RECORD.columns})
    forecast_on = np.any([np.isfinite(x).any(axis=1) for x in scored.forecasts.values()], axis=0)
    forecasts = {**scored.forecasts, **(others or {})}
    frames = []
    for name, values in forecasts.items():
        ic = masked_ic(values, scored.labels, forecast_on)
        frames.append(pd.DataFrame({**day_columns(scored), "family": name, "ic": ic}))
    rows = pd.concat(frames)[[column.name for column in TRACK_RECORD.columns]]
    return rows.dropna(subset="ic")


def add_origins(rows: pd.DataFrame, origins: Mapping[date, str | None]) -> pd.DataFrame:
    """Add the origin of the submitted forecast, which makes rows of ``monitoring.performance``.

    Args:
        rows: rows of :func:`performance_rows`.
        origins: origin of the submitted forecast by forecast day.
    """
    days = pd.to_datetime(rows["trading_day"]).dt.date
    submitted = rows["family"] == SUBMITTED_NAME
    return rows.assign(origin=days.map(origins).where(submitted, None).astype(object))


def read_other_track_records(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> pd.DataFrame:
    """Read the stored rows of ``forecasts.track_record`` of all families but the given ones.

    Whoever replaces the rows of the given families keeps these rows: releases of the other
    families are still weighted by them.

    Args:
        lake: the lake.
        families: families whose rows are left out.
        start: first day on which a row's IC became known.
        end: last such day.
    """
    if not lake.has(TRACK_RECORD):
        return pd.DataFrame()
    columns = ", ".join(column.name for column in TRACK_RECORD.columns)
    return lake.query(
        f"SELECT {columns} FROM {TRACK_RECORD.quoted}"
        " WHERE released_on BETWEEN ? AND ? AND NOT list_contains(?, family)",
        [start, end, list(families)],
    )


def day_columns(scored: ScoredForecasts) -> dict[str, AnyArray]:
    """Return the columns that name a row's forecast day and the day on which it became known."""
    return {
        "trading_day": scored.days,
        "date_id": scored.date_ids,
        "released_on": scored.released_on,
    }


def masked_ic(
    values: FloatArray, labels: FloatArray, wanted: BoolArray | None = None
) -> FloatArray:
    """Compute (n,) daily ICs; NaN on days without a forecast and where ``wanted`` is false.

    A target without a forecast on a day with forecasts had not begun at the fit; it does not count.

    Args:
        values: (n, m) scores.
        labels: (n, m) labels by forecast day; NaN where empty.
        wanted: (n,) days to compute; all days by default.
    """
    ic = np.full(len(values), np.nan)
    has = np.isfinite(values).any(axis=1)
    has = has if wanted is None else has & wanted
    judged = np.where(np.isfinite(values[has]), labels[has], np.nan)
    ic[has] = daily_ic(values[has], judged)
    return ic


def mean_ic(rows: pd.DataFrame) -> dict[str, float]:
    """Compute each family's mean IC, by the name ``ic_<family>``.

    Args:
        rows: rows of ``monitoring.performance``.
    """
    return {f"ic_{name}": float(ic) for name, ic in rows.groupby("family")["ic"].mean().items()}

"""Blending the families' forecasts of a day into one."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.ensemble.weights import learned_weights
from quant_assets.lake.readers.arrays import day_positions
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.schemas.tables import forecasts_table
from quant_assets.lake.store.lake import Lake


def rank_average(forecasts: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """(n, m) weighted mean over families of each day's standardised ranks.

    Args:
        forecasts: one (n, m) array per family; a family without a forecast on a day is NaN there
            and does not count.
        weights: (n, families) of each day, not negative.

    NaN where no family has a forecast. A day depends on that day's rows only.
    """
    total = np.zeros(forecasts[0].shape)
    weight = np.zeros(forecasts[0].shape)
    weights = fill_weights(forecasts, weights)
    for part, of_family in zip(weighted_ranks(forecasts, weights), weights.T, strict=True):
        total += np.nan_to_num(part)
        weight += ~np.isnan(part) * of_family[:, None]
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)


def fill_weights(forecasts: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """(n, families) weights; equal among those with a forecast where none of these has one."""
    has = np.stack([np.isfinite(one).any(axis=1) for one in forecasts], axis=1)
    weighed = (has & (weights > 0)).any(axis=1, keepdims=True)
    return np.where(weighed, weights, has.astype(np.float64))


def weighted_ranks(forecasts: Sequence[FloatArray], weights: FloatArray) -> list[FloatArray]:
    """(n, m) standardised ranks of each family times its weight; NaN without a forecast.

    Their sum is the blend, up to a factor a day.
    """
    return [
        standardised_ranks(forecast) * of_family[:, None]
        for forecast, of_family in zip(forecasts, weights.T, strict=True)
    ]


def read_members(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> tuple[DayArray, dict[str, FloatArray]]:
    """Days with a forecast of any family, and :func:`weighted_ranks` of each family on them."""
    stored = _stored(lake, families, start, end)
    days = np.unique(np.concatenate([member.days for member in stored]))
    forecasts = [member.on(days) for member in stored]
    weights = fill_weights(forecasts, read_weights(lake, families, days))
    ranks = weighted_ranks(forecasts, weights)
    return days, dict(zip(families, ranks, strict=True))


def blend_forecasts(lake: Lake, families: Sequence[str], start: date, end: date) -> Forecasts:
    """The ensemble's forecasts of every day on which at least one family has one.

    A day's weights are learnt from the families' daily ICs released by then. ``fit_as_of`` is
    that of the newest fit among the families.
    """
    stored = _stored(lake, families, start, end)
    days = np.unique(np.concatenate([member.days for member in stored]))
    fit_as_of = np.full(len(days), np.datetime64(date.min, "D"))
    for member in stored:
        of_member = np.isin(days, member.days)
        fit_as_of[of_member] = np.maximum(fit_as_of[of_member], member.fit_as_of)
    weights = read_weights(lake, families, days)
    values = rank_average([member.on(days) for member in stored], weights)
    return Forecasts(days, values, fit_as_of, stored[0].targets)


def read_weights(lake: Lake, families: Sequence[str], days: DayArray) -> FloatArray:
    """(n, families) weights on the given days, from what was known of the families by then."""
    if not len(days) or not lake.has(TRACK_RECORD):
        return np.ones((len(days), len(families)))
    record = lake.columns(
        f"SELECT released_on, family, ic FROM {TRACK_RECORD.quoted}"
        " WHERE released_on <= ? ORDER BY released_on",
        [days[-1].item()],
    )
    known = np.unique(record["released_on"]).astype("datetime64[D]")
    ic = np.full((len(known), len(families)), np.nan)
    for column, name in enumerate(families):
        of_family = record["family"] == name
        ic[day_positions(record["released_on"][of_family], known), column] = record["ic"][of_family]
    row = np.searchsorted(known, days, side="right")
    return np.concatenate([np.ones((1, len(families))), learned_weights(ic)])[row]


def _stored(lake: Lake, families: Sequence[str], start: date, end: date) -> list[Forecasts]:
    targets = read_pairs(lake).targets
    return [read_forecasts(lake, forecasts_table(name), targets, start, end) for name in families]

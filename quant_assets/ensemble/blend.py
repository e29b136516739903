"""The blend: the weighted mean of the members' ranks of a day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.ensemble.weights import learned_weights
from quant_assets.lake.readers.arrays import day_positions
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import read_target_members
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.store.lake import Lake


def rank_average(forecasts: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """Compute the weighted mean over families of each day's standardised ranks.

    Returns an array of shape (n, m), each value in (-1, 1); NaN where no family has a forecast. A
    day depends on that day's rows only.

    Args:
        forecasts: (n, m) scores of each family; NaN on a day without a forecast of the family,
            which then has no part in the mean.
        weights: (n, families) weights of each day, not negative.

    Examples:
        Two families disagree about the first and the last target, and the first counts thrice:

        >>> forecasts = [np.array([[1.0, 2.0, 3.0]]), np.array([[9.0, 5.0, 1.0]])]
        >>> rank_average(forecasts, np.array([[1.5, 0.5]])).round(3)
        array([[-0.333,  0.   ,  0.333]])
    """
    total = np.zeros(forecasts[0].shape)
    weight = np.zeros(forecasts[0].shape)
    weights = fill_weights(forecasts, weights)
    for ranks, of_family in zip(weighted_ranks(forecasts, weights), weights.T, strict=True):
        total += np.nan_to_num(ranks)
        weight += ~np.isnan(ranks) * of_family[:, None]
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)


def fill_weights(forecasts: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """Return (n, families) weights of which at least one family with a forecast has some.

    On a day on which every family with a forecast has weight 0, each of them gets weight 1.

    Args:
        forecasts: (n, m) scores of each family; NaN on a day without a forecast.
        weights: (n, families) weights of each day, not negative.
    """
    has_forecast = np.stack([np.isfinite(scores).any(axis=1) for scores in forecasts], axis=1)
    has_weight = (has_forecast & (weights > 0)).any(axis=1, keepdims=True)
    return np.where(has_weight, weights, has_forecast.astype(np.float64))


def weighted_ranks(forecasts: Sequence[FloatArray], weights: FloatArray) -> list[FloatArray]:
    """Compute each family's (n, m) standardised ranks times its weight; NaN without a forecast.

    Their sum over the families is the blend, up to a factor a day.

    Args:
        forecasts: (n, m) scores of each family.
        weights: (n, families) weights of each day.
    """
    return [
        standardised_ranks(forecast) * of_family[:, None]
        for forecast, of_family in zip(forecasts, weights.T, strict=True)
    ]


def read_members(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> tuple[DayArray, dict[str, FloatArray]]:
    """Read the members' parts of the ensemble's forecasts.

    Returns the days from ``start`` to ``end`` on which any family has a forecast, and each family's
    :func:`weighted_ranks` on these days.

    Args:
        lake: the lake.
        families: names of the members.
        start: first forecast day.
        end: last forecast day.
    """
    stored = _read_members_forecasts(lake, families, start, end)
    days = np.unique(np.concatenate([member.days for member in stored]))
    forecasts = [member.on(days) for member in stored]
    weights = fill_weights(forecasts, read_weights(lake, families, days))
    ranks = weighted_ranks(forecasts, weights)
    return days, dict(zip(families, ranks, strict=True))


def blend_forecasts(lake: Lake, families: Sequence[str], start: date, end: date) -> Forecasts:
    """Compute the ensemble's forecasts of every day on which at least one family has a forecast.

    A day's weights are learnt from the daily ICs known on that day. The forecast's ``fit_as_of``
    is the newest among the members.

    Args:
        lake: the lake.
        families: names of the members.
        start: first forecast day.
        end: last forecast day.
    """
    stored = _read_members_forecasts(lake, families, start, end)
    days = np.unique(np.concatenate([member.days for member in stored]))
    fit_as_of = np.full(len(days), np.datetime64(date.min, "D"))
    for member in stored:
        of_member = np.isin(days, member.days)
        fit_as_of[of_member] = np.maximum(fit_as_of[of_member], member.fit_as_of)
    weights = read_weights(lake, families, days)
    values = rank_average([member.on(days) for member in stored], weights)
    return Forecasts(days, values, fit_as_of, stored[0].targets)


def read_weights(lake: Lake, families: Sequence[str], days: DayArray) -> FloatArray:
    """Compute (n, families) weights on n days from the families' track records known by then.

    Args:
        lake: the lake.
        families: names of the members.
        days: (n,) days, ascending.
    """
    if not len(days):
        return np.ones((0, len(families)))
    return weigh_days(days, *read_track_record(lake, families, days[-1].item()))


def read_track_record(
    lake: Lake, families: Sequence[str], until: date
) -> tuple[DayArray, FloatArray]:
    """Read the daily ICs of families that were known by a day.

    Returns the (t,) days on which an IC of any family became known, ascending, and the (t, k) ICs
    of the k given families; NaN where a family has none.

    Args:
        lake: the lake.
        families: names of the families.
        until: the day.
    """
    if not lake.has(TRACK_RECORD):
        return np.empty(0, "datetime64[D]"), np.empty((0, len(families)))
    record = lake.columns(
        f"SELECT released_on, family, ic FROM {TRACK_RECORD.quoted}"
        " WHERE released_on <= ? ORDER BY released_on",
        [until],
    )
    known = np.unique(record["released_on"]).astype("datetime64[D]")
    ic = np.full((len(known), len(families)), np.nan)
    for column, name in enumerate(families):
        of_family = record["family"] == name
        ic[day_positions(record["released_on"][of_family], known), column] = record["ic"][of_family]
    return known, ic


def weigh_days(days: DayArray, known: DayArray, ic: FloatArray) -> FloatArray:
    """Compute the (n, k) weights on n days from the daily ICs known by then.

    Args:
        days: (n,) days, ascending.
        known: (t,) days on which an IC became known, ascending.
        ic: (t, k) ICs of the k families; NaN where a family has none.
    """
    row = np.searchsorted(known, days, side="right")
    return np.concatenate([np.ones((1, ic.shape[1])), learned_weights(ic)])[row]


def _read_members_forecasts(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> list[Forecasts]:
    """Read the families' forecasts; NaN for targets that are not in the universe on the day."""
    pairs = read_pairs(lake)
    stored = [
        read_forecasts(lake, forecasts_table(name), pairs.targets, start, end) for name in families
    ]
    days = np.unique(np.concatenate([member.days for member in stored]))
    in_universe = read_target_members(lake, days, pairs)
    return [
        replace(
            member,
            values=np.where(in_universe[day_positions(member.days, days)], member.values, np.nan),
        )
        for member in stored
    ]

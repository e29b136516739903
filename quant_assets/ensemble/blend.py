"""Blending the families' forecasts of a day into one."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.lake.forecasts import Forecasts, read_forecasts
from quant_assets.lake.lake import Lake
from quant_assets.lake.prices import read_pairs
from quant_assets.lake.tables import forecasts_table
from quant_assets.ranks import standardised_ranks
from quant_assets.typing import FloatArray


def rank_average(forecasts: Sequence[FloatArray]) -> FloatArray:
    """(n, m) mean over families of each day's standardised ranks.

    Args:
        forecasts: one (n, m) array per family; a family without a forecast on a day is NaN there
            and does not count.

    NaN where no family has a forecast. A day depends on that day's forecasts only.
    """
    ranks = np.stack([standardised_ranks(forecast) for forecast in forecasts])
    known = ~np.isnan(ranks)
    count = known.sum(axis=0)
    total = np.where(known, ranks, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def blend(lake: Lake, families: Sequence[str], start: date, end: date) -> Forecasts:
    """The ensemble's forecasts of every day on which at least one family has one.

    ``fit_as_of`` is that of the newest fit among the families.
    """
    targets = read_pairs(lake).targets
    members = [
        read_forecasts(lake, forecasts_table(name), targets, start, end) for name in families
    ]
    days = np.unique(np.concatenate([member.days for member in members]))
    fit_as_of = np.full(len(days), np.datetime64(date.min, "D"))
    for member in members:
        of_member = np.isin(days, member.days)
        fit_as_of[of_member] = np.maximum(fit_as_of[of_member], member.fit_as_of)
    values = rank_average([member.on(days) for member in members])
    return Forecasts(days, values, fit_as_of, targets)

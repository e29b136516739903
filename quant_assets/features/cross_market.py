"""Features of groups and of the market as a whole: factors, leads, dispersion, volatility.

A feature has a value a day for each group, or one for the market, the same for every target.
Features that differ between targets belong in ``features.spreads``. Row t is known at the close of
day t.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.features.catalogue import (
    FACTOR_WINDOWS,
    LEAD_WINDOWS,
    list_market_inputs,
    order_features,
)
from quant_assets.features.kernels import (
    ratio,
    rolling_mean,
    rolling_rms,
    rolling_sum,
    row_mean,
    row_std,
)
from quant_assets.market.instruments import Group
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import shift


def group_features(
    panel: PricePanel,
    instruments: Mapping[str, FloatArray],
    members: BoolArray | None = None,
) -> dict[str, FloatArray]:
    """Compute all features of the groups from the features of their instruments.

    Returns are scaled by the volatility known the day before, so that a day's shock does not raise
    its own scale. Returns arrays of shape (n, g) by feature name, in the catalogue's order; NaN
    where a group has no instrument or no leader, and where less than half of a window is observed.

    Args:
        panel: the prices of the instruments; only the g groups are used.
        instruments: (n, k) instrument features by name, as
            :func:`quant_assets.features.instruments.instrument_features` returns them.
        members: (n, k) which instruments count on each day; all by default.
    """
    scaled = _scale_returns(instruments)
    names = [group.name for group in panel.all_groups]
    of_group = [[i for i, name in enumerate(panel.groups) if name == group] for group in names]
    daily = [
        _over_members(
            row_mean,
            np.take(scaled, columns, axis=1),
            None if members is None else members[:, columns],
        )
        for columns in of_group
    ]
    sums = [rolling_sum(factor, FACTOR_WINDOWS) for factor in daily]
    empty = np.full(len(scaled), np.nan)
    features = {f"factor_{w}": _stack([each[w] for each in sums], scaled) for w in FACTOR_WINDOWS}
    leaders = [names.index(g.leader) if g.leader in names else -1 for g in panel.all_groups]
    for w in LEAD_WINDOWS:
        leads = [
            sums[leader][w] - own[w] if leader >= 0 else empty
            for leader, own in zip(leaders, sums, strict=True)
        ]
        features[f"lead_{w}"] = _stack(leads, scaled)
    return order_features("group", features)


def market_features(
    instruments: Mapping[str, FloatArray], members: BoolArray | None = None
) -> dict[str, FloatArray]:
    """Compute all features of the market as a whole from the features of its instruments.

    Returns arrays of shape (n,) by feature name, in the catalogue's order; NaN where less than half
    of a window is observed. Returns are scaled as in :func:`group_features`.

    Args:
        instruments: (n, k) instrument features by name.
        members: (n, k) which instruments count on each day; all by default.
    """
    scaled = _scale_returns(instruments)
    scaled = np.take(scaled, list(range(scaled.shape[1])), axis=1)
    factor = _over_members(row_mean, scaled, members)
    sums = rolling_sum(factor, FACTOR_WINDOWS)
    features = {f"factor_all_{w}": sums[w] for w in FACTOR_WINDOWS}
    volatility = rolling_rms(factor, [20, 250])
    features["volatility_ratio_20_250"] = ratio(volatility[20], volatility[250])
    features["dispersion_1"] = _over_members(row_std, scaled, members)
    features["dispersion_20"] = rolling_mean(features["dispersion_1"], [20])[20]
    return order_features("market", features)


def join_market_inputs(
    groups: Sequence[Group],
    by_group: Mapping[str, FloatArray],
    by_market: Mapping[str, FloatArray],
) -> dict[str, FloatArray]:
    """Join the features of groups and of the market to the inputs that models see.

    Returns arrays of shape (n,) by input name, in the order of
    :func:`quant_assets.features.catalogue.list_market_inputs`.

    Args:
        groups: the g groups, in the market's order.
        by_group: (n, g) features of the groups.
        by_market: (n,) features of the market.
    """
    place = {group.name: i for i, group in enumerate(groups)}
    return {
        name: by_group[feature.name][:, place[group]] if group else by_market[feature.name]
        for name, group, feature in list_market_inputs(groups)
    }


def _scale_returns(instruments: Mapping[str, FloatArray]) -> FloatArray:
    return ratio(instruments["ret_1"], shift(instruments["vol_60"], 1))


def _over_members(
    compute: Callable[[FloatArray], FloatArray], values: FloatArray, members: BoolArray | None
) -> FloatArray:
    """Compute a figure of each row of (n, k) values from the columns of its members.

    Leaving columns out gives other bits than NaN in them, because the order of a sum depends on
    its length. So an instrument that begins later does not change the bits of earlier days.
    """
    if members is None or members.all():
        return compute(values)
    result = np.full(len(values), np.nan)
    patterns, pattern_of = np.unique(members, axis=0, return_inverse=True)
    for number, kept in enumerate(patterns):
        rows = np.flatnonzero(pattern_of.ravel() == number)
        part = np.take(np.take(values, rows, axis=0), np.flatnonzero(kept), axis=1)
        result[rows] = compute(part)
    return result


def _stack(columns: Sequence[FloatArray], like: FloatArray) -> FloatArray:
    """Join the (n,) columns to a contiguous (n, g) array."""
    return np.stack(columns, axis=1) if columns else np.empty((len(like), 0))

"""Reading the prices that features are computed from: observed, carried forward or estimated."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.lake.readers.arrays import day_positions, unit_positions
from quant_assets.lake.readers.prices import read_panel
from quant_assets.lake.schemas.price_tables import IMPUTED
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.imputation import NONE, Imputation
from quant_assets.market.instruments import FIELDS
from quant_assets.market.panel import PricePanel


def read_feature_panel(
    lake: Lake, imputation: Imputation, start: date, end: date, *, fields: Sequence[str] = FIELDS
) -> PricePanel:
    """Read the price panel of a range of days as features get it.

    Where a close is estimated, the day has no open, high, low and settlement: those of an earlier
    day would contradict the estimate.

    Args:
        lake: the lake.
        imputation: what features get in place of a missing close.
        start: first day.
        end: last day.
        fields: fields to read; the panel lacks the others.

    Raises:
        LakeError: no prices are stored, or estimates are chosen and none were ever stored.
    """
    value = "value" if imputation.method == NONE else "filled"
    panel = read_panel(lake, value, start, end, fields=fields)
    if not imputation.estimates:
        return panel
    rows = lake.arrow(
        f"SELECT trading_day, instrument, close FROM {IMPUTED.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [start, end],
        needs=IMPUTED,
    )
    cells = (
        day_positions(rows["trading_day"].to_numpy(), panel.days),
        unit_positions(rows["instrument"], panel.instruments),
    )
    for name in ("open", "high", "low", "settlement"):
        if name in panel.fields:
            panel.fields[name][cells] = np.nan
    panel.close[cells] = rows["close"].to_numpy()
    return panel

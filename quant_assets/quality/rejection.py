"""Which cells of a table are rejected, and why: the first reason that applies.

What follows for the other cells is in ``quality.cleaning``.
"""

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.market.instruments import SeriesList
from quant_assets.market.universe import UniverseState
from quant_assets.quality.review_decisions import ReviewDecision
from quant_assets.sources.deliveries import PriceTable

Bits = NDArray[np.uint8]
_BAR = ("open", "high", "low", "close")


class RejectionReason(IntEnum):
    """Why a cell is rejected; the first that applies."""

    ACCEPTED = 0
    NOT_A_NUMBER = 1
    INFINITE = 2
    PRICE_NOT_ABOVE_ZERO = 3
    BELOW_ZERO = 4
    BAR_CONTRADICTS_ITSELF = 5
    BY_A_PERSON = 6
    NOT_YET_LISTED = 7
    DELISTED = 8

    @property
    def text(self) -> str:
        """The reason as the quarantine has it, in lower case with spaces."""
        return self.name.lower().replace("_", " ")


def find_reasons(
    table: PriceTable,
    is_price: BoolArray,
    tolerance: float,
    decided: Mapping[tuple[int, int], ReviewDecision],
) -> Bits:
    """Find the (n, c) :class:`RejectionReason` of each cell, listings aside.

    Args:
        table: prices of the source.
        is_price: (c,) which series are prices.
        tolerance: share of a price by which a bar may contradict itself.
        decided: people's decisions by row and column.
    """
    values = table.values
    reasons = np.zeros(values.shape, dtype=np.uint8)
    reasons[(values < 0) & ~is_price] = RejectionReason.BELOW_ZERO
    reasons[(values <= 0) & is_price] = RejectionReason.PRICE_NOT_ABOVE_ZERO
    reasons[np.isinf(values)] = RejectionReason.INFINITE
    for text in table.unread:
        reasons[text.row, table.series.by_column[text.column]] = RejectionReason.NOT_A_NUMBER
    # A price that a person rejected does not speak against the rest of its bar.
    for cell, decision in decided.items():
        if decision.decision == "reject":
            reasons[cell] = RejectionReason.BY_A_PERSON
    accepted = np.where(reasons == RejectionReason.ACCEPTED, values, np.nan)
    broken = _broken_bars(accepted, table.series, tolerance)
    for cell in decided:
        broken[cell] = False
    reasons[broken & ~np.isnan(accepted)] = RejectionReason.BAR_CONTRADICTS_ITSELF
    return reasons


def reject_unlisted(reasons: Bits, values: FloatArray, states: AnyArray) -> BoolArray:
    """Reject the cells that are not empty on days without trading, and return (n, c) which.

    Cells that a person rejected keep that reason.

    Args:
        reasons: (n, c) reasons, which are changed.
        values: (n, c) numbers of the source.
        states: (n, c) :class:`UniverseState` of each cell by what a description says of listings.
    """
    given = ~np.isnan(values) | (reasons != RejectionReason.ACCEPTED)
    given &= reasons != RejectionReason.BY_A_PERSON
    unlisted = np.zeros(reasons.shape, dtype=np.bool_)
    for state, reason in (
        (UniverseState.NOT_YET_LISTED, RejectionReason.NOT_YET_LISTED),
        (UniverseState.DELISTED, RejectionReason.DELISTED),
    ):
        reasons[given & (states == state)] = reason
        unlisted |= given & (states == state)
    return unlisted


def _broken_bars(values: FloatArray, columns: SeriesList, tolerance: float) -> BoolArray:
    """Return (n, c) whether a cell is open, high or low of a bar that contradicts itself."""
    bars: dict[str, dict[str, int]] = {}
    for i, series in enumerate(columns.series):
        bars.setdefault(series.instrument, {})[series.field] = i
    # Fields that an instrument lacks point to a last column without values.
    absent = len(columns)
    at = np.array([[bar.get(name, absent) for bar in bars.values()] for name in _BAR])
    padded = np.column_stack([values, np.full(len(values), np.nan)])
    opened, high, low, close = (padded[:, index] for index in at)
    slack = 1 + tolerance
    broken = (
        (low > np.fmin(opened, close) * slack)
        | (high * slack < np.fmax(opened, close))
        | (low > high * slack)
    )
    cells = np.zeros(padded.shape, dtype=np.bool_)
    for index in at[:3]:
        cells[:, index] = broken
    return cells[:, :absent]

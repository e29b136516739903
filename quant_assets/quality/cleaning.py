"""Cleaning of prices: which cells are rejected, carried forward and flagged.

Cleaning is a pure function of a table and of people's decisions about its cells, and a row never
depends on a later row. Reasons to reject a cell are found in ``quality.rejection``, jumps in
``quality.jumps``. Summaries are in
``quality.coverage``, rows for the lake in ``quality.rows``, and limits for the share of rejected
cells in ``quality.suites``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.instruments import PRICE_FIELDS, SeriesList
from quant_assets.market.targets import shift
from quant_assets.market.universe import UniverseState
from quant_assets.quality.jumps import compute_returns, find_jumps
from quant_assets.quality.rejection import Bits, RejectionReason, find_reasons, reject_unlisted
from quant_assets.quality.review_decisions import ReviewDecision, place_decisions
from quant_assets.sources.deliveries import PriceTable


class CellFlag(IntFlag):
    """Properties of a cell; flags combine.

    A person decided about a reviewed cell. An unlisted cell is rejected because its instrument
    cannot trade on the day; it is not among the cells that are flagged as rejected.
    """

    FILLED = 1
    STALE = 2
    JUMP = 4
    REJECTED = 8
    REVIEWED = 16
    UNLISTED = 32


@dataclass(frozen=True)
class CleaningRules:
    """Limits from which a cell is carried forward, flagged or rejected.

    Attributes:
        fill_limit: largest number of rows that a price is carried forward.
        stale_after: number of observed days with an unchanged price from which it is stale.
        jump_z: robust z-score of a day's log return beyond which it is a jump.
        jump_window: number of rows before the day from which median and deviation are computed.
        jump_floor: log return up to which nothing is a jump, however calm the series.
        bar_tolerance: share of a price by which a bar may contradict itself, for rounding.
    """

    fill_limit: int = 5
    stale_after: int = 10
    jump_z: float = 12.0
    jump_window: int = 60
    jump_floor: float = 0.01
    bar_tolerance: float = 1e-6

    @property
    def history(self) -> int:
        """Number of rows before a day that the cleaning of the day depends on."""
        jump = self.jump_window + 1 + self.fill_limit
        stale = (self.stale_after - 1) * (self.fill_limit + 1)
        return max(jump, stale)


@dataclass(frozen=True)
class CleanedTable:
    """A cleaned table.

    Attributes:
        days: (n,) trading days.
        date_ids: (n,) the source's numbers of the days.
        series: the c series.
        value: (n, c) accepted values, times splits and dividends until their day; NaN otherwise.
        filled: (n, c) accepted values; where there is none, the last price of at most
            ``fill_limit`` rows before. Volume and open interest are not carried forward.
        flags: (n, c) bits of :class:`CellFlag`.
        quarantine: a row for each rejected cell: trading_day, source, row (the date_id), column,
            value (as text), reason.
    """

    days: DayArray
    date_ids: IntArray
    series: SeriesList
    value: FloatArray
    filled: FloatArray
    flags: Bits
    quarantine: pd.DataFrame


def clean(
    table: PriceTable,
    source: str,
    rules: CleaningRules = CleaningRules(),
    decisions: Sequence[ReviewDecision] = (),
    scale: FloatArray | None = None,
    listing_states: AnyArray | None = None,
) -> CleanedTable:
    """Reject impossible cells, carry prices forward over short gaps, and flag unusual cells.

    Text, infinite values, prices not above zero, and volumes and open interests below zero are
    rejected. A bar contradicts itself if its low is above open, close or high, or its high is below
    open or close. Its open, high and low are rejected, and its close stays, because every label is
    made of closes. Settlement is not part of the bar.

    Jumps and stale prices are flagged and keep their values: real moves of -0.75 in a day exist.
    Only closes have jumps. A return is ln(close / last close), with the last close carried forward
    by at most ``fill_limit`` rows. It is compared with median and MAD of such returns in the
    ``jump_window`` rows before, of which at least half must exist. A price is stale from the
    ``stale_after``-th observation of an unchanged value on; empty rows within ``fill_limit``
    neither count nor interrupt.

    All cells of days on which an instrument cannot trade are rejected, and nothing is carried
    forward to such days.

    A person's decision rejects a cell, or accepts it: an accepted cell is not flagged as a jump,
    and stays in a bar that contradicts itself. Nobody can accept text, an impossible number or a
    cell of a day without trading.

    Row t of the result depends on rows t - ``rules.history`` to t, and decisions about them, only.

    Args:
        table: prices of the source.
        source: name of the source, written to the quarantine.
        rules: the limits.
        decisions: the decisions known, oldest first. They concern one cell and value each.
        scale: (n, c) factors of accepted cells for splits and dividends until their day; None
            multiplies nothing. Cells are rejected by the source's numbers.
        listing_states: (n, c) :class:`UniverseState` of each cell by what a description says of
            listings; None if all instruments can trade on all days.
    """
    decided = {(row, column): each for row, column, each in place_decisions(table, decisions)}
    is_close = table.series.is_close
    is_price = np.isin(table.series.fields, PRICE_FIELDS)
    reasons = find_reasons(table, is_price, rules.bar_tolerance, decided)
    unlisted = np.zeros(reasons.shape, dtype=np.bool_)
    if listing_states is not None:
        unlisted = reject_unlisted(reasons, table.values, listing_states)
    rejected = reasons != RejectionReason.ACCEPTED
    value = np.where(rejected, np.nan, table.values)
    if scale is not None:
        value *= scale
    filled = np.where(is_price, _carry_forward(value, rules.fill_limit), value)
    if listing_states is not None:
        filled[listing_states != UniverseState.LISTED] = np.nan
    jumps = np.zeros(value.shape, dtype=np.bool_)
    returns = compute_returns(value[:, is_close], filled[:, is_close])
    jumps[:, is_close] = find_jumps(returns, rules.jump_window, rules.jump_z, rules.jump_floor)
    reviewed = np.zeros(value.shape, dtype=np.bool_)
    for cell in decided:
        reviewed[cell], jumps[cell] = True, False
    flags = (
        CellFlag.FILLED * (np.isnan(value) & ~np.isnan(filled))
        + CellFlag.STALE * (is_price & _stale(value, filled, rules.stale_after))
        + CellFlag.JUMP * jumps
        + CellFlag.REJECTED * (rejected & ~unlisted)
        + CellFlag.REVIEWED * reviewed
        + CellFlag.UNLISTED * unlisted
    ).astype(np.uint8)
    rejects = _quarantine(table, source, reasons, decided)
    return CleanedTable(table.days, table.date_ids, table.series, value, filled, flags, rejects)


def _carry_forward(value: FloatArray, limit: int) -> FloatArray:
    """Return the (n, c) values with the first ``limit`` rows of a gap filled from before it."""
    rows = np.arange(len(value))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(value), -1, rows), axis=0)
    carried = np.take_along_axis(value, np.maximum(last, 0), axis=0)
    return np.where((last >= 0) & (rows - last <= limit), carried, np.nan)


def _stale(value: FloatArray, filled: FloatArray, after: int) -> BoolArray:
    """Return (n, c) whether at least ``after`` observations in a row have one value."""
    observed = ~np.isnan(value)
    count = np.cumsum(observed, axis=0)
    changed = observed & (value != shift(filled, 1))
    changed_at = np.maximum.accumulate(np.where(changed, count, 0), axis=0)
    result: BoolArray = observed & (count - changed_at + 1 >= after)
    return result


def _quarantine(
    table: PriceTable,
    source: str,
    reasons: Bits,
    decided: Mapping[tuple[int, int], ReviewDecision],
) -> pd.DataFrame:
    rows, columns = np.nonzero(reasons)
    texts = {(cell.row, cell.column): cell.text for cell in table.unread}
    names = [table.columns[i] for i in columns]
    numbers = map(str, table.values[rows, columns].tolist())
    cells = zip(rows.tolist(), names, numbers, strict=True)
    shown = [texts.get((row, name), number) for row, name, number in cells]
    return pd.DataFrame(
        {
            "trading_day": table.days[rows].astype("datetime64[s]"),
            "source": np.full(len(rows), source, dtype=object),
            "row": table.date_ids[rows],
            "column": np.array(names, dtype=object),
            "value": np.array(shown, dtype=object),
            "reason": np.array(
                [
                    decided[cell].quarantine_reason
                    if reasons[cell] == RejectionReason.BY_A_PERSON
                    else RejectionReason(reasons[cell]).text
                    for cell in zip(rows.tolist(), columns.tolist(), strict=True)
                ],
                dtype=object,
            ),
        }
    )

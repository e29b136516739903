"""What people decided about flagged prices: the decisions in force, and the cells they concern.

The queue of flagged prices, and the recording of a decision, are in ``review``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from math import isfinite
from typing import Literal

import numpy as np

from quant_assets.lake.schemas.price_tables import VALIDATED_REVIEW
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import PRICE_FIELDS, InstrumentSeries
from quant_assets.sources.deliveries import PriceTable

ReviewAction = Literal["accept", "reject", "undo"]
CellKey = tuple[date, str, str]
"""Trading day, instrument and field."""
REJECTED_BY = "rejected by "
"""How the quarantine's reason begins where a person rejected the cell."""


@dataclass(frozen=True)
class ReviewDecision:
    """A decision about one price; the columns of ``validated.review``.

    Attributes:
        decided_at: when it was made, UTC.
        trading_day: day of the cell.
        instrument: instrument of the cell.
        field: field of the cell.
        value: the source's number that was judged. If the source gives another number, the
            decision does not apply to it.
        decision: accept, reject, or undo.
        reason: why.
        made_by: who decided.
    """

    decided_at: datetime
    trading_day: date
    instrument: str
    field: str
    value: float
    decision: ReviewAction
    reason: str
    made_by: str

    @property
    def cell(self) -> CellKey:
        """Trading day, instrument and field."""
        return self.trading_day, self.instrument, self.field

    @property
    def quarantine_reason(self) -> str:
        """The reason as the quarantine has it if the decision rejects the cell."""
        return f"{REJECTED_BY}{self.made_by}: {self.reason}"

    @property
    def is_possible(self) -> bool:
        """Whether a person may decide about the value: it is no impossible number."""
        least_allowed = self.value > 0 if self.field in PRICE_FIELDS else self.value >= 0
        return isfinite(self.value) and least_allowed


def keep_in_force(
    decisions: Iterable[ReviewDecision],
) -> dict[tuple[CellKey, float], ReviewDecision]:
    """Return the newest decision of each cell and value, unless it undoes the earlier ones.

    Args:
        decisions: the decisions, oldest first. Decisions about impossible numbers have no effect.
    """
    newest = {(each.cell, each.value): each for each in decisions if each.is_possible}
    return {key: each for key, each in newest.items() if each.decision != "undo"}


def place_decisions(
    table: PriceTable, decisions: Sequence[ReviewDecision]
) -> Iterator[tuple[int, int, ReviewDecision]]:
    """Yield row and column of each cell with a decision in force about its present value.

    Args:
        table: prices of the source.
        decisions: the decisions, oldest first; those about other days and values are left out.
    """
    in_force = keep_in_force(decisions).values()
    places = {series: i for i, series in enumerate(table.series.series)} if in_force else {}
    for decision in in_force:
        column = places.get(InstrumentSeries(decision.instrument, decision.field))
        day = np.datetime64(decision.trading_day)
        row = int(np.searchsorted(table.days, day))
        if column is None or row == len(table.days) or table.days[row] != day:
            continue
        if table.values[row, column] == decision.value:
            yield row, column, decision


def read_decisions(lake: Lake) -> tuple[ReviewDecision, ...]:
    """Read all decisions about prices, oldest first."""
    if not lake.has(VALIDATED_REVIEW):
        return ()
    names = ", ".join(field.name for field in fields(ReviewDecision))
    rows = lake.arrow(f"SELECT {names} FROM {VALIDATED_REVIEW.quoted} ORDER BY decided_at")
    return tuple(ReviewDecision(**row) for row in rows.to_pylist())

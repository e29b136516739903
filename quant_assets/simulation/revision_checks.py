"""Whether each revision of a rehearsal's vendor was written down, as what it was.

The tables that follow from the revised prices are compared in ``simulation.history_checks``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pandas as pd

from quant_assets.lake.schemas.revision_tables import OUTDATED, REVISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.growing_market import REVISED_SERIES
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.scenario import (
    CORRECTED,
    CORRECTED_DAYS_BACK,
    DELETED,
    DIVIDEND,
    LEFT_OUT,
    SPLIT,
    WITHDRAWN,
    PlannedIncident,
)

_TOLERANCE = 1e-3
"""Relative difference of a factor from the true one, since the vendor rounds prices."""


@dataclass(frozen=True)
class ExpectedRevision:
    """A row that the table of revisions should have.

    Attributes:
        incident: the incident that causes it.
        kind: kind of the revision, as in ``raw.revisions``.
        instrument: name of the instrument; None if a whole day changes.
        field: field of the series; None if a whole day changes.
        day: the day that changes; None for a whole past.
        factor: factor of the values; None if the values do not have one in common.
    """

    incident: str
    kind: str
    instrument: str | None = None
    field: str | None = None
    day: date | None = None
    factor: float | None = None

    def matches(self, rows: pd.DataFrame) -> pd.Series:
        """Return which of the rows of ``raw.revisions`` are the expected one."""
        same = rows["kind"] == self.kind
        for name, value in (("instrument", self.instrument), ("field", self.field)):
            same &= rows[name].isna() if value is None else rows[name] == value
        if self.day is not None:
            same &= rows["trading_day"] == pd.Timestamp(self.day)
        if self.factor is not None:
            same &= (rows["factor"] / self.factor - 1).abs() < _TOLERANCE
        return same


def expect_revisions(plan: Plan) -> Iterator[ExpectedRevision]:
    """Yield the revisions that a plan's vendor causes in prices that are stored already."""
    for incident in plan.incidents:
        yield from _expect_of(plan, incident)


def _expect_of(plan: Plan, incident: PlannedIncident) -> Iterator[ExpectedRevision]:
    kind, day = incident.kind, plan.market.day(incident.first)
    instrument, number = REVISED_SERIES.get(kind, (None, None))
    if kind == SPLIT and number:
        yield ExpectedRevision(kind, "restated", instrument, "close", factor=1 / number)
        yield ExpectedRevision(kind, "restated", instrument, "volume", factor=number)
    if kind == DIVIDEND:
        yield ExpectedRevision(kind, "restated", instrument, "close", factor=number)
    if kind == CORRECTED:
        day = plan.market.day(incident.first - CORRECTED_DAYS_BACK)
        yield ExpectedRevision(kind, "corrected", instrument, "close", day)
    # A day that was withdrawn and comes back as the newest is a new day, and no revision.
    if kind in (WITHDRAWN, DELETED):
        yield ExpectedRevision(kind, "withdrawn", day=day)
    if kind == LEFT_OUT:
        yield ExpectedRevision(kind, "inserted", day=day)


def check_revisions(plan: Plan, lake: Lake) -> list[str]:
    """Report revisions that were not written down, and a revision that has not come to its end."""
    rows = lake.query(f"FROM {REVISIONS.quoted}") if lake.has(REVISIONS) else None
    failures = [
        f"{expected.incident}: raw.revisions has no row like {expected}"
        for expected in expect_revisions(plan)
        if rows is None or not expected.matches(rows).any()
    ]
    if lake.has(OUTDATED) and len(lake.query(f"FROM {OUTDATED.quoted}")):
        failures.append("a revision has not come to its end")
    return failures

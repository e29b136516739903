"""What a run may store of a source's prices: the order of days, cleaning, and days set aside.

Nothing is written here. The changes of all tables that follow are in ``revisions.changes``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.lake.readers.arrays import day_blocks
from quant_assets.lake.readers.prices import raw_rows
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.listings import Listing
from quant_assets.quality.cleaning import CleanedTable, CleaningRules, clean
from quant_assets.quality.growth import compute_growth
from quant_assets.quality.members import find_listing_states, find_member_cells
from quant_assets.quality.rows import validated_rows
from quant_assets.revisions.comparison import Comparison
from quant_assets.revisions.digests import digest_days
from quant_assets.revisions.given_prices import keep_stored_days, select_days
from quant_assets.revisions.refusals import refuse_other_market
from quant_assets.sources.deliveries import JoinedPrices, PriceTable

_HINT = "run `quant-assets revise`, which does everything from there again; automation does it too"


@dataclass(frozen=True)
class PriceUpdate:
    """The prices that a run is about to store.

    Attributes:
        start: first day whose rows are replaced.
        end: last such day.
        given: the source's prices from the first stored day to the last day of the run.
        own: the source's prices of the run's days.
        source: name of the source.
        cleaned: the cleaned prices, with days before ``start`` that cleaning needs.
        refused: days that are set aside by this run, and their digests.
        members: (n, c) cells of ``cleaned`` whose instruments are in the universe; None if all are.
    """

    start: date
    end: date
    given: PriceTable
    own: PriceTable
    source: str
    cleaned: CleanedTable
    refused: Mapping[date, int]
    members: BoolArray | None = None

    def raw_blocks(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``raw.prices`` of the run's days, in blocks of days."""
        for block in self._cut():
            yield raw_rows(select_days(self.own, np.isin(self.own.days, block)), self.source)

    def validated_blocks(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``validated.prices`` of the run's days, in blocks of days."""
        for block in self._cut():
            yield validated_rows(self.cleaned, block[0].item(), block[-1].item())

    def member_blocks(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``validated.prices`` of instruments in the universe, in blocks."""
        for block, rows in zip(self._cut(), self.validated_blocks(), strict=True):
            if self.members is None:
                yield rows
                continue
            kept = pa.array(self.members[np.isin(self.cleaned.days, block)].ravel())
            if kept.true_count:
                yield {name: pa.array(column).filter(kept) for name, column in rows.items()}

    def _cut(self) -> Iterator[DayArray]:
        for part in day_blocks(len(self.own.days), len(self.own.series)):
            yield self.own.days[part]


def require_order(
    comparison: Comparison, start: date, end: date, *, redo: bool = False, replace: bool = False
) -> None:
    """Refuse a run after which the stored days would not fit together.

    Args:
        comparison: how the source differs from the lake.
        start: first day of the run.
        end: last day of the run.
        redo: whether the run does everything again that depends on prices, up to the newest day.
        replace: whether the run stores the whole history anew, with other series or targets.

    Raises:
        SourceError: the run leaves out days that the source has and the lake lacks; or the source,
            or a person's decision, has changed days that the run does not do again.
    """
    days = comparison.given.days.tolist()
    stored = comparison.stored
    whole = bool(days) and start <= days[0] and end >= days[-1]
    if not (whole and replace):
        refuse_other_market(comparison)
    if stored is None:
        return
    left_out = [day for day in comparison.new_days if day < start]
    if left_out:
        raise SourceError(
            "days before these are not stored yet",
            expected=f"days from {left_out[0]} on, in order",
            found=f"{start} to {end}",
            hint=f"run `quant-assets backfill --from {left_out[0]} --to {end}`",
        )
    span = comparison.span
    if span is None or (redo and start <= span[0] and end >= _newest_known(days, stored)):
        return
    reviewed = {each.kind for each in comparison.revisions} == {"reviewed"}
    raise SourceError(
        "decisions about stored prices are not applied yet"
        if reviewed
        else "the source has changed days that are stored",
        expected="the prices that are stored, or a run over all days from the first change on",
        found=f"changes from {span[0]} to {span[1]}",
        hint=_HINT,
    )


def _newest_known(days: Sequence[date], stored: tuple[date, date]) -> date:
    """Return the newest stored day that the source still has."""
    return max((day for day in days if day <= stored[1]), default=stored[0])


def build_update(
    comparison: Comparison,
    source: str,
    rules: CleaningRules,
    start: date,
    end: date,
    refused: Mapping[date, int] | None = None,
    listings: Mapping[str, Listing] = MappingProxyType({}),
    limit: int | None = None,
) -> PriceUpdate:
    """Build the rows that a run stores. Raw rows are as given; the others are cleaned.

    Args:
        comparison: how the source differs from the lake.
        source: name of the source.
        rules: limits of the cleaning.
        start: first day of the run.
        end: last day of the run.
        refused: days that this run sets aside, and their digests.
        listings: what a description says of the days on which instruments can trade, by name.
        limit: days without a close after which an instrument leaves the universe; None for never.
    """
    days = comparison.given.days
    # The history of a lake begins with the first run, which need not begin with the source.
    begun = days >= np.datetime64(start if comparison.stored is None else date.min)
    given = select_days(comparison.given, begun & (days <= np.datetime64(end)))
    first = int(np.searchsorted(given.days, np.datetime64(start)))
    history = np.arange(len(given.days)) >= max(0, first - rules.history)
    growth = compute_growth(given, comparison.decisions, comparison.growth_before)
    kept = select_days(given, history)
    cleaned = clean(
        kept,
        source,
        rules,
        comparison.decisions,
        growth.scale(given.series)[history] if growth else None,
        find_listing_states(kept, listings),
    )
    cleaned = _name_sources(cleaned, given)
    own = select_days(given, np.arange(len(given.days)) >= first)
    return PriceUpdate(
        start,
        end,
        given,
        own,
        source,
        cleaned,
        refused or {},
        find_member_cells(given, listings, limit, len(kept.days)),
    )


def _name_sources(cleaned: CleanedTable, given: PriceTable) -> CleanedTable:
    """Name the source of each rejected cell where several sources deliver the prices."""
    if not isinstance(given, JoinedPrices):
        return cleaned
    rejected = cleaned.quarantine
    days = rejected["trading_day"].to_numpy().astype("datetime64[D]")
    rows = np.searchsorted(given.days, days)
    columns = np.array([given.series.by_column[name] for name in rejected["column"]], dtype=int)
    named = rejected.assign(source=given.name_sources(rows, columns))
    return replace(cleaned, quarantine=named)


def set_days_aside(
    lake: Lake, comparison: Comparison, days: Sequence[date]
) -> tuple[Comparison, dict[date, int]]:
    """Give days that did not pass their checks what the lake holds for them.

    Returns the comparison without them, and the digests of what was refused, by day.
    """
    given = comparison.given
    wanted = np.isin(given.days, np.array(days, dtype="datetime64[D]"))
    digests = digest_days(select_days(given, wanted)).tolist()
    refused = dict(zip(given.days[wanted].tolist(), digests, strict=True))
    revisions = [
        each
        for each in comparison.revisions
        if each.kind not in ("corrected", "restated", "split", "dividend")
        or {each.first, each.last} - set(days)
    ]
    kept = keep_stored_days(lake, given, list(days))
    return replace(comparison, given=kept, revisions=tuple(revisions)), refused


def find_failing_days(days: Sequence[date], passes: Callable[[date, date], bool]) -> list[date]:
    """Find the days that do not pass a check of ranges, by halving the range.

    Args:
        days: the days, ascending.
        passes: returns whether a range of these days, first and last included, passes.
    """
    if not days or passes(days[0], days[-1]):
        return []
    if len(days) == 1:
        return list(days)
    middle = len(days) // 2
    return [
        *find_failing_days(days[:middle], passes),
        *find_failing_days(days[middle:], passes),
    ]

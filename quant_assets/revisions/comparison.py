"""The comparison of what a source gives now with what the lake holds, over all history.

People's decisions about stored prices that are not applied yet count as changes too. Digests say
which series and blocks of days differ; only those are read and compared exactly. What is stored
because of it is in ``revisions.storing``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.lake.readers.days import read_day_span, read_days
from quant_assets.lake.readers.prices import pairs_rows, read_pairs, read_raw
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS
from quant_assets.lake.schemas.revision_tables import DIGESTS, OUTDATED
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries
from quant_assets.quality.growth import GrowthState
from quant_assets.quality.review_decisions import ReviewDecision, read_decisions
from quant_assets.revisions.differences import Revision, find_differences, list_whole_days
from quant_assets.revisions.digests import BLOCK_DAYS, BlockDigests, digest_blocks
from quant_assets.revisions.earlier_days import read_days_before, read_growth_before
from quant_assets.revisions.given_prices import (
    apply_set_aside,
    join_days,
    select_columns,
    select_days,
)
from quant_assets.revisions.reviewed_cells import find_unapplied_decisions
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.protocol import Source

DATE_ID_FIELD = "date_id"
"""Field under which the digests of the numbers of days are stored."""


@dataclass(frozen=True)
class Outdated:
    """A revision that has not come to its end.

    Attributes:
        first: first day whose prices changed.
        until: newest day that was stored before.
        snapshot: lake snapshot before the change.
        known_at: when the change was stored, UTC.
    """

    first: date
    until: date
    snapshot: int
    known_at: datetime


@dataclass(frozen=True)
class Comparison:
    """How a source differs from the lake.

    Attributes:
        given: what counts of the source's prices: all days from the first stored day on; a day that
            is set aside has what the lake holds for it. Before the source's first day are the last
            days that the lake holds from earlier, which cleaning needs.
        stored: first and newest stored day; None if nothing is stored.
        revisions: what the source changed in the stored days, and decisions to apply to them.
        set_aside: digests of the days that are set aside and that the source has not repaired.
        outdated: days whose prices were stored by a run that has not come to its end; None if
            there are none.
        came: series that the source has and the lake lacks.
        went: series that the lake has and the source lacks.
        other_targets: whether the source has other targets than the lake.
        decisions: people's decisions about prices, oldest first, with which prices are cleaned.
        growth_before: what splits and dividends of stored days before those of ``given`` led to, by
            instrument.
    """

    given: PriceTable
    stored: tuple[date, date] | None = None
    revisions: tuple[Revision, ...] = ()
    set_aside: dict[date, int] | None = None
    outdated: Outdated | None = None
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    other_targets: bool = False
    decisions: tuple[ReviewDecision, ...] = ()
    growth_before: Mapping[str, GrowthState] = field(default_factory=dict)

    @property
    def is_other_market(self) -> bool:
        """Whether the source has other series or targets than the lake."""
        return bool(self.came or self.went or self.other_targets)

    @property
    def new_days(self) -> list[date]:
        """The source's days after the newest stored day, ascending."""
        days: list[date] = self.given.days.tolist()
        return days if self.stored is None else [day for day in days if day > self.stored[1]]

    @property
    def span(self) -> tuple[date, date] | None:
        """First and last day to do again because prices changed; None if there is none."""
        first = [revision.first for revision in self.revisions]
        last = [revision.last for revision in self.revisions]
        if self.outdated:
            first, last = [*first, self.outdated.first], [*last, self.outdated.until]
        if not first or self.stored is None:
            return None
        return min(first), max(*last, self.stored[1])


def compare_with_source(lake: Lake, source: Source) -> Comparison:
    """Compare what a source gives with what the lake holds, once for each state of both.

    Cost: the source's prices are read and digested, tens of milliseconds for a million cells; of
    the lake only digests, unless something differs.

    Raises:
        SourceError: the source cannot be read.
    """
    look = source.look()
    return lake.once_a_snapshot(
        "comparison", partial(compare_anew, lake, source), source.name, look
    )


def compare_anew(lake: Lake, source: Source) -> Comparison:
    """Compare as :func:`compare_with_source` does, whether or not it was compared before."""
    stored = read_day_span(lake, RAW_PRICES)
    first = source.first_day if stored is None else max(stored[0], source.first_day)
    given = source.prices(first, source.last_day)
    decisions = read_decisions(lake)
    if stored is None:
        return Comparison(given, decisions=decisions)
    outdated = _read_outdated(lake)
    other_targets = _has_other_targets(lake, source)
    columns, digests = _read_digests(lake)
    came, went = set(given.columns) - set(columns), set(columns) - set(given.columns)
    if came or went:
        gone = np.setdiff1d(read_days(lake, RAW_PRICES), given.days)
        revisions = list_whole_days("withdrawn", gone)
        series = tuple(sorted(came)), tuple(sorted(went))
        return Comparison(
            given, stored, tuple(revisions), {}, outdated, *series, other_targets, decisions
        )
    given = select_columns(given, columns)
    given, set_aside = apply_set_aside(lake, given)
    known = select_days(given, given.days <= np.datetime64(stored[1]))
    revisions = _find_revisions(lake, known, digests, stored, columns)
    revisions += find_unapplied_decisions(lake, decisions, known.days)
    growth_before: Mapping[str, GrowthState] = {}
    if first > stored[0]:
        given = join_days(read_days_before(lake, first, given.series), given)
        growth_before = read_growth_before(lake, stored[0], given, decisions)
    return Comparison(
        given,
        stored,
        tuple(revisions),
        set_aside,
        outdated,
        other_targets=other_targets,
        decisions=decisions,
        growth_before=growth_before,
    )


def extend_back(comparison: Comparison, source: Source, start: date, end: date) -> Comparison:
    """Add the days of the source from ``start`` on that lie before the first stored day.

    Args:
        comparison: how the source differs from the lake.
        source: the source.
        start: first day of the run.
        end: last day of the run.

    Raises:
        SourceError: the source cannot be read; or the days have splits or dividends, by which all
            later prices are multiplied, and the run does not store these.
    """
    if comparison.stored is None or max(start, source.first_day) >= comparison.stored[0]:
        return comparison
    earlier = source.prices(start, comparison.stored[0] - timedelta(days=1))
    earlier = select_columns(earlier, comparison.given.columns)
    if earlier.actions and end < comparison.stored[1]:
        raise SourceError(
            "earlier days have splits or dividends, which change all later prices",
            where=source.name,
            expected=f"a run until {comparison.stored[1]}",
            found=f"{start} to {end}",
        )
    return replace(comparison, given=join_days(earlier, comparison.given))


def _has_other_targets(lake: Lake, source: Source) -> bool:
    if not lake.has(RAW_TARGET_PAIRS):
        return False
    stored, given = (pairs_rows(pairs) for pairs in (read_pairs(lake), source.pairs()))
    return any(list(stored[name]) != list(given[name]) for name in stored)


def _read_outdated(lake: Lake) -> Outdated | None:
    if not lake.has(OUTDATED):
        return None
    rows = lake.arrow(f"FROM {OUTDATED.quoted}").to_pylist()
    if not rows:
        return None
    mark = rows[0]
    return Outdated(mark["trading_day"], mark["until"], mark["snapshot"], mark["known_at"])


def _read_digests(lake: Lake) -> tuple[tuple[str, ...], BlockDigests]:
    """Read the stored series and their digests; a lake of an earlier version has none to read."""
    if not lake.has(DIGESTS):
        table = read_raw(lake, *(read_day_span(lake, RAW_PRICES) or (date.min, date.max)))
        return table.columns, digest_blocks(table)
    rows = lake.arrow(
        f"SELECT block, digest, dense_rank() OVER (ORDER BY field = '{DATE_ID_FIELD}', instrument,"
        f" field) - 1 AS place, instrument, field FROM {DIGESTS.quoted}"
    )
    places, first = np.unique(rows["place"].to_numpy(), return_index=True)
    # The numbers of days come last.
    series = rows.select(["instrument", "field"]).take(first[:-1]).to_pylist()
    names = read_series(lake)
    columns = tuple(names.column_of(InstrumentSeries(**each)) for each in series)
    blocks, block = np.unique(rows["block"].to_numpy(), return_inverse=True)
    values = np.zeros((len(blocks), len(places)), dtype=np.int64)
    values[block, rows["place"].to_numpy()] = rows["digest"].to_numpy()
    return columns, BlockDigests(blocks.astype("datetime64[D]"), values)


def _find_revisions(
    lake: Lake,
    given: PriceTable,
    stored: BlockDigests,
    span: tuple[date, date],
    columns: tuple[str, ...],
) -> list[Revision]:
    """Find what differs, by reading the series and blocks whose digests differ."""
    now = digest_blocks(given)
    blocks = np.union1d(stored.blocks, now.blocks)
    # A source that no longer gives the oldest days has not withdrawn them.
    first = given.days[0] if len(given.days) else np.datetime64(span[0])
    blocks = blocks[blocks + np.timedelta64(BLOCK_DAYS, "D") > first]
    differs = _align(stored, blocks) != _align(now, blocks)
    if not differs.any():
        return []
    series = [name for name, changed in zip(columns, differs.any(axis=0), strict=False) if changed]
    wanted = _find_days(blocks[differs.any(axis=1)], given.days)
    starts = blocks[differs.any(axis=1)]
    before = read_raw(
        lake,
        max(span[0], first.item(), starts[0].item()),
        min(span[1], (starts[-1] + np.timedelta64(BLOCK_DAYS - 1, "D")).item()),
        given.series.select(series or columns[:1]),
    )
    before = select_days(before, _find_days(starts, before.days))
    after = select_columns(select_days(given, wanted), before.columns)
    return find_differences(before, after)


def _align(digests: BlockDigests, blocks: DayArray) -> np.ndarray:
    """Return digests of shape (len(blocks), c + 1); 0 for a block without days."""
    aligned = np.zeros((len(blocks), digests.values.shape[1]), dtype=np.int64)
    known = np.isin(digests.blocks, blocks)
    aligned[np.searchsorted(blocks, digests.blocks[known])] = digests.values[known]
    return aligned


def _find_days(blocks: DayArray, days: DayArray) -> BoolArray:
    """Return (n,) whether each day lies in one of the blocks, given by their first days."""
    of_day = (days.astype(np.int64) // BLOCK_DAYS * BLOCK_DAYS).astype("datetime64[D]")
    return np.isin(of_day, blocks)

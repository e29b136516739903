"""What a run stores of a source's prices, and of its revisions, in one transaction.

Raw and validated prices come into force together, with the digests of what is stored. A revision
leaves a mark that says from which day on everything else has to be done again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.lake.readers.arrays import tile_units
from quant_assets.lake.readers.prices import raw_rows
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.revision_tables import DIGESTS, OUTDATED, REVISIONS, SET_ASIDE
from quant_assets.lake.schemas.table import HISTORY, Table
from quant_assets.lake.schemas.tables import RAW_PRICES, VALIDATED_PRICES, VALIDATED_QUARANTINE
from quant_assets.lake.store.changes import (
    Change,
    append,
    delete_days,
    execute,
    replace_all,
    replace_days,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import parse_column
from quant_assets.quality.cleaning import CleanedTable, CleaningRules, clean
from quant_assets.quality.rows import quarantine_rows, validated_rows
from quant_assets.revisions.comparison import (
    DATE_ID_FIELD,
    Comparison,
    keep_stored_days,
    refuse_other_series,
    select_days,
)
from quant_assets.revisions.differences import Revision
from quant_assets.revisions.digests import BLOCK_DAYS, digest_blocks, digest_days
from quant_assets.sources.protocol import PriceTable

_DAY_SCHEMAS = ("features", "forecasts", "submissions", "monitoring")
_HINT = "run `quant-assets revise`, which does everything from there again; automation does it too"


@dataclass(frozen=True)
class PriceUpdate:
    """The prices that a run is about to store.

    Attributes:
        start: first day whose rows are replaced.
        end: last such day.
        given: the source's prices from the first stored day to the last day of the run.
        raw: rows of ``raw.prices`` of the run's days.
        cleaned: the cleaned prices, with days before ``start`` that cleaning needs.
        validated: rows of ``validated.prices`` of the run's days.
        refused: days that are set aside by this run, and their digests.
    """

    start: date
    end: date
    given: PriceTable
    raw: Mapping[str, Any]
    cleaned: CleanedTable
    validated: Mapping[str, Any]
    refused: Mapping[date, int]


def require_order(comparison: Comparison, start: date, end: date, *, redo: bool = False) -> None:
    """Refuse a run after which the stored days would not fit together.

    Args:
        comparison: how the source differs from the lake.
        start: first day of the run.
        end: last day of the run.
        redo: whether the run does everything again that depends on prices, up to the newest day.

    Raises:
        SourceError: the run leaves out days that the source has and the lake lacks; or the source
            has changed days that the run does not do again.
    """
    days = comparison.given.days.tolist()
    stored = comparison.stored
    whole = bool(days) and start <= days[0] and end >= days[-1]
    if not whole:
        refuse_other_series(comparison)
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
    raise SourceError(
        "the source has changed days that are stored",
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
) -> PriceUpdate:
    """Build the rows that a run stores. Raw rows are as given; the others are cleaned.

    Args:
        comparison: how the source differs from the lake.
        source: name of the source.
        rules: limits of the cleaning.
        start: first day of the run.
        end: last day of the run.
        refused: days that this run sets aside, and their digests.
    """
    days = comparison.given.days
    # The history of a lake begins with the first run, which need not begin with the source.
    begun = days >= np.datetime64(start if comparison.stored is None else date.min)
    given = select_days(comparison.given, begun & (days <= np.datetime64(end)))
    first = int(np.searchsorted(given.days, np.datetime64(start)))
    history = np.arange(len(given.days)) >= max(0, first - rules.history)
    cleaned = clean(select_days(given, history), source, rules)
    own = select_days(given, np.arange(len(given.days)) >= first)
    return PriceUpdate(
        start,
        end,
        given,
        raw_rows(own, source),
        cleaned,
        validated_rows(cleaned, start),
        refused or {},
    )


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
    kept = replace(comparison, given=keep_stored_days(lake, given, list(days)))
    return kept, refused


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


def list_changes(
    lake: Lake,
    comparison: Comparison,
    update: PriceUpdate,
    families: tuple[str, ...],
    reasons: Mapping[date, str],
    now: datetime,
) -> list[Change]:
    """List the changes of all tables that come into force together.

    The first three are those of raw prices, quarantine and validated prices.

    Args:
        lake: the lake.
        comparison: how the source differs from the lake.
        update: what the run stores.
        families: model families, whose tables hold days too.
        reasons: why days are set aside by this run.
        now: the present moment, UTC.
    """
    withdrawn = _days_of(comparison.revisions, "withdrawn")
    last = max([update.end, *withdrawn])
    start = update.start
    changes = [
        replace_days(RAW_PRICES, start, last, update.raw),
        replace_days(VALIDATED_QUARANTINE, start, last, quarantine_rows(update.cleaned, start)),
        replace_days(VALIDATED_PRICES, start, last, update.validated),
        _replace_digests(update, last),
    ]
    if comparison.revisions:
        changes.append(append(REVISIONS, revision_rows(comparison.revisions, now)))
        changes += _clear_days(lake, families, withdrawn)
        changes += _renumber(lake, families, comparison)
    if comparison.span:
        changes.append(_mark_outdated(lake, comparison, now))
    changes += _keep_set_aside(lake, comparison, update, reasons, now)
    return changes


def _days_of(revisions: Sequence[Revision], kind: str) -> list[date]:
    return [revision.first for revision in revisions if revision.kind == kind]


def _replace_digests(update: PriceUpdate, last: date) -> Change:
    """Replace the digests of all blocks that the run's days lie in."""
    digests = digest_blocks(update.given)
    first = np.datetime64(update.start).astype(np.int64) // BLOCK_DAYS * BLOCK_DAYS
    own = digests.blocks >= first.astype("datetime64[D]")
    series = [parse_column(name) for name in update.given.columns]
    blocks = digests.blocks[own]
    rows = {
        "block": np.repeat(blocks, len(series) + 1),
        "instrument": tile_units([*(s.instrument for s in series), ""], len(blocks)),
        "field": tile_units([*(s.field for s in series), DATE_ID_FIELD], len(blocks)),
        "digest": digests.values[own].ravel(),
    }
    return replace_days(DIGESTS, first.astype("datetime64[D]").item(), max(last, update.end), rows)


def revision_rows(revisions: Sequence[Revision], now: datetime) -> dict[str, Any]:
    """Convert revisions to rows of ``raw.revisions``."""
    series = [parse_column(r.column) if r.column else None for r in revisions]
    return {
        "known_at": [now.replace(tzinfo=None)] * len(revisions),
        "trading_day": [r.first for r in revisions],
        "until": [r.last for r in revisions],
        "instrument": [s.instrument if s else None for s in series],
        "field": [s.field if s else None for s in series],
        "kind": [r.kind for r in revisions],
        "before": np.array([r.before for r in revisions]),
        "after": np.array([r.after for r in revisions]),
        "factor": np.array([r.factor for r in revisions]),
        "cells": [r.cells for r in revisions],
    }


def _day_tables(lake: Lake, families: tuple[str, ...]) -> Iterator[Table]:
    """Yield the stored tables that hold a row for some days, besides prices."""
    for table in declared_tables(families, "load", "retrain", "watch"):
        if table.schema in _DAY_SCHEMAS and table.day_column and lake.has(table):
            yield table


def _clear_days(lake: Lake, families: tuple[str, ...], days: Collection[date]) -> list[Change]:
    """Delete withdrawn days from all tables; what was submitted live stays."""
    if not days:
        return []
    return [delete_days(table, sorted(days)) for table in _day_tables(lake, families)]


def _renumber(lake: Lake, families: tuple[str, ...], comparison: Comparison) -> list[Change]:
    """Give days their new numbers in all tables; what was submitted live keeps the old."""
    if not _days_of(comparison.revisions, "renumbered"):
        return []
    given = comparison.given
    values = [given.days.tolist(), given.date_ids.tolist()]
    changes = []
    for table in _day_tables(lake, families):
        if all(column.name != "date_id" for column in table.columns):
            continue
        live = f" AND (origin IS NULL OR origin = '{HISTORY}')" if table.keeps_live else ""
        sql = (
            f"UPDATE {table.quoted} AS t SET date_id = m.date_id FROM (SELECT"
            " unnest(?::DATE[]) AS day, unnest(?::BIGINT[]) AS date_id) AS m"
            f" WHERE t.trading_day = m.day AND t.date_id <> m.date_id{live}"
        )
        changes.append(execute(table, sql, values))
    return changes


def _mark_outdated(lake: Lake, comparison: Comparison, now: datetime) -> Change:
    first, until = comparison.span or (date.min, date.min)
    earlier = comparison.outdated
    row = {
        "trading_day": [first],
        "until": [until],
        "known_at": [earlier.known_at if earlier else now.replace(tzinfo=None)],
        "snapshot": [earlier.snapshot if earlier else lake.snapshot_id()],
    }
    return replace_all(OUTDATED, row)


def _keep_set_aside(
    lake: Lake,
    comparison: Comparison,
    update: PriceUpdate,
    reasons: Mapping[date, str],
    now: datetime,
) -> list[Change]:
    """Add the days that this run sets aside, and remove the days that it stores."""
    stored = lake.arrow(f"FROM {SET_ASIDE.quoted}").to_pylist() if lake.has(SET_ASIDE) else []
    same = comparison.set_aside or {}
    kept = [row for row in stored if row["trading_day"] in same]
    kept = [row for row in kept if row["trading_day"] not in update.refused]
    added = [
        {
            "trading_day": day,
            "digest": digest,
            "reason": reasons.get(day, ""),
            "since": now.replace(tzinfo=None),
        }
        for day, digest in update.refused.items()
    ]
    if not added and len(kept) == len(stored):
        return []
    rows = sorted([*kept, *added], key=lambda row: row["trading_day"])
    names = [column.name for column in SET_ASIDE.columns]
    return [replace_all(SET_ASIDE, {name: [row[name] for row in rows] for name in names})]

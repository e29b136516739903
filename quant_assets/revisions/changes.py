"""The changes that a run makes when it stores prices, all in one transaction.

Raw and validated prices come into force together, with the digests of what is stored. A revision
leaves a mark that says from which day on everything else has to be done again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from quant_assets.lake.readers.arrays import tile_units
from quant_assets.lake.readers.series import group_rows, read_series, series_rows
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.price_tables import (
    RAW_GROUPS,
    RAW_PRICES,
    RAW_SERIES,
    RAW_TARGET_PAIRS,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.lake.schemas.revision_tables import DIGESTS, LOADS, OUTDATED, REVISIONS, SET_ASIDE
from quant_assets.lake.schemas.table import HISTORY, Table
from quant_assets.lake.store.changes import (
    Change,
    append,
    delete_days,
    execute,
    replace_all,
    replace_days,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import collect
from quant_assets.market.instruments import SeriesList
from quant_assets.quality.rows import quarantine_rows
from quant_assets.revisions.actions import replace_actions
from quant_assets.revisions.comparison import DATE_ID_FIELD, Comparison
from quant_assets.revisions.differences import Revision
from quant_assets.revisions.digests import BLOCK_DAYS, digest_blocks
from quant_assets.revisions.given_prices import select_days
from quant_assets.revisions.storing import PriceUpdate

_DAY_SCHEMAS = ("features", "forecasts", "submissions", "monitoring")


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
    start = min([update.start, *withdrawn])
    rejected = quarantine_rows(update.cleaned, update.start)
    changes = [
        replace_days(RAW_PRICES, start, last, collect(RAW_PRICES, update.raw_blocks())),
        replace_days(VALIDATED_QUARANTINE, start, last, rejected),
        replace_days(
            VALIDATED_PRICES, start, last, collect(VALIDATED_PRICES, update.validated_blocks())
        ),
        _replace_digests(lake, comparison, update, start, last),
        *_replace_series(lake, update.given.series),
        *replace_actions(lake, update.own, start, last),
    ]
    if comparison.revisions:
        rows = revision_rows(comparison.revisions, comparison.given.series, now)
        changes.append(append(REVISIONS, rows))
        changes += _clear_days(lake, families, withdrawn)
        changes += _renumber(lake, families, comparison)
    changes.append(_mark_outdated(lake, comparison, (update.start, update.end), now))
    if comparison.revisions or comparison.outdated or comparison.is_other_market:
        changes += forget_load(lake)
    changes += _keep_set_aside(lake, comparison, update, reasons, now)
    return changes


def _days_of(revisions: Sequence[Revision], kind: str) -> list[date]:
    return [revision.first for revision in revisions if revision.kind == kind]


def _replace_series(lake: Lake, series: SeriesList) -> list[Change]:
    """Store the series and their groups, unless they are stored already."""
    stored = read_series(lake) if lake.has(RAW_SERIES) and lake.has(RAW_GROUPS) else None
    if stored and stored.rows == series.rows and stored.all_groups == series.all_groups:
        return []
    return [
        replace_all(RAW_SERIES, series_rows(series)),
        replace_all(RAW_GROUPS, group_rows(series.all_groups)),
    ]


def _replace_digests(
    lake: Lake, comparison: Comparison, update: PriceUpdate, start: date, last: date
) -> Change:
    """Replace the digests of all blocks that the run's days lie in.

    Stored days after the run are as the source has them, or the run would have been refused. A lake
    of an earlier version gets the digests of all blocks.
    """
    newest = max(update.end, comparison.stored[1] if comparison.stored else update.end)
    given = comparison.given
    begun = given.days >= update.given.days[:1]
    digests = digest_blocks(select_days(given, begun & (given.days <= np.datetime64(newest))))
    begin = start if lake.has(DIGESTS) else update.given.days[0].item()
    first = np.datetime64(begin).astype(np.int64) // BLOCK_DAYS * BLOCK_DAYS
    own = digests.blocks >= first.astype("datetime64[D]")
    own &= digests.blocks <= np.datetime64(last)
    series = update.given.series.series
    blocks = digests.blocks[own]
    rows = {
        "block": np.repeat(blocks, len(series) + 1),
        "instrument": tile_units([*(s.instrument for s in series), ""], len(blocks)),
        "field": tile_units([*(s.field for s in series), DATE_ID_FIELD], len(blocks)),
        "digest": digests.values[own].ravel(),
    }
    return replace_days(DIGESTS, first.astype("datetime64[D]").item(), last, rows)


def revision_rows(
    revisions: Sequence[Revision], names: SeriesList, now: datetime
) -> dict[str, Any]:
    """Convert revisions to rows of ``raw.revisions``."""
    series = [names.series[names.by_column[r.column]] if r.column else None for r in revisions]
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
    for table in declared_tables(families, "load", "bars", "retrain", "watch"):
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


def list_pair_changes(
    lake: Lake, comparison: Comparison, rows: Mapping[str, Any], now: datetime
) -> list[Change]:
    """List the changes with which a run stores targets; the first is that of the targets.

    Other targets than those that are stored leave a mark over all days, until all is done again.
    """
    changes = [replace_all(RAW_TARGET_PAIRS, rows)]
    if comparison.other_targets and comparison.stored:
        changes.append(_mark_outdated(lake, comparison, comparison.stored, now))
        changes += forget_load(lake)
    return changes


def forget_load(lake: Lake) -> list[Change]:
    """List the change after which the lake no longer counts as loaded from its present source."""
    no_rows: dict[str, list[object]] = {column.name: [] for column in LOADS.columns}
    return [replace_all(LOADS, no_rows)] if lake.has(LOADS) else []


def _mark_outdated(
    lake: Lake, comparison: Comparison, days: tuple[date, date], now: datetime
) -> Change:
    """Mark the days of a run, and those that the source changed, until the run comes to its end."""
    span = comparison.span or days
    first, until = min(days[0], span[0]), max(days[1], span[1])
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

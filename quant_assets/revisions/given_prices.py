"""What counts of a source's prices: parts of a table, and days that are set aside.

A day that is set aside has what the lake holds for it, until the source repairs the day.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

import numpy as np

from quant_assets.core.typing import BoolArray
from quant_assets.lake.readers.cell_sources import read_places
from quant_assets.lake.readers.prices import read_raw
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.revision_tables import SET_ASIDE
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.digests import digest_days
from quant_assets.sources.deliveries import Action, JoinedPrices, PriceTable, UnreadCell

_InRow = TypeVar("_InRow", UnreadCell, Action)


def select_columns(table: PriceTable, columns: tuple[str, ...]) -> PriceTable:
    """Return a table with its columns in another order, or some of them."""
    if table.columns == columns:
        return table
    at = table.series.by_column
    kept, series = set(columns), table.series.select(columns)
    places = [at[name] for name in columns]
    selected = replace(
        table,
        series=series,
        values=np.ascontiguousarray(table.values[:, places]),
        unread=[cell for cell in table.unread if cell.column in kept],
        actions=[action for action in table.actions if action.instrument in series.close_of],
    )
    if isinstance(selected, JoinedPrices):
        firsts, cells = selected.firsts[places], selected.places[:, places]
        return replace(selected, firsts=firsts, places=cells)
    return selected


def select_days(table: PriceTable, wanted: BoolArray) -> PriceTable:
    """Return the rows of a table for which ``wanted``, an array (n,), is true."""
    if wanted.all():
        return table
    position = np.cumsum(wanted) - 1

    def select(cells: Sequence[_InRow]) -> list[_InRow]:
        return [replace(cell, row=int(position[cell.row])) for cell in cells if wanted[cell.row]]

    selected = replace(
        table,
        days=table.days[wanted],
        date_ids=table.date_ids[wanted],
        values=table.values[wanted],
        unread=select(table.unread),
        actions=select(table.actions),
    )
    if isinstance(selected, JoinedPrices):
        return replace(selected, places=selected.places[wanted])
    return selected


def join_days(earlier: PriceTable, later: PriceTable) -> PriceTable:
    """Join two tables of the same series, of which the first has the earlier days."""
    shift = len(earlier.days)

    def move(cells: Sequence[_InRow]) -> list[_InRow]:
        return [replace(cell, row=cell.row + shift) for cell in cells]

    joined = replace(
        later,
        days=np.concatenate([earlier.days, later.days]),
        date_ids=np.concatenate([earlier.date_ids, later.date_ids]),
        values=np.concatenate([earlier.values, later.values]),
        unread=[*earlier.unread, *move(later.unread)],
        actions=[*earlier.actions, *move(later.actions)],
    )
    if not isinstance(joined, JoinedPrices):
        return joined
    # Stored days that are read for the cleaning of later days are not stored again.
    unknown = np.zeros(earlier.values.shape, dtype=joined.places.dtype)
    places = earlier.places if isinstance(earlier, JoinedPrices) else unknown
    return replace(joined, places=np.concatenate([places, joined.places]))


def apply_set_aside(lake: Lake, given: PriceTable) -> tuple[PriceTable, dict[date, int]]:
    """Give days that are set aside what the lake holds for them, until the source repairs them."""
    if not lake.has(SET_ASIDE):
        return given, {}
    rows = lake.arrow(f"SELECT trading_day, digest FROM {SET_ASIDE.quoted}").to_pylist()
    refused = {row["trading_day"]: row["digest"] for row in rows}
    at = np.flatnonzero(np.isin(given.days, np.array(list(refused), dtype="datetime64[D]")))
    if not len(at):
        return given, {}
    wanted = np.zeros(len(given.days), dtype=np.bool_)
    wanted[at] = True
    digests = digest_days(select_days(given, wanted)).tolist()
    days = given.days[at].tolist()
    same = {d: digest for d, digest in zip(days, digests, strict=True) if refused[d] == digest}
    return keep_stored_days(lake, given, list(same)), same


def keep_stored_days(lake: Lake, given: PriceTable, days: list[date]) -> PriceTable:
    """Return a table in which some days have what the lake holds: nothing if it lacks the day."""
    rows = np.isin(given.days, np.array(days, dtype="datetime64[D]"))
    values = given.values.copy()
    values[rows] = np.nan
    unread = [cell for cell in given.unread if not rows[cell.row]]
    actions = [action for action in given.actions if not rows[action.row]]
    for day in days if lake.has(RAW_PRICES) else ():
        stored = read_raw(lake, day, day)
        if len(stored.days):
            row = int(np.searchsorted(given.days, np.datetime64(day)))
            stored = select_columns(stored, given.columns)
            values[row] = stored.values[0]
            unread += [replace(cell, row=row) for cell in stored.unread]
            actions += [replace(action, row=row) for action in stored.actions]
            if isinstance(given, JoinedPrices):
                places = given.places.copy()
                places[row] = read_places(lake, day, given)
                given = replace(given, places=places)
    return replace(given, values=values, unread=unread, actions=actions)

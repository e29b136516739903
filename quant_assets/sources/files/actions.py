"""Reading splits and dividends of price files, whose prices are as traded then."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.description.values import quote
from quant_assets.sources.deliveries import Action
from quant_assets.sources.files.history import PriceHistory
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.long_history import join_instruments
from quant_assets.sources.files.numbers import parse_cells
from quant_assets.sources.files.queries import (
    cell_of,
    join_days,
    open_connection,
    register_days,
    stream,
    table_of,
)

_BATCH = 131_072


def read_actions(history: PriceHistory, days: DayArray) -> list[Action]:
    """Read the splits and dividends, if the options name columns for them.

    Those of days on which an instrument cannot trade are left out.

    Args:
        history: the history of the files.
        days: (n,) all trading days that have come, ascending; rows count them.

    Raises:
        SourceError: a file cannot be read; a split or dividend is impossible, is on a day between
            trading days, or comes twice with different values.
    """
    if not any(group.actions for group in history.groups):
        return []
    row_of = {day: row for row, day in enumerate(days.tolist())}
    actions: dict[tuple[int, str], Action] = {}
    with open_connection() as connection:
        for group, texts in zip(history.groups, history.day_texts, strict=True):
            if not group.actions:
                continue
            register_days(connection, texts, {text: i for i, text in enumerate(texts)})
            written = list(texts.values())
            for place, instrument, split, dividend in _read_rows(connection, group, history):
                day, described = written[place], history.named.instruments[instrument]
                name, listing = described.name, described.listing
                if listing is not None and not listing.has(day):
                    continue
                if day in row_of:
                    action = Action(row_of[day], name, split, dividend)
                    if actions.setdefault((action.row, name), action) != action:
                        raise _error(group, f"one split and dividend of {name} on {day}", "two")
                elif len(days) and days[0] < np.datetime64(day) < days[-1]:
                    raise _error(group, "splits and dividends on trading days", f"{name} on {day}")
    return [action for _, action in sorted(actions.items())]


def _read_rows(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, history: PriceHistory
) -> Iterator[tuple[int, int, float, float]]:
    """Yield day, instrument, split and dividend of each row that has a split or dividend."""
    names = list(group.actions)
    columns = ", ".join(cell_of(group, group.actions[name]) for name in names)
    join = join_instruments(connection, group, history.named)
    query = f"SELECT d.place, w.place, {columns} FROM {table_of(group)} {join_days(group)} {join}"
    for batch in stream(connection, group, query, _BATCH):
        parts = {name: _parse(group, batch.column(2 + i)) for i, name in enumerate(names)}
        nothing = np.full(batch.num_rows, np.nan)
        splits, dividends = (
            np.where(np.isnan(part), otherwise, part)
            for part, otherwise in (
                (parts.get("split", nothing), 1.0),
                (parts.get("dividend", nothing), 0.0),
            )
        )
        possible = (splits > 0) & np.isfinite(splits) & (dividends >= 0) & np.isfinite(dividends)
        for row in np.flatnonzero((splits != 1.0) | (dividends != 0.0)).tolist():
            split, dividend = float(splits[row]), float(dividends[row])
            if not possible[row]:
                expected = "a split above zero, and a dividend of zero or more"
                raise _error(group, expected, f"{split} and {dividend}")
            yield batch.column(0)[row].as_py(), batch.column(1)[row].as_py(), split, dividend


def _parse(group: FileGroup, column: Any) -> FloatArray:
    numbers, texts = parse_cells(column)
    if texts:
        raise _error(group, "numbers", quote(next(iter(texts.values()))))
    return numbers


def _error(group: FileGroup, expected: str, found: str) -> SourceError:
    return SourceError(
        "a split or dividend cannot be read", where=group.where, expected=expected, found=found
    )

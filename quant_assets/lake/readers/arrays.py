"""Conversion between arrays and long tables, which have a row for each day and unit.

A *unit* is an instrument, a target or a series. No other module knows how days and units become
rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import AnyArray, DayArray, IntArray

ROWS_AT_ONCE = 2_000_000
"""Number of rows of a table that a step holds in memory at once, beyond those of a single day."""


def day_blocks(days: int, width: int, rows: int = ROWS_AT_ONCE) -> Iterator[slice]:
    """Cut consecutive days into blocks whose rows fit into memory.

    Args:
        days: number of days.
        width: number of rows a day.
        rows: number of rows of a block; a block has at least a day.

    Yields:
        Slices of the days, in order; none without days.

    Examples:
        >>> list(day_blocks(5, 100, rows=250))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, rows // max(width, 1))
    for start in range(0, days, step):
        yield slice(start, min(start + step, days))


def repeat_days(values: AnyArray, units: int) -> AnyArray:
    """Repeat the values of n days for each unit; returns an array of shape (n * units,)."""
    return np.repeat(values, units)


def tile_units(names: Sequence[str | None], days: int) -> pa.Array:
    """Repeat the names of units for each day; returns days * units dictionary-encoded names."""
    distinct = pa.array(names, pa.string()).dictionary_encode()
    indices = distinct.indices.to_numpy(zero_copy_only=False)
    if distinct.null_count:
        return pa.array(list(names) * days, pa.string())
    return pa.DictionaryArray.from_arrays(
        np.tile(indices, days).astype(np.int32), distinct.dictionary
    )


def long_rows(
    days: DayArray,
    date_ids: IntArray,
    values: Mapping[str, AnyArray],
    unit_column: str = "",
    units: Sequence[str] = (),
) -> dict[str, Any]:
    """Convert arrays to columns with a row for each day and unit, or for each day without units.

    Args:
        days: (n,) trading days.
        date_ids: (n,) the source's numbers of the days.
        values: arrays by column name, of shape (n, units), or (n,) without units.
        unit_column: name of the column for the units; empty without units.
        units: names of the units.
    """
    width = max(len(units), 1)
    keys: dict[str, Any] = {
        "trading_day": repeat_days(days, width),
        "date_id": repeat_days(date_ids, width),
    }
    if unit_column:
        keys[unit_column] = tile_units(units, len(days))
    return {**keys, **{name: np.ravel(array) for name, array in values.items()}}


def day_positions(stored: AnyArray, days: DayArray) -> IntArray:
    """Look up the positions of stored days in ``days``, which are ascending.

    Raises:
        LakeError: a stored day is not in ``days``.
    """
    wanted = stored.astype("datetime64[D]")
    position = np.minimum(np.searchsorted(days, wanted), max(len(days) - 1, 0))
    unknown = wanted[days[position] != wanted] if len(days) else wanted
    if len(unknown):
        raise LakeError(
            "a day is missing upstream",
            found=str(unknown[0]),
            hint="materialise the upstream tables for this day, then try again",
        )
    return position.astype(np.int64)


def unit_positions(column: pa.ChunkedArray, names: Sequence[str]) -> IntArray:
    """Look up the position of each value of a string column in ``names``.

    Raises:
        LakeError: a value is not in ``names``.
    """
    encoded = column.combine_chunks().dictionary_encode()
    index = {name: i for i, name in enumerate(names)}
    try:
        codes = np.array([index[name] for name in encoded.dictionary.to_pylist()], dtype=np.int64)
    except KeyError as error:
        raise LakeError(
            "a row is about something unknown",
            where=f"column with values such as {names[0]}",
            found=str(error),
            hint="materialise the upstream tables again",
        ) from None
    return codes[encoded.indices.to_numpy()] if len(codes) else np.empty(0, np.int64)


def to_cube(
    rows: pa.Table,
    days: DayArray,
    unit_column: str,
    units: Sequence[str],
    columns: Sequence[str],
    *,
    day_column: str = "trading_day",
    dtype: Any = np.float64,
) -> AnyArray:
    """Convert long rows to an array of shape (n, units, columns); NaN for no row or a NULL.

    Memory: the array itself plus one column of the rows.

    Args:
        rows: rows with the columns below.
        days: (n,) days of the array, ascending.
        unit_column: name of the column with the units.
        units: names of the units, in the order of the array.
        columns: names of the columns with values, in the order of the array.
        day_column: name of the column with the days.
        dtype: float64 or float32.

    Raises:
        LakeError: a row has a day or a unit that the array lacks.
    """
    cube = np.full((len(days), len(units), len(columns)), np.nan, dtype=dtype)
    flat = cube.reshape(-1, len(columns))
    day = day_positions(rows.column(day_column).to_numpy(), days)
    position = day * len(units) + unit_positions(rows.column(unit_column), units)
    in_order = len(position) == len(flat) and bool((np.diff(position) == 1).all())
    for j, name in enumerate(columns):
        values = rows.column(name).to_numpy()
        if in_order:
            flat[:, j] = values
        else:
            flat[position, j] = values
    return cube


def drop_empty(rows: dict[str, Any], column: str = "value") -> dict[str, Any]:
    """Return the rows that have a value in a column of numbers; all columns keep their types."""
    empty = np.isnan(rows[column])
    if not empty.any():
        return rows
    kept = np.flatnonzero(~empty)
    return {
        name: values.take(pa.array(kept)) if isinstance(values, pa.Array) else values[kept]
        for name, values in rows.items()
    }

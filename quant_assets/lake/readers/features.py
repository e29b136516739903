"""Stored features as arrays."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quant_assets.core.errors import LakeError
from quant_assets.core.large_arrays import join_blocks
from quant_assets.core.typing import AnyArray, DayArray, FloatArray
from quant_assets.features.cross_market import join_market_inputs
from quant_assets.lake.readers.arrays import day_blocks, to_cube
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.series import read_all_groups
from quant_assets.lake.schemas.feature_tables import GROUP_FEATURES, MARKET_FEATURES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class FurtherColumns:
    """Features that are not in the table of the others.

    Attributes:
        names: names of the f features.
        read: returns their (n, units, f) values on n days.
    """

    names: tuple[str, ...]
    read: Callable[[DayArray], AnyArray]


def read_cube(
    lake: Lake,
    table: Table,
    days: DayArray,
    unit_column: str = "",
    units: Sequence[str] = (),
    dtype: Any = np.float64,
    *,
    gaps: bool = False,
    only: Collection[str] = (),
    equal: Mapping[str, str] | None = None,
    further: "FurtherColumns | None" = None,
) -> tuple[tuple[str, ...], AnyArray]:
    """Read the feature names and the values of a features table.

    Returns the names, and an array of shape (n, units, features); NaN where there is no row. A
    table with a row for each day has one unit. An array that is too large for memory lies in a
    temporary file, which ends with the array.

    Args:
        lake: the lake.
        table: the features table.
        days: (n,) days of the table, ascending; consecutive days unless ``gaps``.
        unit_column: name of the column with the units; empty for a table with a row for each day.
        units: names of the units, in the order of the array.
        dtype: float64 or float32.
        gaps: whether the table has further days between these.
        only: names of the features to read; all by default.
        equal: values of columns by name; other rows are left out.
        further: columns that are added as last features.

    Raises:
        LakeError: the table was never written.
    """
    keys = ("trading_day", "date_id", unit_column)
    names = tuple(
        column.name
        for column in table.columns
        if column.name not in keys and (not only or column.name in only)
    )
    kind = "DOUBLE" if dtype is np.float64 else "FLOAT"
    selected = ", ".join(f'"{name}"::{kind} AS "{name}"' for name in names)
    unit = f'"{unit_column}"' if unit_column else "'' AS unit"
    wanted = "IN (SELECT unnest(?::DATE[]))" if gaps else "BETWEEN ? AND ?"
    values = dict(equal or {})
    condition = "".join(f' AND "{column}" = ?' for column in values)

    def read(part: slice) -> AnyArray:
        some = days[part]
        rows = lake.arrow(
            f"SELECT trading_day, {unit}, {selected} FROM {table.quoted}"
            f" WHERE trading_day {wanted}{condition}",
            [*([some.tolist()] if gaps else [some[0].item(), some[-1].item()]), *values.values()],
            needs=table,
        )
        cube = to_cube(rows, some, unit_column or "unit", units or ("",), names, dtype=dtype)
        return np.concatenate([cube, further.read(some)], axis=2, dtype=dtype) if further else cube

    every_name = (*names, *(further.names if further else ()))
    blocks = list(day_blocks(len(days), len(units)))
    if len(blocks) == 1:
        return every_name, read(blocks[0])
    shape = (len(days), max(len(units), 1), len(every_name))
    return every_name, join_blocks(map(read, blocks), shape, dtype)


def read_features(
    lake: Lake,
    table: Table,
    days: DayArray,
    unit_column: str = "",
    units: Sequence[str] = (),
    *,
    only: Collection[str] = (),
) -> dict[str, FloatArray]:
    """Read a features table as one array for each feature.

    Returns arrays of shape (n, units), or (n,) without units, by feature name; NaN where there is
    no row.

    Args:
        lake: the lake.
        table: the features table.
        days: (n,) consecutive days of the table.
        unit_column: name of the column with the units; empty for a table with a row for each day.
        units: names of the units, in the order of the arrays.
        only: names of the features to read; all by default.

    Raises:
        LakeError: the table was never written.
    """
    names, cube = read_cube(lake, table, days, unit_column, units, only=only)
    values = cube if unit_column else cube[:, 0]
    return {name: np.ascontiguousarray(values[..., j]) for j, name in enumerate(names)}


def read_market_features(
    lake: Lake, days: DayArray, dtype: Any = np.float64, *, gaps: bool = False
) -> tuple[tuple[str, ...], AnyArray]:
    """Read the features of groups and of the market as a whole, as models see them.

    Returns the names, in the order of :func:`quant_assets.features.catalogue.list_market_inputs`,
    and an array of shape (n, inputs).

    Args:
        lake: the lake.
        days: (n,) days, ascending; consecutive days of the tables unless ``gaps``.
        dtype: float64 or float32.
        gaps: whether the tables have further days between these.

    Raises:
        LakeError: the features of a day are not stored.
    """
    groups = read_all_groups(lake)
    absent = np.setdiff1d(days, read_days(lake, GROUP_FEATURES))
    if len(absent):
        raise LakeError(
            "the features of groups are missing",
            where=GROUP_FEATURES.name,
            expected=f"features of {absent[0]}",
            hint="run `quant-assets load`; a lake of an earlier version lacks this table",
        )
    unit, units = "instrument_group", [group.name for group in groups]
    names, by_group = read_cube(lake, GROUP_FEATURES, days, unit, units, dtype, gaps=gaps)
    market_names, by_market = read_cube(lake, MARKET_FEATURES, days, dtype=dtype, gaps=gaps)
    inputs = join_market_inputs(
        groups,
        {name: by_group[..., j] for j, name in enumerate(names)},
        {name: by_market[:, 0, j] for j, name in enumerate(market_names)},
    )
    return tuple(inputs), np.stack(list(inputs.values()), axis=1)

"""Reads of what models see beyond the catalogue: inputs of the market and of targets from tables.

An input of a target is a feature of its leg A less that of its leg B. A further table of
instruments' features becomes such inputs by an entry in ``_leg_columns``, and by one in
``features.further_inputs``.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import AnyArray, DayArray
from quant_assets.features.bar_inputs import bar_inputs, list_bar_inputs
from quant_assets.features.catalogue import Feature
from quant_assets.features.further_inputs import FurtherInputs, list_every_input
from quant_assets.features.table_inputs import (
    MARKET_FORMULAS,
    TableField,
    leg_differences,
    list_table_inputs,
)
from quant_assets.lake.readers.days import read_days, read_newest_day
from quant_assets.lake.readers.features import FurtherColumns, read_cube, read_market_features
from quant_assets.lake.readers.series import read_all_groups, read_series
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES
from quant_assets.lake.schemas.feature_tables import TARGET_FEATURES
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.tables import WHOLE_MARKET
from quant_assets.market.targets import TargetPairs


def read_further_inputs(lake: Lake) -> FurtherInputs:
    """Read what models see beyond the catalogue.

    Fields of tables count if the newest day has features of them, bars if any day has.
    """

    def read() -> FurtherInputs:
        bars = read_newest_day(lake, BAR_FEATURES) is not None
        return FurtherInputs(_read_table_fields(lake), bars)

    return lake.once_a_snapshot("further inputs", read)


def _read_table_fields(lake: Lake) -> tuple[TableField, ...]:
    """Read the fields of tables that the newest day has features of, sorted."""
    if not lake.has(OBSERVATION_FEATURES):
        return ()
    table = OBSERVATION_FEATURES.quoted
    rows = lake.arrow(
        f"SELECT DISTINCT table_name, field, instrument <> '' AS by_instrument FROM {table}"
        f" WHERE trading_day = (SELECT max(trading_day) FROM {table})"
    ).to_pylist()
    return tuple(sorted(TableField(*row.values()) for row in rows))


def list_stored_inputs(lake: Lake) -> dict[tuple[str, str], Feature]:
    """List everything that models see, by level and name: of the catalogue, tables and bars."""
    return list_every_input(read_all_groups(lake), read_further_inputs(lake))


def read_market_inputs(
    lake: Lake, days: DayArray, dtype: Any = np.float64, *, gaps: bool = False
) -> tuple[tuple[str, ...], AnyArray]:
    """Read what models see of the market: features of groups, of the whole market, and of tables.

    Returns the names and an array of shape (n, inputs). The order is that of
    :func:`quant_assets.features.catalogue.list_market_inputs`, then that of
    :func:`quant_assets.features.table_inputs.list_table_inputs`.

    Args:
        lake: the lake.
        days: (n,) days, ascending; consecutive days of the tables unless ``gaps``.
        dtype: float64 or float32.
        gaps: whether the tables have further days between these.

    Raises:
        LakeError: the features of a day are not stored.
    """
    names, values = read_market_features(lake, days, dtype, gaps=gaps)
    fields = [field for field in _fields_of_days(lake, days) if not field.by_instrument]
    if not fields:
        return names, values
    of_fields = [
        _read_field(lake, field, (WHOLE_MARKET,), tuple(MARKET_FORMULAS), days, gaps=gaps)
        for field in fields
    ]
    inputs = [feature.name for _, _, feature in list_table_inputs(fields)]
    joined = np.concatenate([values, *(cube[:, 0] for cube in of_fields)], axis=1, dtype=dtype)
    return (*names, *inputs), joined


def read_target_inputs(
    lake: Lake, days: DayArray, pairs: TargetPairs, dtype: Any = np.float64, *, gaps: bool = False
) -> tuple[tuple[str, ...], AnyArray]:
    """Read what models see of targets: their features, and differences between their legs.

    Returns the names and an array of shape (n, m, inputs).

    Args:
        lake: the lake.
        days: (n,) days, ascending; consecutive days of the tables unless ``gaps``.
        pairs: the m targets.
        dtype: float64 or float32.
        gaps: whether the tables have further days between these.

    Raises:
        LakeError: the features of a day are not stored.
    """
    instruments = tuple(sorted({series.instrument for series in read_series(lake).series}))
    columns = tuple(_leg_columns(lake, days, instruments, gaps=gaps))
    further = None
    if columns:
        legs = np.stack(pairs.legs(instruments), axis=1)

        def read(some: DayArray) -> AnyArray:
            values = np.concatenate([each.read(some) for each in columns], axis=2)
            return leg_differences(values, legs)

        further = FurtherColumns(tuple(name for each in columns for name in each.names), read)
    return read_cube(
        lake, TARGET_FEATURES, days, "target", pairs.targets, dtype, gaps=gaps, further=further
    )


def _leg_columns(
    lake: Lake, days: DayArray, instruments: tuple[str, ...], *, gaps: bool
) -> Iterator[FurtherColumns]:
    """Yield features of the k instruments whose differences between legs are inputs.

    ``read`` returns values of shape (n, k, f); the names are those of the f inputs of targets.
    """
    for field, column, feature in list_table_inputs(_fields_of_days(lake, days)):
        if field.by_instrument:
            read = partial(_read_field, lake, field, instruments, (column,), gaps=gaps)
            yield FurtherColumns((feature.name,), read)
    if read_further_inputs(lake).bars:
        names = tuple(feature.name for feature in list_bar_inputs())
        yield FurtherColumns(names, partial(_read_bar_inputs, lake, instruments))


def _read_bar_inputs(lake: Lake, instruments: tuple[str, ...], days: DayArray) -> AnyArray:
    """Read the (n, k, f) inputs from bars of k instruments; NaN on days without bars."""
    # A day whose bars could not be read has no features of them.
    names, values = read_cube(lake, BAR_FEATURES, days, "instrument", instruments, gaps=True)
    features = {name: values[..., j] for j, name in enumerate(names)}
    return np.stack(list(bar_inputs(features).values()), axis=2)


def _read_field(
    lake: Lake,
    field: TableField,
    units: tuple[str, ...],
    columns: tuple[str, ...],
    days: DayArray,
    *,
    gaps: bool,
) -> AnyArray:
    """Read the (n, units, columns) values of a field."""
    _, values = read_cube(
        lake,
        OBSERVATION_FEATURES,
        days,
        "instrument",
        units,
        gaps=gaps,
        only=columns,
        equal={"table_name": field.table, "field": field.name},
    )
    return values


def _fields_of_days(lake: Lake, days: DayArray) -> tuple[TableField, ...]:
    """Read the fields of tables whose features models see on (n,) days.

    Raises:
        LakeError: a day has no features of them.
    """
    fields = read_further_inputs(lake).fields
    if fields:
        stored = lake.once_a_snapshot(
            "days of observations", partial(read_days, lake, OBSERVATION_FEATURES)
        )
        absent = np.setdiff1d(days, stored)
        if len(absent):
            raise LakeError(
                "the features of tables are missing",
                where=OBSERVATION_FEATURES.name,
                expected=f"features of {absent[0]}",
                hint="run `quant-assets load`; other tables need features of all days",
            )
    return fields

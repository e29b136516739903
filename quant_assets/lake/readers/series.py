"""Reading the stored series, with their names in the source, and the groups of instruments."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_PRICES, RAW_SERIES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import (
    COMPETITION_GROUPS,
    Group,
    InstrumentSeries,
    SeriesList,
    column_name,
    list_competition_series,
)


def series_rows(series: SeriesList) -> dict[str, Any]:
    """Convert the series of a source to rows of ``raw.series``."""
    return {
        "instrument": [each.instrument for each in series.series],
        "field": [each.field for each in series.series],
        "column": list(series.columns),
        "instrument_group": list(series.groups),
    }


def group_rows(groups: Sequence[Group]) -> dict[str, Any]:
    """Convert the groups of a market to rows of ``raw.groups``."""
    return {
        "position": list(range(len(groups))),
        "instrument_group": [group.name for group in groups],
        "leader": [group.leader for group in groups],
        "closing_order": [group.closing_order for group in groups],
    }


def read_series(lake: Lake) -> SeriesList:
    """Read the series whose prices are stored, ordered by instrument and field.

    Raises:
        LakeError: no prices are stored.
    """
    return lake.once_a_snapshot("series", partial(_read_series, lake))


def read_groups(lake: Lake, instruments: tuple[str, ...]) -> tuple[str, ...]:
    """Read the group of each instrument.

    Raises:
        LakeError: no prices are stored.
        KeyError: an instrument has no stored series.
    """
    group_of = read_series(lake).group_of
    return tuple(group_of[name] for name in instruments)


def read_all_groups(lake: Lake) -> tuple[Group, ...]:
    """Read the groups of instruments, in the market's order."""
    if not lake.has(RAW_GROUPS):
        # A lake of an earlier version holds the competition's market.
        return COMPETITION_GROUPS
    rows = lake.arrow(f"FROM {RAW_GROUPS.quoted} ORDER BY position").to_pylist()
    return tuple(
        Group(row["instrument_group"], row["leader"], row["closing_order"]) for row in rows
    )


def sort_groups(lake: Lake, groups: Collection[str]) -> tuple[str, ...]:
    """Return names of groups in the market's order; unknown names last, by name."""
    known = [group.name for group in read_all_groups(lake)]
    others = sorted(set(groups) - set(known))
    return (*(name for name in known if name in groups), *others)


def _read_series(lake: Lake) -> SeriesList:
    if not lake.has(RAW_SERIES):
        # A lake of an earlier version holds the competition's market.
        rows = lake.arrow(
            f"SELECT DISTINCT instrument, field FROM {RAW_PRICES.quoted} ORDER BY ALL",
            needs=RAW_PRICES,
        ).to_pylist()
        return list_competition_series([column_name(InstrumentSeries(**row)) for row in rows])
    rows = lake.arrow(f"FROM {RAW_SERIES.quoted} ORDER BY instrument, field").to_pylist()
    return SeriesList(
        tuple(row["column"] for row in rows),
        tuple(InstrumentSeries(row["instrument"], row["field"]) for row in rows),
        tuple(row["instrument_group"] for row in rows),
        read_all_groups(lake),
    )

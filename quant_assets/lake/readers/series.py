"""Reads of the stored series: instrument and field, name in the source, group."""

from collections.abc import Collection
from functools import partial
from typing import Any

from quant_assets.lake.schemas.tables import RAW_PRICES, RAW_SERIES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import (
    InstrumentSeries,
    SeriesList,
    column_name,
    list_competition_series,
    list_groups,
)


def series_rows(series: SeriesList) -> dict[str, Any]:
    """Convert the series of a source to rows of ``raw.series``."""
    return {
        "instrument": [each.instrument for each in series.series],
        "field": [each.field for each in series.series],
        "column": list(series.columns),
        "instrument_group": list(series.groups),
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


def sort_groups(lake: Lake, groups: Collection[str]) -> tuple[str, ...]:
    """Return groups in the order of their stored series; groups without series last, by name.

    Does not need stored prices.
    """
    stored = lake.has(RAW_SERIES) or lake.has(RAW_PRICES)
    known = list_groups(read_series(lake).groups) if stored else ()
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
    )

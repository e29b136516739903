"""What ``quant-assets market check`` says of the tables that a description names."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from quant_assets.features.table_inputs import require_distinct_inputs
from quant_assets.market.description.instruments import ListedInstruments
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.tables import TableFile, TableRule
from quant_assets.market.description.values import list_names
from quant_assets.sources.tables.reading import read_table


def describe_tables(market: MarketDescription) -> Iterator[tuple[str, str]]:
    """Yield, for each table, its name, and its fields, rows and the first day known.

    Files are read; vendors are not asked.

    Raises:
        MarketError: two inputs of models would have one name.
        SourceError: a file cannot be read.
    """
    require_distinct_inputs(market.tables, market.all_groups)
    for rule in market.tables:
        yield rule.name, f"{list_names(rule.fields)}: {_describe(rule, market)}"


def _describe(rule: TableRule, market: MarketDescription) -> str:
    unit = "per instrument" if rule.by_instrument else "of the whole market"
    if not isinstance(rule.place, TableFile):
        return f"{unit}, from {rule.place.vendor} at each load"
    listed = isinstance(market.naming, ListedInstruments)
    names = [each.name for each in market.instruments()] if listed else None
    rows = read_table(rule, market, Path(), names).frame
    if rows.empty:
        return f"{unit}, no values"
    first = np.datetime_as_string(rows["known_at"].min().to_datetime64(), "m").replace("T", " ")
    return f"{unit}, {len(rows):,} values, the first known at {first} UTC"

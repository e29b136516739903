"""Inputs of models from tables of observations: their list, and their arithmetic.

Notation: ``x`` is the newest value known at the close of a day. ``A`` and ``B`` are a target's
legs; B counts as 0 where there is none. Row t is known at the close of day t.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.errors import MarketError
from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.features.bar_inputs import list_bar_inputs
from quant_assets.features.catalogue import Feature, list_inputs
from quant_assets.features.kernels import ratio, rolling_mean_std
from quant_assets.market.description.tables import TableRule
from quant_assets.market.instruments import Group
from quant_assets.market.targets import shift

Z_WINDOW, CHANGE_DAYS = 250, 20
Z, CHANGE, RANK = f"z_{Z_WINDOW}", f"change_{CHANGE_DAYS}", "rank"
LOOKBACK = Z_WINDOW
"""Rows of history with which a day's inputs equal those computed from the whole history."""
MARKET_FORMULAS = {
    Z: f"(x - mean(x)) / std(x) over {Z_WINDOW} days",
    CHANGE: f"(x - x[t-{CHANGE_DAYS}]) / std(x) over {Z_WINDOW} days",
}
"""Formulas of the inputs from a field of the whole market, by the ends of their names."""
INSTRUMENT_FORMULAS = {RANK: "rank of x among the day's instruments, from -1/2 to 1/2"}
"""Formulas of the inputs from a field of instruments, by their names."""


@dataclass(frozen=True, order=True)
class TableField:
    """A field of a table of observations.

    Attributes:
        table: name of the table.
        name: name of the field.
        by_instrument: whether its values are about instruments; otherwise about the whole market.
    """

    table: str
    name: str
    by_instrument: bool


def fields_of(tables: Sequence[TableRule]) -> tuple[TableField, ...]:
    """Return the fields of tables that a description names, sorted."""
    fields = (TableField(t.name, name, t.by_instrument) for t in tables for name in t.fields)
    return tuple(sorted(fields))


def require_distinct_inputs(tables: Sequence[TableRule], groups: Sequence[Group]) -> None:
    """Check that the inputs from tables have other names than each other and all other inputs.

    Args:
        tables: the tables of a description.
        groups: its groups.

    Raises:
        MarketError: two inputs of models would have one name.
    """
    used = {name for _, name in list_inputs(groups)} | {f.name for f in list_bar_inputs()}
    where = {rule.name: rule.where for rule in tables}
    for field, _, feature in list_table_inputs(fields_of(tables)):
        if feature.name in used:
            raise MarketError(
                "two inputs of models have one name",
                where=where[field.table],
                expected="names of the table and its fields that make another name",
                found=feature.name,
            )
        used.add(feature.name)


def list_table_inputs(fields: Sequence[TableField]) -> tuple[tuple[TableField, str, Feature], ...]:
    """List what models see of tables: a field, the column of its values, and the input.

    Fields of the whole market are inputs of the market, such as ``rates_DGS10_z_250``; fields of
    instruments are inputs of targets, such as ``diff_fundamentals_book_to_market``.

    Args:
        fields: the fields.
    """
    return tuple(each for field in sorted(fields) for each in _list_inputs(field))


def _list_inputs(field: TableField) -> Iterator[tuple[TableField, str, Feature]]:
    name = f"{field.table}_{field.name}"
    if field.by_instrument:
        formula = f"{RANK}(A) - {RANK}(B), {RANK} is the {INSTRUMENT_FORMULAS[RANK]}"
        yield field, RANK, Feature(f"diff_{name}", "target", field.table, formula, 1, ())
        return
    for column, formula in MARKET_FORMULAS.items():
        feature = Feature(f"{name}_{column}", "market", field.table, formula, LOOKBACK, ())
        yield field, column, feature


def market_inputs(values: FloatArray) -> dict[str, FloatArray]:
    """Compute the inputs from the values of a field of the whole market.

    Returns (n,) arrays by the keys of ``MARKET_FORMULAS``; NaN where less than half of a window is
    known, and where the values of a window are equal.

    Args:
        values: (n,) newest values known at the close of each day; NaN where none is.
    """
    mean, std = rolling_mean_std(values, [Z_WINDOW])[Z_WINDOW]
    return {
        Z: ratio(values - mean, std),
        CHANGE: ratio(values - shift(values, CHANGE_DAYS), std),
    }


def instrument_inputs(values: FloatArray) -> dict[str, FloatArray]:
    """Compute the inputs from the values of a field of instruments.

    Returns (n, k) arrays by the keys of ``INSTRUMENT_FORMULAS``; NaN where there is no value.

    Args:
        values: (n, k) newest values known at the close of each day; NaN where none is.
    """
    return {RANK: 0.5 * standardised_ranks(values)}


def leg_differences(values: FloatArray, legs: IntArray) -> FloatArray:
    """Subtract the values of leg B from those of leg A.

    Returns an array of shape (n, m, f); NaN where a leg has no value.

    Args:
        values: (n, k, f) values of f columns of k instruments.
        legs: (m, 2) positions of both legs among the instruments; -1 for no second leg, which
            counts as 0.
    """
    padded = np.concatenate([values, np.zeros_like(values[:, :1])], axis=1)
    first, second = np.take(values, legs[:, 0], axis=1), np.take(padded, legs[:, 1], axis=1)
    differences: FloatArray = np.subtract(first, second, out=first)
    return differences


def digest_table_inputs(fields: Sequence[TableField]) -> str:
    """Return what tables add to the version of inputs: ``+`` and a digest; empty without tables.

    Args:
        fields: the fields of tables.
    """
    if not fields:
        return ""
    columns = [f"{feature.level} {feature.name}" for _, _, feature in list_table_inputs(fields)]
    code = digest_code(market_inputs, instrument_inputs, leg_differences)
    return f"+{hashlib.sha256(chr(10).join([*columns, code]).encode()).hexdigest()[:8]}"

"""Descriptions of tables: names, columns and their types, and the conversion of arrays to rows.

The neighbouring modules declare the tables; ``declared`` collects them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from quant_assets.core.errors import LakeError

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
}


Writer = Literal[
    "load", "bars", "imputation", "sources", "revise", "retrain", "study", "watch", "no_asset"
]
"""What writes a table. ``load``: the jobs that write days; ``bars``: the same jobs, where the
source delivers bars; ``imputation``: the same jobs, where the description has missing closes
estimated; ``sources``: the same jobs, where the market has several sources; ``revise``:
load_history and revise_history; ``retrain``: retrain_models; ``study``: tune_models; ``watch``:
watch_daily. ``no_asset``: no asset of its own but, for example, a sensor."""


@dataclass(frozen=True)
class Column:
    """A column: its name, DuckDB type and meaning."""

    name: str
    type: str
    description: str

    @property
    def arrow(self) -> pa.DataType:
        """The column's type in Arrow."""
        return _ARROW[self.type]

    @property
    def ddl(self) -> str:
        """Definition for CREATE TABLE and ADD COLUMN."""
        return f'"{self.name}" {self.type}'


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Attributes:
        name: ``schema.table``.
        description: content, what a row is, and when a row is known.
        columns: its columns, in order.
        day_column: the column by which days are replaced; empty if writes replace the whole table.
        written_by: what writes the table; decides which jobs its asset is in.
        keeps_live: whether rows with ``origin`` live stay as they were stored; such a table has the
            columns of :data:`ORIGIN`, and only a deliberate resubmission replaces its live days.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    day_column: str = "trading_day"
    written_by: Writer = "load"
    keeps_live: bool = False

    @property
    def schema(self) -> str:
        """The part of the name before the dot."""
        return self.name.split(".", 1)[0]

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name, which are the key of the asset that writes the table."""
        return tuple(self.name.split("."))

    @cached_property
    def quoted(self) -> str:
        """The name, quoted for SQL."""
        schema, table = self.name.split(".")
        return f'"{schema}"."{table}"'

    def ddl(self) -> str:
        """Return the column definitions for CREATE TABLE."""
        return ", ".join(column.ddl for column in self.columns)

    def creation(self) -> Iterator[str]:
        """Yield statements that create the table, with comments that explain it to any client."""
        yield f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'
        yield f"CREATE TABLE IF NOT EXISTS {self.quoted} ({self.ddl()})"
        yield f"COMMENT ON TABLE {self.quoted} IS {_literal(self.description)}"
        for column in self.columns:
            yield self._comment(column)

    def addition(self, column: Column) -> Iterator[str]:
        """Yield statements that add a column to the stored table; existing rows get NULL."""
        yield f"ALTER TABLE {self.quoted} ADD COLUMN {column.ddl}"
        yield self._comment(column)

    def _comment(self, column: Column) -> str:
        return f'COMMENT ON COLUMN {self.quoted}."{column.name}" IS {_literal(column.description)}'


ACCESS = "access"
"""Schema of the tables about callers of the prediction API. No forecast depends on them, and a
snapshot that changes nothing else has this word as its message."""
LIVE, HISTORY, RESUBMITTED = "live", "history", "resubmitted"
"""Origins of rows that were submitted, or that lie behind a submission."""
ORIGIN = (
    Column(
        "origin",
        "VARCHAR",
        "live: stored while the lake held no prices of a later day; resubmitted: a person replaced "
        "the live rows; history: computed when later prices were stored already",
    ),
    Column("stored_at", "TIMESTAMP", "when the rows of the day were stored, UTC"),
)
"""Columns of every table that keeps live rows."""


def rejected_table(table: Table) -> Table:
    """Describe the table of rows that a blocking check kept out of a table."""
    return Table(
        f"rejected.{table.name.replace('.', '_')}",
        f"Rows that a blocking check kept out of {table.name}, as the last attempt gave them. No "
        "other table is computed from them.",
        (
            *table.columns,
            Column("rejected_at", "TIMESTAMP", "when they were rejected, UTC"),
            Column("dagster_run", "VARCHAR", "Dagster run that gave them"),
        ),
        day_column=table.day_column,
        written_by="no_asset",
    )


def superseded_table(table: Table) -> Table:
    """Describe the table of live rows that a resubmission replaced in a table."""
    return Table(
        f"superseded.{table.name.replace('.', '_')}",
        f"Rows of {table.name} that a resubmission replaced; rows are only ever added.",
        (
            *table.columns,
            Column("superseded_at", "TIMESTAMP", "when they were replaced, UTC"),
            Column("reason", "VARCHAR", "why a person replaced them"),
        ),
        day_column=table.day_column,
        written_by="no_asset",
    )


@dataclass(frozen=True)
class FamilyTable:
    """Decorator of a function that describes the table of each model family.

    Attributes:
        describe: returns the table of the family that it is called with.
    """

    describe: Callable[[str], Table]

    def __call__(self, family: str) -> Table:
        """Return the table of a family."""
        return self.describe(family)


def to_arrow(table: Table, data: Mapping[str, Any]) -> pa.Table:
    """Convert arrays to an Arrow table with a table's columns, order and types.

    NaN becomes null.

    Raises:
        LakeError: a column is missing or unknown, or has another length or another type.
    """
    expected = [column.name for column in table.columns]
    if set(expected) != set(data):
        raise LakeError(
            "columns do not match the table",
            where=table.name,
            expected=", ".join(sorted(set(expected) - set(data))) or "no further column",
            found=", ".join(sorted(set(data) - set(expected))) or "nothing in their place",
        )
    arrays = {column.name: _to_column(table, column, data[column.name]) for column in table.columns}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise LakeError(
            "columns of different lengths",
            where=table.name,
            expected=f"{lengths[expected[0]]} rows, as {expected[0]} has",
            found=", ".join(f"{name}: {n}" for name, n in lengths.items()),
        )
    return pa.table(arrays)


def _to_column(table: Table, column: Column, values: Any) -> pa.Array:
    if isinstance(values, pa.DictionaryArray) and values.type.value_type == column.arrow:
        return values
    if isinstance(values, pa.Array | pa.ChunkedArray):
        # from_pandas, which turns NaN into null, does not work on Arrow arrays.
        values = values.to_pandas()
    try:
        return pa.array(values, type=column.arrow, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise LakeError(
            "values cannot be stored in the column",
            where=f"{table.name}, column {column.name}",
            expected=column.type,
            found=str(error).splitlines()[0],
        ) from error


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

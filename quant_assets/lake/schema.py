"""What a table is: name, columns, and how DuckDB and Arrow type them.

The tables themselves are declared in ``lake.tables``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

_ARROW = {
    "DATE": pa.date32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
}


@dataclass(frozen=True)
class Column:
    """One column: name, DuckDB type, meaning."""

    name: str
    type: str
    description: str

    @property
    def arrow(self) -> pa.DataType:
        """The column's type in Arrow."""
        return _ARROW[self.type]


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: ``schema.table``.
        description: grain, content and when a row is known.
        columns: in order.
        day_column: the column by which days are replaced; empty for a table replaced whole.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    day_column: str = "trading_day"

    @cached_property
    def quoted(self) -> str:
        """The name, quoted for SQL."""
        schema, table = self.name.split(".")
        return f'"{schema}"."{table}"'

    def ddl(self) -> str:
        """Column definitions for CREATE TABLE."""
        return ", ".join(f'"{column.name}" {column.type}' for column in self.columns)

    def comments(self) -> Iterator[str]:
        """COMMENT statements, so that the lake explains itself to any client."""
        yield f"COMMENT ON TABLE {self.quoted} IS {_literal(self.description)}"
        for column in self.columns:
            yield (
                f'COMMENT ON COLUMN {self.quoted}."{column.name}" IS {_literal(column.description)}'
            )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

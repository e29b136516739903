"""How many rows tables have and which day is their newest, mostly without opening a file.

DuckLake's catalogue knows it of each file. Where rows of a file do not count, those deleted or
written later, it does not know what is left: such a table's rows are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

_OF = "__ducklake_metadata_lake"
_LIVE = "begin_snapshot <= $at AND ($at < end_snapshot OR end_snapshot IS NULL)"
# https://ducklake.select/docs/stable/specification/tables/overview
_CATALOGUE = f"""
WITH files AS (FROM {_OF}.ducklake_data_file WHERE {_LIVE}),
partly AS (
    SELECT table_id FROM files WHERE partial_max > $at
    UNION SELECT table_id FROM {_OF}.ducklake_delete_file WHERE {_LIVE}
),
tables AS (
    SELECT table_id, schema_name || '.' || table_name AS name
    FROM (FROM {_OF}.ducklake_table WHERE {_LIVE})
    JOIN (FROM {_OF}.ducklake_schema WHERE {_LIVE}) USING (schema_id)
    WHERE table_id NOT IN (FROM partly)
),
days AS (
    SELECT table_id, column_id FROM (FROM {_OF}.ducklake_column WHERE {_LIVE})
    JOIN tables USING (table_id)
    JOIN (SELECT unnest($names) AS name, unnest($days) AS column_name) USING (name, column_name)
),
ends AS (
    SELECT data_file_id, max_value FROM {_OF}.ducklake_file_column_stats
    JOIN days USING (table_id, column_id)
)
SELECT name, coalesce(sum(record_count), 0)::BIGINT AS rows, max(max_value)::DATE AS newest
FROM tables LEFT JOIN files USING (table_id) LEFT JOIN ends USING (data_file_id)
WHERE list_contains($names, name) GROUP BY name
"""


@dataclass(frozen=True)
class TableContent:
    """What a table holds.

    Attributes:
        rows: how many.
        newest: the newest day by which they are stored; None if there are no rows or no days.
    """

    rows: int
    newest: date | None


def read_contents(lake: Lake, tables: Sequence[Table]) -> dict[Table, TableContent]:
    """What tables hold that were ever written, in the order given.

    Raises:
        LakeError: the lake cannot be read, or one of the tables was never written.
    """
    if not tables:
        return {}
    names = [table.name for table in tables]
    with lake.at_once() as snapshot:
        parameters = {"at": snapshot, "names": names, "days": [one.day_column for one in tables]}
        known = lake.arrow(_CATALOGUE, parameters).to_pylist()
        others = set(names) - {row["name"] for row in known}
        if others:
            read = (_summary(table) for table in tables if table.name in others)
            known += lake.arrow(" UNION ALL ".join(read)).to_pylist()
    found = {row["name"]: TableContent(row["rows"], row["newest"]) for row in known}
    return {table: found[table.name] for table in tables}


def _summary(table: Table) -> str:
    day = f'max("{table.day_column}")' if table.day_column else "NULL::DATE"
    return f"SELECT '{table.name}' AS name, count(*) AS rows, {day} AS newest FROM {table.quoted}"

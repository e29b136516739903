"""What DuckDB says of a statement, in the platform's words.

Which statements may run is decided in ``sql_guard``.
"""

import re

import duckdb

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.table import Table, Writer
from quant_assets.models.registry import FAMILIES

_MISSING = re.compile(r'Table with name "?(?P<name>[\w.]+)"? does not exist')
_WRITTEN: dict[Writer, str] = {
    "load": "`quant-assets load` writes it",
    "bars": "`quant-assets load` writes it, where the source delivers bars within the day",
    "imputation": "`quant-assets load` writes it, where `market.yaml` says so with `imputation`",
    "sources": "`quant-assets load` writes it, where the market has several sources",
    "revise": "`quant-assets revise` writes it, when the source has changed days that are stored",
    "retrain": "the job retrain_models writes it, which `quant-assets ui` shows",
    "study": "`quant-assets tune` writes it",
    "watch": "the job watch_daily writes it, which `quant-assets ui` shows",
    "no_asset": "it is written when there is something to record, by no job of its own",
}


def explain_error(text: str, error: duckdb.Error) -> LakeError:
    """Return the error to raise for a text of statements that DuckDB refused.

    Args:
        text: the statements.
        error: what DuckDB said.
    """
    if table := _find_unwritten(text, error):
        return LakeError(
            "nothing has been stored in the table yet",
            where=f"{table.name}: {table.description}",
            hint=_say_writer(table),
        )
    return LakeError(
        "the statement cannot be run",
        where=text.strip(),
        found=str(error),
        hint="`quant-assets tables` lists what there is: a table with a dash for rows was never"
        " written and cannot be read yet; `--read PATH` opens a file or folder of yours",
    )


def _find_unwritten(text: str, error: duckdb.Error) -> Table | None:
    """Return the declared table of the text that DuckDB does not find; None for any other error."""
    missing = _MISSING.search(str(error))
    if missing is None:
        return None
    # DuckDB leaves out the schema where it exists.
    name = missing["name"].rsplit(".", 1)[-1].lower()
    tables = (table for table in declared_tables(FAMILIES) if table.key[1] == name)
    return next((table for table in tables if _is_named(table, text)), None)


def _say_writer(table: Table) -> str:
    family = table.key[1]
    if family in FAMILIES:
        # A load writes the tables of the market's families.
        return f"`quant-assets walk-forward --families NAMES` writes it, with {family} among them"
    return _WRITTEN[table.written_by]


def _is_named(table: Table, text: str) -> bool:
    schema, name = map(re.escape, table.key)
    return bool(re.search(rf'\b{schema}"?\s*\.\s*"?{name}\b', text, re.I))

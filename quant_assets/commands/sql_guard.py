"""What a console may run: statements that read, on a connection that opens no further files.

DuckDB reads the lake's files from folders that it may write to as well. A read-only lake and locked
settings are therefore not enough: statements are checked before DuckDB runs them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from quant_assets.core.errors import LakeError
from quant_assets.lake.store.connection import FILES, connect

_FUNCTIONS = re.compile(
    """
    range | generate_series | unnest | repeat | repeat_row | summary | test_all_types
    | json_each | json_tree | histogram | histogram_values | icu_calendar_names | pg_timezone_names
    | glob | sniff_csv | parquet_scan
    | read_(parquet | text | blob | csv(_auto)? | (nd)?json(_objects)?(_auto)?)
    | parquet_(bloom_probe | metadata | file_metadata | full_metadata | kv_metadata | schema)
    | duckdb_(columns | constraints | databases | extensions | functions | indexes | keywords
        | memory | schemas | settings | tables | temporary_files | types | views)
    | pragma_(database_size | platform | show | storage_info | table_info | version)
    | (ducklake_)?((current | last_committed)_snapshot | snapshots | options | settings
        | table_(changes | deletions | info | insertions))
    | ducklake_list_files
    """,
    re.VERBOSE,
)
"""Table functions that write nothing. Others, such as ``enable_logging``, write files."""
_NAME = r'(?:\w+|"[^"]+")'
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE\b)?(\s*\((\s*(ANALYZE|FORMAT\s+\w+)\s*,?)+\))?", re.I)
_TEMPORARY = re.compile(
    rf"\s*CREATE(\s+OR\s+REPLACE)?\s+TEMP(ORARY)?\s+(VIEW|TABLE)\s+{_NAME}\s+AS\b", re.I
)
_MACRO = re.compile(
    rf"\s*CREATE(\s+OR\s+REPLACE)?\s+TEMP(ORARY)?\s+MACRO\s+{_NAME}\s*\([^()]*\)\s*AS\b", re.I
)
_PIVOT = re.compile(r"\s*PIVOT\b", re.I)
_ON = re.compile(r"\bON\b", re.I)
_CLAUSES = re.compile(r"\b(FROM|JOIN|SELECT|TABLE)\b|;", re.I)


def open_reader(
    root: Path, snapshot: int | None = None, readable: Sequence[Path] = ()
) -> duckdb.DuckDBPyConnection:
    """Open a connection on the lake that reaches no other files and keeps its settings.

    Args:
        root: folder of the lake.
        snapshot: id of the snapshot to show; None shows the newest.
        readable: files and folders that statements may read besides the lake.

    Raises:
        LakeError: there is no lake, it cannot be opened, or ``readable`` names what is not there.
    """
    folders = [f"{root / FILES}/"]
    files = []
    for path in readable:
        if not path.exists():
            raise LakeError(
                "there is no such file or folder to read",
                where=str(path),
                hint="--read takes the path of a file or folder that exists",
            )
        absolute = path.resolve()
        if path.is_dir():
            folders.append(f"{absolute}/")
        else:
            files.append(str(absolute))
    connection = connect(root, read_only=True, snapshot=snapshot)
    for setting in (
        "python_enable_replacements = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        f"allowed_directories = {_to_list(folders)}",
        f"allowed_paths = {_to_list(files)}",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def split_statements(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """Return the statements of a text, each of which only reads.

    Temporary views, tables and macros pass: they live in memory and end with the connection.

    Args:
        connection: from :func:`open_reader`.
        text: SQL, statements separated by semicolons.

    Raises:
        LakeError: a statement does not only read.
        duckdb.Error: the text is no SQL.
    """
    statements = connection.extract_statements(text)
    # DuckDB splits a PIVOT over the values of a column into statements without a text.
    alone = not all(statement.query.strip() for statement in statements)
    texts = [text.strip().rstrip(";")] if alone else [each.query for each in statements]
    for each in texts:
        _require_reading(connection, each)
    return texts


def _require_reading(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    if (selected := _find_select(connection, text)) is None:
        raise _refuse(text, "a statement that only reads", _first_words(text))
    for name in _find_functions(_parse(connection, selected)):
        if not _FUNCTIONS.fullmatch(name):
            raise _refuse(text, "table functions that only read", f"{name}()")


def _find_select(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Return the SELECT that holds all table functions of a statement; None if it may write."""
    if explained := _EXPLAIN.match(text):
        return _find_select(connection, text[explained.end() :])
    if _PIVOT.match(text):
        return _find_pivoted(connection, text) or _if_select(connection, text)
    if stored := _TEMPORARY.match(text):
        return _if_select(connection, text[stored.end() :])
    if macro := _MACRO.match(text):
        return _if_select(connection, f"SELECT {text[macro.end() :]}")
    return _if_select(connection, text)


def _find_pivoted(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Return what a PIVOT reads, as a SELECT; the rest of the statement has no FROM clause."""
    begin = _PIVOT.match(text)
    for on in _ON.finditer(text):
        source = f"FROM {text[begin.end() if begin else 0 : on.start()]}"
        if _if_select(connection, source) and not _CLAUSES.search(text, on.end()):
            return source
    return None


def _if_select(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    return text if len(_parse(connection, text).get("statements", ())) == 1 else None


def _parse(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    """Return DuckDB's syntax tree of a SELECT; one without statements of everything else."""
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    return tree


def _find_functions(node: Any) -> Iterator[str]:
    """Yield the names of all table functions below a node of a syntax tree."""
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"]["function_name"]).lower()
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _find_functions(child)


def _first_words(text: str) -> str:
    return " ".join(text.split()[:3])


def _refuse(text: str, expected: str, found: str) -> LakeError:
    return LakeError(
        "the console only reads",
        where=text.strip(),
        expected=expected,
        found=found,
        hint="use SELECT, FROM, WITH, PIVOT ... ON, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN, or CREATE"
        " TEMP VIEW, TABLE or MACRO; `quant-assets sql --output FILE` writes rows to a file, and"
        " `quant-assets snapshot FILE` copies the lake",
    )


def _to_list(paths: Sequence[str]) -> str:
    quoted = ("'" + path.replace("'", "''") + "'" for path in paths)
    return f"[{', '.join(quoted)}]"

"""SQL on the lake from the command line: one text of statements, or a prompt.

What a statement may do is decided in ``sql_guard``.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.csv

from quant_assets.commands.sql_guard import open_reader, split_statements
from quant_assets.core.errors import LakeError

Format = Literal["table", "csv", "json"]
_GREETING = "Statements end with a semicolon; SHOW ALL TABLES lists what there is; Ctrl-D ends."
_PROMPT, _CONTINUED = "lake> ", "  ... "


def run_sql(
    root: Path,
    text: str,
    how: Format,
    *,
    snapshot: int | None = None,
    readable: Sequence[Path] = (),
) -> str:
    """Run statements that only read on the lake, and return the last one's result as text.

    Args:
        root: folder of the lake.
        text: SQL, statements separated by semicolons.
        how: a drawn table, CSV or JSON.
        snapshot: id of the snapshot of the lake to show; None shows the newest.
        readable: files and folders that statements may read besides the lake.

    Raises:
        LakeError: a statement does not only read, or DuckDB refuses it.
    """
    connection = open_reader(root, snapshot, readable)
    try:
        return run_statements(connection, text, how)
    finally:
        connection.close()


def run_prompt(root: Path, *, snapshot: int | None = None, readable: Sequence[Path] = ()) -> bool:
    """Read statements from the terminal until its end, and print their results.

    A statement may take several lines. What is wrong with one is printed, and the next is read.

    Args:
        root: folder of the lake.
        snapshot: id of the snapshot of the lake to show; None shows the newest.
        readable: files and folders that statements may read besides the lake.

    Returns:
        Whether every statement could be run; True where a person typed them at a terminal.

    Raises:
        LakeError: the lake cannot be opened.
    """
    connection = open_reader(root, snapshot, readable)
    try:
        return _converse(connection)
    finally:
        connection.close()


def _converse(connection: duckdb.DuckDBPyConnection) -> bool:
    shown = sys.stdin.isatty()
    if shown:
        # It gives input() its editing and its history.
        import readline  # noqa: F401

        sys.stdout.write(f"{_GREETING}\n")
    good, text = True, ""
    while True:
        try:
            text += input((_CONTINUED if text else _PROMPT) if shown else "") + "\n"
            if not text.strip():
                text = ""
            elif not _is_complete(connection, text):
                continue
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            text = ""
        except EOFError:
            return (_answer(connection, text) and good) or shown
        good, text = _answer(connection, text) and good, ""


def _is_complete(connection: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether a text ends with a semicolon that is not part of a string or a comment."""
    if not text.rstrip().endswith(";"):
        return False
    try:
        connection.extract_statements(text)
    except duckdb.Error as error:
        return "unterminated" not in str(error)
    return True


def _answer(connection: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Print the result of statements, or what is wrong with them; return whether they were run."""
    try:
        sys.stdout.write(run_statements(connection, text, "table") if text.strip() else "")
    except (LakeError, KeyboardInterrupt) as error:
        sys.stderr.write(f"{str(error) or 'interrupted'}\n")
        return False
    finally:
        sys.stdout.flush()
    return True


def run_statements(connection: duckdb.DuckDBPyConnection, text: str, how: Format) -> str:
    """Run statements that only read, and return the last one's result as text.

    Args:
        connection: from ``open_reader``.
        text: SQL, statements separated by semicolons.
        how: a drawn table, CSV or JSON.

    Raises:
        LakeError: a statement does not only read, or DuckDB refuses it; none runs after it.
        KeyboardInterrupt: the user has interrupted a statement.
    """
    try:
        # DuckDB looks for Ctrl-C only now and then, so this thread waits for it.
        with ThreadPoolExecutor(1) as other_thread:
            answer = other_thread.submit(_run_statements, connection, text, how)
            try:
                return answer.result()
            except KeyboardInterrupt:
                connection.interrupt()
                raise
    except duckdb.Error as error:
        raise LakeError(
            "the statement cannot be run",
            where=text.strip(),
            found=str(error),
            hint="`quant-assets tables` lists what there is: a table with a dash for rows was never"
            " written and cannot be read yet; `--read PATH` opens a file or folder of yours",
        ) from error


def _run_statements(connection: duckdb.DuckDBPyConnection, text: str, how: Format) -> str:
    relation = None
    for statement in split_statements(connection, text):
        relation = connection.sql(statement)
    if relation is None:
        return ""
    return _draw(relation) if how == "table" else _to_text(relation.to_arrow_table(), how)


def _draw(relation: duckdb.DuckDBPyRelation) -> str:
    if relation.columns == ["explain_key", "explain_value"]:
        return "\n".join(value for _, value in relation.fetchall()) + "\n"
    return f"{relation}\n"


def _to_text(rows: pa.Table, how: Format) -> str:
    if how == "json":
        return json.dumps(rows.to_pylist(), default=str, indent=1) + "\n"
    for i, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):
            cells = [json.dumps(cell, default=str) for cell in rows.column(i).to_pylist()]
            rows = rows.set_column(i, field.name, pa.array(cells, pa.string()))
    buffer = pa.BufferOutputStream()
    pa.csv.write_csv(rows, buffer)
    text: str = buffer.getvalue().to_pybytes().decode()
    return text

"""SQL on the lake from the command line: one text of statements, or a prompt.

What a statement may do is decided in ``sql_guard``.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from quant_assets.commands.console import is_replaced
from quant_assets.commands.sql_errors import explain_error
from quant_assets.commands.sql_guard import open_reader, split_statements
from quant_assets.core.errors import LakeError, UnknownNameError

Format = Literal["table", "csv", "json", "parquet"]
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "table",
}
_GREETING = "Statements end with a semicolon; SHOW ALL TABLES lists what there is; Ctrl-D ends."
_PROMPT, _CONTINUED = "lake> ", "  ... "


def choose_format(asked: Format | None, output: Path | None) -> Format:
    """Return how rows are written: as asked, or else as the name of the file ends.

    Without either, a table is drawn: in the terminal, and to a device, a pipe or a link.

    Args:
        asked: the format that the user asks for; None leaves it to the file's name.
        output: the file; None for the terminal.

    Raises:
        UnknownNameError: the name of a regular file has no ending that says how to write the rows;
            or bytes would go to a terminal.
    """
    if output is None and asked == "parquet" and sys.stdout.isatty():
        raise UnknownNameError(
            "a terminal shows no Parquet", expected="--output FILE, or a pipe", found="a terminal"
        )
    if asked or output is None:
        return asked or "table"
    if ending := _ENDINGS.get(output.suffix.lower()):
        return ending
    if is_replaced(output):
        raise UnknownNameError(
            "the file's name does not say how to write the rows",
            where=str(output),
            expected=f"a name that ends in {', '.join(_ENDINGS)}",
            found=output.suffix or "no ending",
            hint=f"--format {', '.join(get_args(Format))} writes to a file of any name",
        )
    return "table"


def run_sql(
    root: Path,
    text: str,
    how: Format,
    *,
    snapshot: int | None = None,
    readable: Sequence[Path] = (),
) -> bytes:
    """Run statements that only read on the lake, and return the last one's result.

    Args:
        root: folder of the lake.
        text: SQL, statements separated by semicolons.
        how: a drawn table, CSV, JSON or Parquet.
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
        if text.strip():
            sys.stdout.write(run_statements(connection, text, "table").decode())
    except (LakeError, KeyboardInterrupt) as error:
        sys.stderr.write(f"{str(error) or 'interrupted'}\n")
        return False
    finally:
        sys.stdout.flush()
    return True


def run_statements(connection: duckdb.DuckDBPyConnection, text: str, how: Format) -> bytes:
    """Run statements that only read, and return the last one's result; text is UTF-8.

    Args:
        connection: from ``open_reader``.
        text: SQL, statements separated by semicolons.
        how: a drawn table, CSV, JSON or Parquet.

    Raises:
        LakeError: a statement does not only read, or DuckDB refuses it; none runs after it. Or the
            format has no place for a column's type.
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
        raise explain_error(text, error) from error
    except pa.ArrowException as error:
        raise LakeError(
            f"the rows cannot be written as {how}",
            where=text.strip(),
            found=str(error),
            hint="cast the column, for example with ::VARCHAR, or choose another --format",
        ) from error


def _run_statements(connection: duckdb.DuckDBPyConnection, text: str, how: Format) -> bytes:
    relation = None
    for statement in split_statements(connection, text):
        relation = connection.sql(statement)
    if relation is None:
        return b""
    return _draw(relation).encode() if how == "table" else _write(relation.to_arrow_table(), how)


def _draw(relation: duckdb.DuckDBPyRelation) -> str:
    if relation.columns == ["explain_key", "explain_value"]:
        return "\n".join(value for _, value in relation.fetchall()) + "\n"
    return f"{relation}\n"


def _write(rows: pa.Table, how: Format) -> bytes:
    if how == "json":
        return (json.dumps(rows.to_pylist(), default=str, indent=1) + "\n").encode()
    buffer = pa.BufferOutputStream()
    if how == "parquet":
        pa.parquet.write_table(rows, buffer)
    else:
        pa.csv.write_csv(_flatten(rows), buffer)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def _flatten(rows: pa.Table) -> pa.Table:
    """Return the rows with nested cells as JSON: CSV has no place for them."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):
            cells = [json.dumps(cell, default=str) for cell in rows.column(i).to_pylist()]
            rows = rows.set_column(i, field.name, pa.array(cells, pa.string()))
    return rows

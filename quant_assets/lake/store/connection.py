"""Opening the lake: DuckDB with DuckLake on a SQLite catalogue.

Tables and transactions are in ``lake.store.lake``.
"""

import atexit
import os
import shutil
import sqlite3
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import duckdb
from filelock import FileLock

from quant_assets.core.errors import LakeError

CATALOGUE = "catalogue.sqlite"
FILES = "files"
_EXTENSIONS = {
    "ducklake": "duckdb_extension_ducklake",
    "sqlite_scanner": "duckdb_extension_sqlite_scanner",
}


def extension_file(name: str) -> Path | None:
    """Return the binary of an extension in its installed wheel.

    Returns None if no wheel for this version of DuckDB is installed.
    """
    package = _EXTENSIONS[name]
    if find_spec(package) is None:
        return None
    folder = Path(str(import_module(package).__file__)).parent
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return file if file.exists() else None


def connect(
    root: Path, *, read_only: bool = False, snapshot: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection whose default catalogue is the lake.

    Args:
        root: folder of the lake; it is created if it is missing, unless ``read_only``.
        read_only: refuse writes.
        snapshot: id of the snapshot to show, with ``read_only``; None shows the newest.

    Raises:
        LakeError: an extension is missing, the lake cannot be opened, or the snapshot has expired.
    """
    connection = duckdb.connect()
    try:
        _load_extensions(connection)
        if not read_only:
            _create(root, connection)
        elif not (root / CATALOGUE).exists():
            raise LakeError(
                "there is no lake yet",
                where=str(root),
                hint="run `make demo` or `quant-assets load` first, or set QUANT_DATA_DIR",
            )
        _open(connection, root, read_only=read_only, snapshot=snapshot)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_copy(root: Path, catalogue: Path) -> duckdb.DuckDBPyConnection:
    """Open a copy of a catalogue with the files of its lake, for reading only.

    Args:
        root: folder of the lake.
        catalogue: the copy, which may lie elsewhere.

    Raises:
        LakeError: an extension is missing, or the lake cannot be opened.
    """
    connection = duckdb.connect()
    try:
        _load_extensions(connection)
        _attach(connection, root, read_only=True, catalogue=catalogue)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(
    connection: duckdb.DuckDBPyConnection, root: Path, *, read_only: bool, snapshot: int | None
) -> None:
    """Open the lake, for a reader without permission to write as well.

    SQLite writes beside a catalogue even to read it, unless another process has it open. Such a
    reader opens a copy of the catalogue, and the lake's own files.
    """
    try:
        _attach(connection, root, read_only=read_only, snapshot=snapshot)
    except LakeError:
        if not read_only or os.access(root, os.W_OK):
            raise
        copy = _copy_catalogue(root)
        _attach(connection, root, read_only=True, catalogue=copy, snapshot=snapshot)


def _copy_catalogue(root: Path) -> Path:
    """Copy the catalogue to a temporary folder, which ends with this process."""
    folder = Path(mkdtemp(prefix="quant_assets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        for name in (CATALOGUE, f"{CATALOGUE}-wal"):
            if (root / name).exists():
                shutil.copyfile(root / name, folder / name)
    except OSError as error:
        raise _cannot_open(root, error) from error
    return folder / CATALOGUE


def _load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    for name, package in _EXTENSIONS.items():
        file = extension_file(name)
        try:
            if file is None:
                connection.install_extension(name)
                connection.load_extension(name)
            else:
                connection.load_extension(str(file))
        except duckdb.Error as error:
            wheel = package.replace("_", "-")
            raise LakeError(
                f"DuckDB's extension {name} cannot be loaded",
                expected=f"the wheel {wheel}=={duckdb.__version__}",
                found=str(error),
                hint=f"pip install {wheel}=={duckdb.__version__}",
            ) from error


def _create(root: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the catalogue in WAL mode if it is missing.

    Setting the mode later causes lock errors. A lock file keeps two processes from both creating
    the catalogue, which appears under its name only when it is complete.
    """
    if (root / CATALOGUE).exists():
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / "create.lock"):
            if (root / CATALOGUE).exists():
                return
            draft = root / "draft.sqlite"
            for leftover in root.glob("draft.sqlite*"):
                leftover.unlink()
            catalogue = sqlite3.connect(draft)
            catalogue.execute("PRAGMA journal_mode=WAL")
            catalogue.close()
            _attach(connection, root, read_only=False, catalogue=draft)
            connection.execute("USE memory; DETACH lake")
            draft.rename(root / CATALOGUE)
    except (OSError, duckdb.Error) as error:
        raise _cannot_open(root, error) from error


def _attach(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    *,
    read_only: bool,
    catalogue: Path | None = None,
    snapshot: int | None = None,
) -> None:
    """Open the lake below ``root``, or a ``catalogue`` elsewhere, and make it the default.

    Rows always go to Parquet, never into the catalogue, which would be slower. DuckLake 1.0 can
    also show deleted rows again where deletions in the catalogue and in files meet
    (duckdb/ducklake#1084).
    """
    # ATTACH takes no bound parameters; a quote in a path is doubled.
    source = str(catalogue or root / CATALOGUE).replace("'", "''")
    files = str(root / FILES).replace("'", "''")
    mode = ", READ_ONLY" if read_only else ""
    mode += f", SNAPSHOT_VERSION {snapshot:d}" if snapshot is not None else ""
    attach = (
        f"ATTACH 'ducklake:sqlite:{source}' AS lake"
        f" (DATA_PATH '{files}', OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT 0,"
        f" META_BUSY_TIMEOUT 2000{mode})"
    )
    try:
        connection.execute(attach)
        connection.execute("USE lake")
    except duckdb.Error as error:
        if snapshot is not None and "snapshot" in str(error).lower():
            raise LakeError(
                "the snapshot cannot be read any more",
                where=str(root),
                expected="a snapshot within the retention (QUANT_RETENTION_DAYS)",
                found=snapshot,
                hint="`FROM ducklake_snapshots('lake')` lists those there are",
            ) from error
        raise _cannot_open(root, error) from error


def _cannot_open(root: Path, error: Exception) -> LakeError:
    return LakeError(
        "the lake cannot be opened",
        where=str(root),
        found=str(error).splitlines()[0],
        hint="check permissions and free disk space; `quant-assets doctor` tells more",
    )

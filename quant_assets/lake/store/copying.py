"""Copies of a lake that lie elsewhere and are read there.

A copy holds the newest snapshot. Writers wait while it is made; readers go on.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

import duckdb
from filelock import FileLock

from quant_assets.core.errors import LakeError
from quant_assets.lake.store.access import LakeAccess
from quant_assets.lake.store.connection import CATALOGUE, FILES
from quant_assets.lake.store.frozen import copy_catalogue
from quant_assets.lake.store.maintenance import maintain

_TABLES = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake'"
_PATIENCE = 300.0


def copy_lake(root: Path, target: Path, leave_out: Collection[str] = ()) -> None:
    """Copy the newest snapshot of a lake.

    Args:
        root: folder of the lake.
        target: folder of the copy, which must not exist.
        leave_out: schemas whose tables the copy lacks.

    Raises:
        LakeError: there is no lake, the target exists, or the copy did not come through.
    """
    if not (root / CATALOGUE).exists():
        raise LakeError(
            "there is no lake yet", where=str(root), hint="run `quant-assets load` first"
        )
    if target.exists():
        raise LakeError("the folder of the copy exists already", where=str(target))
    target.mkdir(parents=True)
    try:
        with FileLock(root / "write.lock", _PATIENCE):
            copy_catalogue(root, target / CATALOGUE)
            shutil.copytree(root / FILES, target / FILES)
    except OSError as error:
        raise LakeError(
            "the lake cannot be copied", where=f"{root} to {target}", found=str(error)
        ) from error
    access = LakeAccess(target, read_only=False, snapshot=None, patience=_PATIENCE)
    try:
        access.alone("the copy", lambda cursor: _drop_tables(cursor, leave_out))
        maintain(access, retention_days=0)
    finally:
        access.close()
    for lock in target.glob("*.lock"):
        lock.unlink()


def _drop_tables(cursor: duckdb.DuckDBPyConnection, schemas: Collection[str]) -> None:
    for schema, name in cursor.execute(_TABLES).fetchall():
        if schema in schemas:
            cursor.execute(f'DROP TABLE "{schema}"."{name}"')

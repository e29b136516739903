"""Where MLflow looks for artifacts: below its store, wherever the store lies now.

MLflow records absolute addresses and has no means to change one. After its data directory was
moved, copied or archived, it would read and write in the former place, which may hold another
market by then. No other module knows the tables of MLflow's database.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
_RECORDED = "SELECT artifact_location FROM experiments WHERE name = ?"
# Addresses elsewhere, which a user may have chosen, stay.
_UPDATE = """
    UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1)
    WHERE {column} = :old OR substr({column}, 1, length(:old) + 1) = :old || '/'
"""


def make_locations_current(
    database: Path, artifacts: Path, experiment: str, patience: float
) -> None:
    """Let MLflow's records name the folder of artifacts that lies beside the database.

    Nothing is written if they name it already, or if there is no such experiment yet.

    Args:
        database: MLflow's database, which exists.
        artifacts: folder of the artifacts.
        experiment: name of an experiment whose artifacts were always kept in that folder.
        patience: seconds to wait for other processes that write.

    Raises:
        sqlite3.Error: the database cannot be read; or it was moved and cannot be written.
    """
    new = artifacts.as_uri()
    with closing(sqlite3.connect(database, timeout=patience)) as connection:
        recorded = connection.execute(_RECORDED, [experiment]).fetchone()
        if recorded is None or recorded[0] == new:
            return
        with connection:
            for table, column in _COLUMNS:
                update = _UPDATE.format(table=table, column=column)
                connection.execute(update, {"old": recorded[0], "new": new})

"""The index of a vendor's kept answers: a SQLite file, whose transactions survive a kill."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant_assets.core.errors import SourceError

_INDEX = "responses.sqlite"
_WAIT_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS responses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, dataset TEXT NOT NULL,
    url TEXT NOT NULL, at TEXT NOT NULL, status INTEGER NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, problem TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_dataset ON responses (source, dataset, problem, id);
CREATE TABLE IF NOT EXISTS refreshes (source TEXT PRIMARY KEY, at TEXT NOT NULL,
    problem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS readings (source TEXT NOT NULL, symbol TEXT NOT NULL,
    is_whole INTEGER NOT NULL, asked_for TEXT NOT NULL, start TEXT NOT NULL, at TEXT NOT NULL,
    pages TEXT NOT NULL, PRIMARY KEY (source, symbol, is_whole));
CREATE TABLE IF NOT EXISTS failures (source TEXT NOT NULL, symbol TEXT NOT NULL, at TEXT NOT NULL,
    problem TEXT NOT NULL, PRIMARY KEY (source, symbol));
"""


@dataclass(frozen=True)
class AnswerIndex:
    """The index in a folder. Several processes may use it at once.

    Attributes:
        folder: the folder; it is made when something is written first.
    """

    folder: Path

    def query(self, sql: str, values: Sequence[object]) -> list[Any]:
        """Return the rows of a query; none if nothing was written yet.

        Raises:
            SourceError: they cannot be read.
        """
        if not (self.folder / _INDEX).exists():
            return []
        with self.write() as index:
            return index.execute(sql, values).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open the index for one transaction, which a failure undoes.

        Raises:
            SourceError: it cannot be written.
        """
        with self.explain():
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / _INDEX, timeout=_WAIT_S)) as index:
                index.executescript(_TABLES)
                with index:
                    yield index

    @contextmanager
    def explain(self) -> Iterator[None]:
        """Turn errors of the disk and of SQLite into errors of the source.

        Raises:
            SourceError: the context raised such an error.
        """
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SourceError(
                "kept answers of a vendor cannot be read or written",
                where=str(self.folder),
                expected="a folder that this user may write, with room on its disk",
                found=str(error),
                hint="check permissions and disk; if the index is damaged, delete the folder: its "
                "answers are asked for again",
            ) from error

"""What vendors answered, kept as it came: bodies by their sha256, and a record of each answer.

The records are rows of the SQLite file in ``answer_index``. What the bodies mean belongs in the
modules of the vendors.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from quant_assets.core.errors import SourceError
from quant_assets.core.files import write_atomically
from quant_assets.sources.http.answer_index import AnswerIndex
from quant_assets.sources.http.requests import Answer

_COLUMNS = "id, source, dataset, url, at, status, sha256, size, problem"


@dataclass(frozen=True)
class ResponseRecord:
    """A row about one answer.

    Attributes:
        id: number of the answer, ascending in time.
        source: name of the source that asked.
        dataset: what it asked for.
        url: the address, without credentials.
        at: moment of the answer, UTC.
        status: HTTP status.
        sha256: digest of the body, which names its file.
        size: bytes of the body.
        problem: why the answer was refused; empty if it was accepted.
    """

    id: int
    source: str
    dataset: str
    url: str
    at: datetime
    status: int
    sha256: str
    size: int
    problem: str


@dataclass(frozen=True)
class Refresh:
    """The newest attempt of a source to bring its answers up to date.

    Attributes:
        at: its moment, UTC.
        problem: why it failed; empty if it succeeded.
    """

    at: datetime
    problem: str


@dataclass(frozen=True)
class ResponseStore:
    """Answers in a folder. Several processes may use it at once.

    Attributes:
        folder: the folder; it is made when the first answer is kept.
    """

    folder: Path

    @property
    def index(self) -> AnswerIndex:
        """The index of the answers."""
        return AnswerIndex(self.folder)

    def keep(self, source: str, dataset: str, answer: Answer, problem: str = "") -> None:
        """Keep an answer: first the body, then the record.

        Args:
            source: name of the source that asked.
            dataset: what it asked for.
            answer: the answer.
            problem: why it is refused; empty if it is accepted.

        Raises:
            SourceError: it cannot be written.
        """
        digest = hashlib.sha256(answer.body).hexdigest()
        with self.index.write() as index:
            write_atomically(self._body(digest), answer.body)
            index.execute(
                "INSERT INTO responses (source, dataset, url, at, status, sha256, size, problem) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(source, dataset, answer.url, answer.at.isoformat()),
                    *(answer.status, digest, len(answer.body), problem),
                ),
            )

    def accepted(
        self, source: str, dataset: str, since: datetime | None = None
    ) -> tuple[ResponseRecord, ...]:
        """Return the records of accepted answers with a body, oldest first.

        Args:
            source: name of the source.
            dataset: what was asked for.
            since: first moment, UTC; None for all.

        Raises:
            SourceError: they cannot be read.
        """
        return self._select(
            "WHERE source = ? AND dataset = ? AND problem = '' AND size > 0 AND at >= ?",
            (source, dataset, since.isoformat() if since else ""),
        )

    def newest(self, source: str, dataset: str) -> ResponseRecord | None:
        """Return the record of the newest accepted answer with a body; None if there is none.

        Raises:
            SourceError: it cannot be read.
        """
        rows = self._select(
            "WHERE id = (SELECT max(id) FROM responses WHERE source = ? AND dataset = ? "
            "AND problem = '' AND size > 0)",
            (source, dataset),
        )
        return rows[0] if rows else None

    def records(self) -> tuple[ResponseRecord, ...]:
        """Return the records of all answers, oldest first.

        Raises:
            SourceError: they cannot be read.
        """
        return self._select("", ())

    def read(self, record: ResponseRecord) -> bytes:
        """Read the body of an answer.

        Raises:
            SourceError: the file is missing or damaged.
        """
        return self.read_body(record.sha256)

    def read_body(self, sha256: str) -> bytes:
        """Read the body of an answer by its digest.

        Raises:
            SourceError: the file is missing or damaged.
        """
        file = self._body(sha256)
        with self.index.explain():
            body = file.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        if digest == sha256:
            return body
        raise SourceError(
            "a kept answer is damaged",
            where=str(file),
            expected=sha256,
            found=digest,
            hint=f"delete the folder {self.folder}: its answers are asked for again",
        )

    def note_refresh(self, source: str, refresh: Refresh) -> None:
        """Store the newest refresh of a source.

        Raises:
            SourceError: it cannot be written.
        """
        with self.index.write() as index:
            index.execute(
                "INSERT OR REPLACE INTO refreshes (source, at, problem) VALUES (?, ?, ?)",
                (source, refresh.at.isoformat(), refresh.problem),
            )

    def last_refresh(self, source: str) -> Refresh | None:
        """Return the newest refresh of a source; None before the first.

        Raises:
            SourceError: it cannot be read.
        """
        rows = self.index.query("SELECT at, problem FROM refreshes WHERE source = ?", (source,))
        return Refresh(datetime.fromisoformat(rows[0][0]), rows[0][1]) if rows else None

    def _select(self, where: str, values: Sequence[object]) -> tuple[ResponseRecord, ...]:
        rows = self.index.query(f"SELECT {_COLUMNS} FROM responses {where} ORDER BY id", values)
        return tuple(map(_to_record, rows))

    def _body(self, digest: str) -> Path:
        return self.folder / "bodies" / digest[:2] / digest


def _to_record(row: Sequence[Any]) -> ResponseRecord:
    values = [*row[:4], datetime.fromisoformat(row[4]), *row[5:]]
    return ResponseRecord(*values)

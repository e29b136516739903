"""Rows of the audit: their form in a journal, and the move from journals into the lake.

A journal is a file of JSON lines that one server appends to, in ``access.journal``. A server locks
its journal until it has closed it, or has died; then any process may move its rows into the lake.
"""

import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec

from quant_assets.lake.schemas.access_tables import AUDIT
from quant_assets.lake.schemas.table import to_arrow
from quant_assets.lake.store.changes import Change
from quant_assets.lake.store.lake import Lake

PATTERN = "*.jsonl"
"""Names of journals; a journal is locked before it gets such a name."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AuditRow:
    """A request that asked for a prediction or an operation.

    Attributes:
        moment: when it arrived, UTC.
        key_id: id of its key; empty for a caller of this machine.
        operation: method and route.
        path: path that was asked for.
        input_sha256: digest of the request's body.
        release: release that answered; empty where none did.
        answer_sha256: digest of the answer's body.
        status: HTTP status of the answer.
        seconds: time from its arrival to its answer.
        id: random id, by which a row is never stored twice.
    """

    moment: datetime
    key_id: str
    operation: str
    path: str
    input_sha256: str
    release: str
    answer_sha256: str
    status: int
    seconds: float
    id: str = field(default_factory=lambda: uuid4().hex)


_DECODER = msgspec.json.Decoder(AuditRow)


def encode_row(row: AuditRow) -> bytes:
    """Return the line of a row in a journal."""
    return msgspec.json.encode(row) + b"\n"


def move_journals(lake: Lake, folder: Path) -> int:
    """Move the rows of every journal that no server holds into the lake.

    A process may be killed at any moment, and several processes may move at once: a row that the
    lake has already is replaced by itself, and a journal is deleted only after its rows are stored.

    Args:
        lake: takes the rows, in one transaction.
        folder: folder of the journals; it need not exist.

    Returns:
        The number of moved rows.

    Raises:
        LakeError: the write did not come through. The journals stay.
    """
    with ExitStack() as held:
        files = [file for file in _list_journals(folder) if held.enter_context(_hold(file))]
        rows = [row for file in files for row in _read_rows(file)]
        if rows:
            lake.change(_store(rows))
        for file in files:
            file.unlink(missing_ok=True)
    return len(rows)


def read_audit(lake: Lake, folder: Path, count: int) -> list[AuditRow]:
    """Read the newest rows, newest first, whether they are in the lake yet or in a journal.

    Args:
        lake: holds the moved rows.
        folder: folder of the journals; it need not exist.
        count: how many rows to return at most.
    """
    waiting = [row for file in _list_journals(folder) for row in _read_rows(file)]
    # The lake is read after the journals: a row that moves meanwhile is met twice, never missed.
    stored: list[dict[str, Any]] = []
    if lake.has(AUDIT):
        stored = lake.arrow(
            f"SELECT * FROM {AUDIT.quoted} ORDER BY moment DESC, id LIMIT ?", [count]
        ).to_pylist()
    rows = {row.id: row for row in [*waiting, *(AuditRow(**row) for row in stored)]}
    return sorted(rows.values(), key=lambda row: row.moment, reverse=True)[:count]


def _list_journals(folder: Path) -> list[Path]:
    return sorted(folder.glob(PATTERN))


@contextmanager
def _hold(file: Path) -> Iterator[bool]:
    """Lock a journal; yields whether it is there and no other process holds it."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        yield False
        return
    with stream:
        yield lock(stream)


def lock(stream: BinaryIO) -> bool:
    """Lock an open file until it is closed; return False if another holder has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_rows(file: Path) -> Iterator[AuditRow]:
    """Read a journal. A line that a crash cut off is left out: its request was never answered."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            yield _DECODER.decode(line)
        except msgspec.DecodeError:
            _LOG.warning("%s: a line of %d bytes is incomplete, and left out", file, len(line))


def _store(rows: Sequence[AuditRow]) -> Change:
    """Add the rows in place of those with equal ids. The moments spare most files of the table."""
    records = [asdict(row) for row in rows]
    data = {column.name: [record[column.name] for record in records] for column in AUDIT.columns}
    moments = sorted(data["moment"])
    return Change(
        AUDIT,
        to_arrow(AUDIT, data),
        "WHERE moment BETWEEN ? AND ? AND list_contains(?, id)",
        [moments[0], moments[-1], data["id"]],
    )

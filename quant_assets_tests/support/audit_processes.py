"""Processes that append rows to the audit, as servers do, until they are killed."""

from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from quant_assets.access.audit import AuditRow
from quant_assets.access.journal import AuditJournal


def audit_row(name: str) -> AuditRow:
    """Return a row with a name as its path."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    return AuditRow(moment, "k", "POST /predict", name, "in", "release", "out", 200, 0.01)


def append_forever(root: Path, orders: Connection) -> None:
    """Append rows, and report the id of each as soon as it is on the disk."""
    journal = AuditJournal(root / "lake", root / "audit", seconds=0.02, rows=20)
    while True:
        rows = [audit_row("killed") for _ in range(5)]
        for done in [journal.append(row) for row in rows]:
            done.result()
        for row in rows:
            orders.send(row.id)

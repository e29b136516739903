"""The audit: no row is lost or doubled, whatever is killed, full or locked."""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock

from quant_assets.access import journal as journals
from quant_assets.access.audit import AuditRow, encode_row, move_journals, read_audit
from quant_assets.access.journal import AuditJournal
from quant_assets.lake.schemas.access_tables import AUDIT
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.audit_processes import append_forever, audit_row
from quant_assets_tests.support.lake_processes import process_context, running


def stored_ids(root: Path) -> Counter[str]:
    with Lake(root / "lake") as lake:
        if not lake.has(AUDIT):
            return Counter()
        return Counter(lake.arrow(f"SELECT id FROM {AUDIT.quoted}").column("id").to_pylist())


def journal_files(root: Path) -> list[Path]:
    return sorted((root / "audit").glob("*.jsonl"))


@contextmanager
def open_journal(root: Path, seconds: float = 60.0) -> Iterator[AuditJournal]:
    journal = AuditJournal(root / "lake", root / "audit", seconds=seconds)
    try:
        yield journal
    finally:
        journal.close()


def test_a_row_is_on_the_disk_before_its_answer_and_in_the_lake_at_the_end(tmp_path: Path) -> None:
    row = audit_row("/predict")
    with Lake(tmp_path / "lake") as lake, open_journal(tmp_path) as journal:
        lake.snapshot_id()
        journal.append(row).result()
        assert encode_row(row) == journal_files(tmp_path)[0].read_bytes()
        assert read_audit(lake, tmp_path / "audit", 5) == [row]
    assert journal_files(tmp_path) == []
    with Lake(tmp_path / "lake") as lake:
        assert read_audit(lake, tmp_path / "audit", 5) == [row]


def test_rows_move_to_the_lake_by_time_while_the_server_runs(tmp_path: Path) -> None:
    with open_journal(tmp_path, seconds=0.02) as journal:
        rows = [audit_row(str(i)) for i in range(3)]
        for row in rows:
            journal.append(row).result()
        deadline = time.monotonic() + 30
        while len(stored_ids(tmp_path)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert stored_ids(tmp_path) == Counter(row.id for row in rows)


def test_rows_that_arrive_together_share_a_sync(tmp_path: Path) -> None:
    def sync_slowly(descriptor: int, sync: object = os.fsync) -> None:
        time.sleep(0.02)

    with (
        open_journal(tmp_path) as journal,
        patch.object(journals.os, "fsync", side_effect=sync_slowly) as synced,
    ):
        for done in [journal.append(audit_row(str(i))) for i in range(300)]:
            done.result()
        assert synced.call_count < 10
    assert len(stored_ids(tmp_path)) == 300


def test_a_crash_after_the_lake_has_the_rows_doubles_none(tmp_path: Path) -> None:
    rows = [audit_row(str(i)) for i in range(4)]
    (tmp_path / "audit").mkdir()
    file = tmp_path / "audit" / "dead.jsonl"
    file.write_bytes(b"".join(map(encode_row, rows)))
    with Lake(tmp_path / "lake") as lake:
        with (
            patch.object(Path, "unlink", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            move_journals(lake, tmp_path / "audit")
        assert read_audit(lake, tmp_path / "audit", 9) == rows
        assert move_journals(lake, tmp_path / "audit") == 4
    assert stored_ids(tmp_path) == Counter(row.id for row in rows)
    assert not file.exists()


def test_a_line_that_a_crash_cut_off_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = audit_row("a"), audit_row("b")
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "dead.jsonl").write_bytes(encode_row(first) + encode_row(second)[:-9])
    with Lake(tmp_path / "lake") as lake, caplog.at_level(logging.WARNING):
        assert move_journals(lake, tmp_path / "audit") == 1
    assert stored_ids(tmp_path) == Counter([first.id])
    assert "incomplete" in caplog.text


def test_the_journal_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, Lake(tmp_path / "lake") as lake:
        row = audit_row("a")
        journal.append(row).result()
        assert move_journals(lake, tmp_path / "audit") == 0
        assert journal_files(tmp_path)
    assert stored_ids(tmp_path) == Counter([row.id])


def test_a_full_disk_fails_the_request_and_spoils_no_other_row(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        before, after = audit_row("before"), audit_row("after")
        journal.append(before).result()
        with patch.object(journals.os, "fsync", side_effect=OSError(28, "No space left")):
            failed = journal.append(audit_row("failed"))
            with pytest.raises(OSError, match="No space"):
                failed.result()
        journal.append(after).result()
        content = journal_files(tmp_path)[0].read_bytes()
        assert content == encode_row(before) + encode_row(after)
    assert stored_ids(tmp_path) == Counter([before.id, after.id])


def test_a_lake_that_takes_no_rows_leaves_them_for_the_next_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = audit_row("a")
    with Lake(tmp_path / "lake") as lake:
        lake.snapshot_id()
    with FileLock(tmp_path / "lake" / "write.lock"), patch.object(journals, "_PATIENCE", 0.1):
        with open_journal(tmp_path) as journal, caplog.at_level(logging.WARNING):
            journal.append(row).result()
        assert len(journal_files(tmp_path)) == 1
        assert "stay in" in caplog.text
    with open_journal(tmp_path):
        pass
    assert stored_ids(tmp_path) == Counter([row.id])
    assert journal_files(tmp_path) == []


def test_the_newest_rows_come_first(tmp_path: Path) -> None:
    rows = [AuditRow(**{**vars(audit_row(str(i))), "id": str(i)}) for i in range(5)]
    rows = [
        AuditRow(**{**vars(row), "moment": row.moment.replace(minute=i)})
        for i, row in enumerate(rows)
    ]
    with open_journal(tmp_path) as journal:
        for row in rows:
            journal.append(row).result()
    with Lake(tmp_path / "lake") as lake:
        assert [row.id for row in read_audit(lake, tmp_path / "audit", 3)] == ["4", "3", "2"]


def test_two_servers_that_are_killed_again_and_again_lose_and_double_no_row(
    tmp_path: Path,
) -> None:
    with Lake(tmp_path / "lake") as lake:
        lake.snapshot_id()
    context = process_context()
    acknowledged: list[str] = []
    for round_ in range(3):
        pipes = [context.Pipe() for _ in range(2)]
        servers = [context.Process(target=append_forever, args=(tmp_path, end)) for _, end in pipes]
        with running(*servers):
            for ours, _ in pipes:
                acknowledged.append(ours.recv())
            # Moves take some 100 ms: the kills come before, within and after them.
            time.sleep(0.1 * (round_ + 1))
            for server in servers:
                server.kill()
                server.join()
        for ours, theirs in pipes:
            theirs.close()
            while ours.poll():
                try:
                    acknowledged.append(ours.recv())
                except EOFError:
                    break
    with open_journal(tmp_path):
        pass
    stored = stored_ids(tmp_path)
    assert journal_files(tmp_path) == []
    assert len(acknowledged) > 30
    assert not set(acknowledged) - set(stored)
    assert max(stored.values()) == 1

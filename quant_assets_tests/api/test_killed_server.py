"""A server that is killed leaves the audit of all that it answered to the next one."""

import signal
from pathlib import Path

import httpx

from quant_assets.access.audit import read_audit
from quant_assets.access.journal import AuditJournal
from quant_assets.lake.schemas.access_tables import AUDIT
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.server_process import running_server


def test_what_a_killed_server_answered_is_in_the_audit(
    installation: Installation, tmp_path: Path
) -> None:
    settings = installation.settings
    with running_server(installation) as server:
        asked = [f"{server.url}/models/killed{number}/load" for number in range(5)]
        statuses = [httpx.post(url, trust_env=False, timeout=120).status_code for url in asked]
        assert statuses == [404] * 5
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with Lake(settings.lake_dir) as lake:
        # Other tests' servers have written to the market that was copied.
        rows = read_audit(lake, settings.audit_dir, 1000)
        waiting = [row for row in rows if "/killed" in row.path]
        assert [row.path for row in reversed(waiting)] == [
            f"/models/killed{number}/load" for number in range(5)
        ]
        AuditJournal(settings.lake_dir, settings.audit_dir).close()
        AuditJournal(settings.lake_dir, settings.audit_dir).close()
        stored = lake.arrow(
            f"SELECT id, status FROM {AUDIT.quoted} WHERE contains(path, '/killed')"
        ).to_pylist()
    assert sorted(row["id"] for row in stored) == sorted(row.id for row in waiting)
    assert {row["status"] for row in stored} == {404}
    assert not list(settings.audit_dir.glob("*.jsonl"))

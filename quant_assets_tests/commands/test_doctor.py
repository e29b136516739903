"""The doctor on a healthy lake and an ill machine, and on libraries that cannot be used."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from quant_assets_tests.support.installation import CommandResult, Installation
from quant_assets_tests.support.limited_process import (
    drop_override,
    fill_disk,
    without_permission,
)


def line_of(finished: CommandResult, subject: str) -> tuple[str, str]:
    """Return what the doctor says of a subject, and the line below, which may hold an advice."""
    lines = [*finished.out.splitlines(), ""]
    (i,) = [i for i, line in enumerate(lines) if line[5:].startswith(f"{subject} ")]
    return lines[i], lines[i + 1]


@pytest.fixture
def at_rest(installation: Installation) -> Installation:
    """An installation whose catalogue no process has open: SQLite's files beside it are gone."""
    catalogue = installation.settings.lake_dir / "catalogue.sqlite"
    with closing(sqlite3.connect(catalogue)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not list(catalogue.parent.glob("catalogue.sqlite-*"))
    return installation


def test_reading_needs_no_permission_to_write(at_rest: Installation, tmp_path: Path) -> None:
    with without_permission(at_rest.settings.data_dir):
        read = [
            at_rest.run(*command, preexec_fn=drop_override).succeeded().out
            for command in (
                ("sql", "SELECT count(*) AS n FROM raw.prices", "--format", "csv"),
                ("tables",),
                ("score",),
                ("alerts",),
                ("snapshot", str(tmp_path / "copy.duckdb")),
            )
        ]
        finished = at_rest.run("doctor", preexec_fn=drop_override)
    assert read[0] == '"n"\n15730\n'
    assert finished.status == 1
    assert line_of(finished, "lake")[0].startswith("ok")
    said, advice = line_of(finished, "data directory")
    assert said.startswith("BAD")
    assert "permission to write" in advice


def test_a_lake_that_may_not_be_read_is_not_called_damaged(at_rest: Installation) -> None:
    with without_permission(at_rest.settings.lake_dir / "catalogue.sqlite", 0o777):
        finished = at_rest.run("doctor", preexec_fn=drop_override)
    said, advice = line_of(finished, "lake")
    assert said.startswith("BAD")
    assert "get permission to read" in advice
    assert "restore" not in finished.out


def test_a_lake_on_a_full_disk_is_not_called_damaged(at_rest: Installation) -> None:
    finished = at_rest.run("doctor", preexec_fn=fill_disk)
    said, advice = line_of(finished, "lake")
    assert said.startswith("BAD")
    assert "free disk space" in advice
    assert "restore" not in finished.out


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("raise OSError('libgomp.so.1: cannot open shared object file')", "libgomp.so.1"),
        ("import os; os.abort()", "status -6"),
    ],
)
def test_a_library_that_cannot_be_used_is_named_with_its_families(
    broken: str, said: str, loaded: Installation, tmp_path: Path
) -> None:
    (tmp_path / "lightgbm.py").write_text(broken)
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    finished = loaded.run("doctor", variables={"PYTHONPATH": paths})
    assert finished.status == 1
    line, advice = line_of(finished, "library lightgbm")
    assert line.startswith("BAD")
    for word in (said, "lightgbm cannot be fitted"):
        assert word in line
    assert "OpenMP" in advice
    assert line_of(finished, "library numpy")[0].startswith("ok")

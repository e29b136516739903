"""A loaded small market as a user has it: a folder, a data directory, and the command line.

A load takes some twenty seconds, so it is prepared once, and tests change copies of it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from quant_assets.core.settings import Settings, market_in_settings
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets_tests.support.prepared import copy_prepared
from quant_assets_tests.support.small_market import small_settings, write_small_market

# Seconds: no command takes a tenth of it on an idle machine.
PATIENCE = 300
PROGRAM = str(Path(sys.executable).with_name("quant-assets"))
TABLES = declared_tables(FAST, "load")
"""The tables that a load writes."""
# Moments, snapshots and runs are no results of a computation.
_INCIDENTAL = (
    *("seconds", "fit_seconds", "snapshot", "dagster_run", "mlflow_run", "version"),
    *("origin", "stored_at", "known_at", "finished_at"),
)
_OUTPUT = "demo.json"
Digests = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Installation:
    """A market folder and the data directory beside it.

    Attributes:
        root: directory that contains both.
        market: the market folder, if it is elsewhere: a load notices that its source has moved.
    """

    root: Path
    market: Path | None = None

    @property
    def folder(self) -> Path:
        return self.market or self.root / "market"

    @property
    def settings(self) -> Settings:
        return small_settings(self.folder, self.root / "data")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a command uses this installation."""
        values = self.settings.model_dump(mode="json", exclude_unset=True, exclude={"source"})
        return {f"QUANT_{name.upper()}": str(value) for name, value in values.items()}

    def copy(self, root: Path) -> "Installation":
        """Copy the installation to another root, where it may be changed."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Installation(root).here()

    def here(self) -> "Installation":
        """Let files that were copied here from another root name this one's market."""
        settings = self.settings
        settings.market_file.write_text(market_in_settings(settings).model_dump_json())
        return self

    def start(
        self, *arguments: str, variables: dict[str, str] | None = None, **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a command in a new process, with further environment variables."""
        others = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
        arguments_of_process: dict[str, Any] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        return subprocess.Popen(
            [PROGRAM, *arguments],
            env=others | self.environment | (variables or {}),
            cwd=self.root,
            text=True,
            **arguments_of_process,
        )

    def run(self, *arguments: str, **options: Any) -> "CommandResult":
        """Run a command in a new process, and wait for its end."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return CommandResult(process.returncode, out, err)


@dataclass(frozen=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    def refused_with(self, *words: str) -> None:
        """Assert that the command failed with a message that has some words, without traceback."""
        assert self.status == 1, self
        assert "Traceback" not in self.err + self.out, self.err
        _, marker, message = self.err.partition("error: ")
        assert marker, self.err
        for word in words:
            assert word in message, self.err

    def succeeded(self) -> "CommandResult":
        assert self.status == 0, self.err
        return self


Command = Callable[..., CommandResult]
"""The command line's entry point: ``command(installation, "load", "--force")``."""


def digests(
    settings: Settings, tables: Sequence[Table] = TABLES, until: date | None = None
) -> Digests:
    """Digest every day of every table; the order of rows does not matter.

    With ``until``, only days up to it are digested, and tables without days are left out.
    """
    with Lake(settings.lake_dir, read_only=True) as lake:
        rows = lake.query(select_digests(tables, until))
    keys = zip(rows["name"], rows["day"], strict=True)
    digest = rows["digest"].astype(str)
    return dict(zip(keys, rows["rows"].astype(str) + " " + digest, strict=True))


def select_digests(tables: Sequence[Table], until: date | None = None) -> str:
    """Return the statement that digests every day of every table."""
    return " UNION ALL ".join(_digest_of(table, until) for table in tables)


def _digest_of(table: Table, until: date | None) -> str:
    kept = ", ".join(f'"{c.name}"' for c in table.columns if c.name not in _INCIDENTAL)
    day = f'"{table.day_column}"' if table.day_column else "NULL"
    condition = f"WHERE {day} <= DATE '{until}'" if until else ""
    return (
        f"SELECT '{table.name}' AS name, coalesce({day}::VARCHAR, 'all') AS day,"
        " sum(hash(r)::HUGEINT)::VARCHAR AS digest, count(*) AS rows"
        f" FROM (SELECT {kept} FROM {table.quoted} {condition}) r GROUP BY ALL"
    )


def days_with_picture(
    history: dg.DagsterInstance, name: str, days: Sequence[str]
) -> list[str | None]:
    """Return the days, of some materialised days, on which a monitoring asset has a picture."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(["monitoring", name]), asset_partitions=days)
    records = history.fetch_materializations(wanted, limit=len(days)).records
    assert len(records) == len(days)
    return [
        record.partition_key
        for record in records
        if record.asset_materialization
        and any(
            str(value.value).startswith("![plot]")
            for value in record.asset_materialization.metadata.values()
        )
    ]


def copy_demo(root: Path) -> tuple[Installation, CommandResult]:
    """Copy the small market loaded by ``quant-assets demo FOLDER``, and the command's output.

    Tests may read it but not change it, because all tests share its market folder.
    """
    prepared = copy_prepared("demo", _run_demo, root)
    status, *texts = json.loads((root / _OUTPUT).read_text())
    out, err = (text.replace(str(prepared / "data"), str(root / "data")) for text in texts)
    installation = Installation(root, prepared / "market").here()
    return installation, CommandResult(status, out, err)


def copy_loaded(root: Path) -> Installation:
    """Copy the loaded small market; the copy may be changed."""
    _, result = copy_demo(root)
    result.succeeded()
    return Installation(root).here()


def copy_changed(name: str, change: Callable[[Installation], None], root: Path) -> Installation:
    """Copy the loaded small market after a change that is prepared once.

    Args:
        name: name of the change.
        change: changes an installation; it is defined in these helpers, so that a prepared result
            is used only while their code stays.
        root: root of the copy, which may be changed further.
    """
    copy_prepared(name, lambda folder: change(copy_loaded(folder)), root)
    return Installation(root).here()


def _run_demo(root: Path) -> None:
    installation = Installation(root)
    write_small_market(installation.folder)
    result = installation.run("demo", str(installation.folder))
    (root / _OUTPUT).write_text(json.dumps([result.status, result.out, result.err]))

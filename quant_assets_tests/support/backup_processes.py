"""A tiny data directory to back up, and processes that write, maintain and back up for ever."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from quant_assets.backup.restoring import RestoreSummary, restore_backup
from quant_assets.backup.routine import back_up_and_prune
from quant_assets.backup.saving import BackupSummary
from quant_assets.backup.store import BackupStore
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import write

KEPT = (7, 4, 12)
DAYS = 3
START = datetime(2024, 3, 1, 3, 15, tzinfo=UTC)


def make_data(root: Path) -> Settings:
    """Make a data directory with a lake of a few days, a database, and files."""
    settings = Settings(data_dir=root)
    with Lake(settings.lake_dir) as lake:
        for number in range(DAYS):
            write(lake, number, number)
    database = settings.dagster_home / "history" / "runs.db"
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE runs(name)")
        connection.execute("INSERT INTO runs VALUES ('first')")
    change_file(settings, 0)
    (settings.data_dir / "market.lock").touch()
    return settings


def change_file(settings: Settings, seed: int) -> bytes:
    """Write a file of several pieces, which differ for each seed."""
    settings.exports_dir.mkdir(exist_ok=True)
    content = np.random.default_rng(seed).bytes(3_500_000)
    (settings.exports_dir / "submission.csv").write_bytes(content)
    return content


def back_up(settings: Settings, folder: Path, now: datetime = START) -> BackupSummary:
    return back_up_and_prune(settings, BackupStore(folder), now, KEPT, lambda _: None)[0]


def restore(folder: Path, target: Path, backup: str | None = None) -> RestoreSummary:
    return restore_backup(BackupStore(folder), target, backup, lambda _: None, refit=False)


def back_up_forever(root: Path, folder: Path, orders: Connection) -> None:
    """Change a file and back up, again and again, from a received number on; report each."""
    settings = Settings(data_dir=root)
    for number in count(orders.recv()):
        change_file(settings, number)
        back_up(settings, folder, START + timedelta(seconds=number))
        orders.send(number)


def delete_unused_until(root: Path, done: Any) -> None:
    """Maintain a lake that keeps the newest snapshot only, so that old files go at once."""
    with Lake(root) as lake:
        while not done.wait(0.1):
            lake.maintain(0)

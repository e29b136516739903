"""Many processes and threads that use one lake at once."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.store.connection import CATALOGUE
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import (
    MARKS,
    day,
    maintain_until,
    marks,
    process_context,
    read_until,
    running,
    write,
    write_days,
    write_forever,
    write_in_step,
)

WRITERS, READERS = 4, 4
SHARED = list(range(10))


def test_writers_and_readers_that_start_together_do_not_hurt_each_other(tmp_path: Path) -> None:
    context = process_context()
    gate, done = context.Barrier(WRITERS + READERS), context.Event()
    own = {w: [100 * w + i for i in range(10)] for w in range(1, WRITERS + 1)}
    writers = [
        context.Process(
            target=write_days,
            args=(
                tmp_path,
                gate,
                [n for pair in zip(SHARED, own[w], strict=True) for n in pair],
                w,
            ),
        )
        for w in own
    ]
    readers = [
        context.Process(target=read_until, args=(tmp_path, gate, done)) for _ in range(READERS)
    ]
    with running(*writers, *readers):
        for child in writers:
            child.join(60)
        done.set()
        for child in readers:
            child.join(20)
        assert [child.exitcode for child in (*writers, *readers)] == [0] * (WRITERS + READERS)
    with Lake(tmp_path) as lake:
        stored = marks(lake)
    assert {number: stored.pop(number) for w in own for number in own[w]} == {
        number: w for w in own for number in own[w]
    }
    assert set(stored) == set(SHARED)


def test_a_day_first_written_by_several_at_once_is_there_once(tmp_path: Path) -> None:
    context = process_context()
    gate = context.Barrier(WRITERS)
    writers = [
        context.Process(target=write_in_step, args=(tmp_path, gate, list(range(8)), mark))
        for mark in range(WRITERS)
    ]
    with running(*writers):
        for child in writers:
            child.join(60)
        assert [child.exitcode for child in writers] == [0] * WRITERS
    with Lake(tmp_path) as lake:
        assert set(marks(lake)) == set(range(8))


def test_maintenance_reads_and_writes_go_together(tmp_path: Path) -> None:
    context = process_context()
    gate, done = context.Barrier(3), context.Event()
    with Lake(tmp_path) as lake:
        for number in range(5):
            write(lake, number, 90 + number)
    writers = [
        context.Process(target=write_days, args=(tmp_path, gate, list(range(w, 12 + w)), w))
        for w in (1, 100)
    ]
    others = [
        context.Process(target=read_until, args=(tmp_path, gate, done)),
        context.Process(target=maintain_until, args=(tmp_path, done)),
    ]
    with running(*writers, *others):
        for child in writers:
            child.join(60)
        done.set()
        for child in others:
            child.join(20)
        assert [child.exitcode for child in (*writers, *others)] == [0] * 4
    with Lake(tmp_path) as lake:
        stored = marks(lake)
    assert stored[0] == 90
    assert set(stored.values()) - {90} <= {1, 100}
    assert set(stored) == {*range(13), *range(100, 112)}


def test_a_look_goes_on_while_its_files_are_merged(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, Lake(tmp_path) as reader:
        for number in range(5):
            write(lake, number, 90 + number)
        with reader.at_once():
            assert reader.has(MARKS)
            lake.maintain(1)
            assert len(marks(reader)) == 5
        assert len(marks(lake)) == 5


def test_nothing_retained_leaves_no_old_file(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        for number in range(5):
            write(lake, number, 90 + number)
        lake.maintain(0)
        assert len(list((tmp_path / "files").rglob("*.parquet"))) == 1
        assert len(marks(lake)) == 5


@pytest.mark.parametrize(("days", "kept"), [(0, 1), (1, 3), (2, 4)])
def test_a_day_of_retention_has_24_hours(tmp_path: Path, days: int, kept: int) -> None:
    hours = [0.1, 11, 23.5, 24.5, 49, *[75] * 20]
    with Lake(tmp_path) as lake:
        for mark in range(8):
            write(lake, 1, mark)
        newest = lake.snapshot_id()
        with closing(sqlite3.connect(tmp_path / CATALOGUE)) as catalogue, catalogue:
            catalogue.executemany(
                "UPDATE ducklake_snapshot SET snapshot_time = ? WHERE snapshot_id = ?",
                [
                    (f"{datetime.now(UTC) - timedelta(hours=age):%Y-%m-%d %H:%M:%S.%f}+00", number)
                    for age, number in zip(hours, range(newest, -1, -1), strict=False)
                ],
            )
        lake.maintain(days)
        left = lake.query("SELECT snapshot_id AS id FROM ducklake_snapshots('lake') ORDER BY id")
        assert [number for number in left["id"] if number <= newest] == list(
            range(newest - kept + 1, newest + 1)
        )
        assert marks(lake) == {1: 7}


def test_threads_share_one_lake(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda i: write(lake, i % 4, i), range(16)))
        assert len(marks(lake)) == 4
    assert [w.rows for w in written] == [500 + i % 7 for i in range(16)]


def test_a_long_write_comes_through_among_many_short_ones(tmp_path: Path) -> None:
    context = process_context()
    orders = [context.Pipe() for _ in range(2)]
    short = [
        context.Process(target=write_forever, args=(tmp_path, 1, theirs)) for _, theirs in orders
    ]
    for ours, _ in orders:
        ours.send(0)
    with Lake(tmp_path) as lake:
        with running(*short):
            while not lake.has(MARKS):
                pass
            n = 1_000_000
            long = {"trading_day": np.full(n, np.datetime64(day(9))), "mark": np.arange(float(n))}
            before = lake.snapshot_id()
            assert lake.replace_days(MARKS, day(9), day(9), long).rows == n
            assert all(child.is_alive() for child in short)
            assert lake.snapshot_id() > before
        rows = "SELECT count(*) AS n FROM raw.marks WHERE trading_day = ?"
        assert lake.query(rows, [day(9)]).at[0, "n"] == n

"""Processes killed while they write."""

from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import (
    marks,
    process_context,
    running,
    write,
    write_forever,
)

slow = pytest.mark.slow("dozens of processes killed while they write")

DAYS = 3
KILLS = 50


@slow
def test_a_kill_at_any_moment_of_a_write_leaves_every_day_whole(tmp_path: Path) -> None:
    moments, context = Random(1), process_context()
    pipes = [context.Pipe() for _ in range(KILLS)]
    children = [
        context.Process(target=write_forever, args=(tmp_path, DAYS, theirs)) for _, theirs in pipes
    ]
    expected: dict[int, int] = {}
    mark = 0
    with Lake(tmp_path) as lake, running(children[0]):
        for i, (ours, theirs) in enumerate(pipes):
            # The next process opens the lake while this one writes and is killed.
            for following in children[i + 1 : i + 2]:
                following.start()
            ours.send(mark)
            theirs.close()
            # The first report says that a write after the last kill worked.
            assert ours.poll(20)
            children[i].join(moments.uniform(0, 0.1))
            children[i].kill()
            children[i].join()
            reported = newest_report(ours)
            expected |= {m % DAYS: m for m in range(mark, reported + 1)}
            stored = marks(lake)
            assert stored in (expected, expected | {(reported + 1) % DAYS: reported + 1})
            expected, mark = stored, max(stored.values()) + 1
    assert mark > KILLS


def newest_report(connection: Connection) -> int:
    reported = -1
    with suppress(EOFError, ConnectionResetError):
        while True:
            reported = connection.recv()
    return reported


@slow
def test_a_kill_while_the_lake_or_the_table_is_made_does_no_harm(tmp_path: Path) -> None:
    moments = Random(2)
    for i in range(10):
        root = tmp_path / str(i)
        ours, theirs = process_context().Pipe()
        ours.send(0)
        child = process_context().Process(target=write_forever, args=(root, 1, theirs))
        with running(child):
            child.join(moments.uniform(0.02, 0.4))
        with Lake(root) as lake:
            write(lake, 1, 5)
            assert marks(lake)[1] == 5


def test_a_kill_while_the_lake_is_maintained_does_no_harm(tmp_path: Path) -> None:
    moments = Random(3)
    with Lake(tmp_path) as lake:
        for i in range(6):
            for number in range(4):
                write(lake, number, i * 4 + number)
            child = process_context().Process(target=lake_maintained, args=(tmp_path,))
            with running(child):
                child.join(moments.uniform(0.05, 0.3))
            assert marks(lake) == {number: i * 4 + number for number in range(4)}
        lake.maintain(1)
        assert marks(lake) == {number: 20 + number for number in range(4)}


def lake_maintained(root: Path) -> None:
    with Lake(root) as lake:
        while True:
            lake.maintain(0)

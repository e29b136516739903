"""Processes killed while they write."""

from pathlib import Path
from random import Random

from quant_assets.lake.lake import Lake
from quant_assets_tests.lake.marked import ended, marks, processes, write, write_for_ever

DAYS = 3


def test_a_kill_at_any_moment_of_a_write_leaves_every_day_whole(tmp_path: Path) -> None:
    moments = Random(1)
    newest: dict[int, int] = {}
    mark = 0
    with Lake(tmp_path) as lake:
        for _ in range(50):
            receive, send = processes().Pipe(duplex=False)
            child = processes().Process(target=write_for_ever, args=(tmp_path, mark, DAYS, send))
            with ended(child):
                send.close()
                # The first report says that a write after the last kill worked.
                assert receive.poll(20)
                reported = receive.recv()
                child.join(moments.uniform(0, 0.12))
                child.kill()
                child.join()
            while receive.poll():
                try:
                    reported = receive.recv()
                except EOFError:
                    break
            newest |= {m % DAYS: m for m in range(mark, reported + 1)}
            found = marks(lake)
            unreported = {(reported + 1) % DAYS: reported + 1}
            assert found in (newest, newest | unreported)
            newest = found
            mark = max(found.values()) + 1
    assert mark > 50


def test_a_kill_while_the_lake_or_the_table_is_made_does_no_harm(tmp_path: Path) -> None:
    moments = Random(2)
    for i in range(12):
        root = tmp_path / str(i)
        _, send = processes().Pipe(duplex=False)
        child = processes().Process(target=write_for_ever, args=(root, 0, 1, send))
        with ended(child):
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
            child = processes().Process(target=lake_maintained, args=(tmp_path,))
            with ended(child):
                child.join(moments.uniform(0.05, 0.3))
            assert marks(lake) == {number: i * 4 + number for number in range(4)}
        lake.maintain(1)
        assert marks(lake) == {number: 20 + number for number in range(4)}


def lake_maintained(root: Path) -> None:
    with Lake(root) as lake:
        while True:
            lake.maintain(0)

"""Many processes and threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quant_assets.lake.lake import Lake
from quant_assets_tests.lake.marked import (
    ended,
    maintain_until,
    marks,
    processes,
    read_until,
    write,
    write_abreast,
    write_days,
)

WRITERS, READERS = 4, 4
SHARED = list(range(10))


def test_writers_and_readers_that_start_together_do_not_hurt_each_other(tmp_path: Path) -> None:
    context = processes()
    gate, done = context.Barrier(WRITERS + READERS), context.Event()
    own = {w: [100 * w + i for i in range(10)] for w in range(1, WRITERS + 1)}
    writers = [
        context.Process(
            target=write_days,
            args=(tmp_path, gate, [n for pair in zip(SHARED, own[w], strict=True) for n in pair], w),
        )
        for w in own
    ]
    readers = [
        context.Process(target=read_until, args=(tmp_path, gate, done)) for _ in range(READERS)
    ]
    with ended(*writers, *readers):
        for child in writers:
            child.join(60)
        done.set()
        for child in readers:
            child.join(20)
        assert [child.exitcode for child in (*writers, *readers)] == [0] * (WRITERS + READERS)
    with Lake(tmp_path) as lake:
        found = marks(lake)
    assert {number: found.pop(number) for w in own for number in own[w]} == {
        number: w for w in own for number in own[w]
    }
    assert set(found) == set(SHARED)


def test_a_day_first_written_by_several_at_once_is_there_once(tmp_path: Path) -> None:
    context = processes()
    gate = context.Barrier(WRITERS)
    writers = [
        context.Process(target=write_abreast, args=(tmp_path, gate, list(range(15)), mark))
        for mark in range(WRITERS)
    ]
    with ended(*writers):
        for child in writers:
            child.join(60)
        assert [child.exitcode for child in writers] == [0] * WRITERS
    with Lake(tmp_path) as lake:
        assert set(marks(lake)) == set(range(15))


def test_maintenance_reads_and_writes_go_together(tmp_path: Path) -> None:
    context = processes()
    gate, done = context.Barrier(3), context.Event()
    with Lake(tmp_path) as lake:
        for number in range(5):
            write(lake, number, 90 + number)
    writers = [
        context.Process(target=write_days, args=(tmp_path, gate, list(range(w, 20 + w)), w))
        for w in (1, 100)
    ]
    others = [
        context.Process(target=read_until, args=(tmp_path, gate, done)),
        context.Process(target=maintain_until, args=(tmp_path, done)),
    ]
    with ended(*writers, *others):
        for child in writers:
            child.join(60)
        done.set()
        for child in others:
            child.join(20)
        assert [child.exitcode for child in (*writers, *others)] == [0] * 4
    with Lake(tmp_path) as lake:
        found = marks(lake)
    assert found[0] == 90
    assert set(found.values()) - {90} <= {1, 100}
    assert set(found) == {*range(21), *range(100, 120)}


def test_threads_share_one_lake(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda i: write(lake, i % 4, i), range(16)))
        assert len(marks(lake)) == 4
    assert [w.rows for w in written] == [500 + i % 7 for i in range(16)]

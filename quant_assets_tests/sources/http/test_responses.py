"""Answers are kept as they came, by several processes and through kills."""

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.requests import Answer
from quant_assets.sources.http.responses import Refresh, ResponseStore

AT = datetime(2026, 1, 6, 18, tzinfo=UTC)


def answer(body: bytes, minutes: int = 0) -> Answer:
    return Answer("https://vendor.example/p", AT + timedelta(minutes=minutes), 200, "", body)


def keep_many(folder: Path, number: int, count: int = 10) -> None:
    for i in range(count):
        ResponseStore(folder).keep("vendor", "prices", answer(f"{number} {i}".encode()))


def test_an_empty_store(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "cache")
    assert store.newest("vendor", "prices") is None
    assert store.last_refresh("vendor") is None
    assert store.records() == ()
    assert not (tmp_path / "cache").exists()


def test_bodies_are_kept_by_their_content(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    for minutes, body in enumerate([b"a", b"b", b"a", b""]):
        store.keep("vendor", "prices", answer(body, minutes))
    store.keep("vendor", "prices", answer(b"bad", 9), "refused")
    store.keep("vendor", "splits", answer(b"split", 9))
    accepted = store.accepted("vendor", "prices")
    assert [store.read(record) for record in accepted] == [b"a", b"b", b"a"]
    assert store.newest("vendor", "prices") == accepted[-1]
    assert accepted[-1].at == AT + timedelta(minutes=2)
    assert accepted[1:] == store.accepted("vendor", "prices", AT + timedelta(minutes=1))
    assert [record.problem for record in store.records()] == ["", "", "", "", "refused", ""]
    assert len([path for path in (tmp_path / "bodies").rglob("*") if path.is_file()]) == 5


def test_processes_keep_answers_at_once(tmp_path: Path) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=keep_many, args=(tmp_path, n)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    store = ResponseStore(tmp_path)
    bodies = {store.read(record) for record in store.records()}
    assert bodies == {f"{n} {i}".encode() for n in range(2) for i in range(10)}


def test_a_killed_process_leaves_whole_answers(tmp_path: Path) -> None:
    process = get_context("spawn").Process(target=keep_many, args=(tmp_path, 0, 10_000))
    process.start()
    store = ResponseStore(tmp_path)
    deadline = time.monotonic() + 60
    while len(store.records()) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join(60)
    bodies = [store.read(record) for record in store.records()]
    assert len(bodies) >= 5
    assert bodies == [f"0 {i}".encode() for i in range(len(bodies))]
    store.keep("vendor", "prices", answer(b"later"))
    assert store.newest("vendor", "prices") == store.records()[-1]


def test_a_kill_between_body_and_record_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResponseStore(tmp_path)
    store.keep("vendor", "prices", answer(b"a"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("quant_assets.sources.http.responses.write_atomically", stop)
        with pytest.raises(KeyboardInterrupt):
            store.keep("vendor", "prices", answer(b"b"))
    assert [store.read(record) for record in store.records()] == [b"a"]
    store.keep("vendor", "prices", answer(b"b"))
    assert len(store.records()) == 2


def test_a_damaged_body_is_not_read(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    store.keep("vendor", "prices", answer(b"a"))
    (record,) = store.records()
    (path,) = (tmp_path / "bodies").rglob(record.sha256)
    path.write_bytes(b"other")
    with pytest.raises(SourceError, match="a kept answer is damaged"):
        store.read(record)
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read or written"):
        store.read(record)


def test_a_damaged_index_is_an_error_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(SourceError, match="delete the folder"):
        ResponseStore(tmp_path).records()


def test_the_newest_refresh_is_kept(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    for problem in ("", "timed out"):
        store.note_refresh("vendor", Refresh(AT, problem))
    assert ResponseStore(tmp_path).last_refresh("vendor") == Refresh(AT, "timed out")


def test_the_index_can_be_read_as_a_table(tmp_path: Path) -> None:
    ResponseStore(tmp_path).keep("vendor", "prices", answer(b"a"))
    index = sqlite3.connect(tmp_path / "responses.sqlite")
    row = index.execute("SELECT source, dataset, url, at, status, size FROM responses").fetchone()
    index.close()
    expected = "2026-01-06T18:00:00+00:00"
    assert row == ("vendor", "prices", "https://vendor.example/p", expected, 200, 1)

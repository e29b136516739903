"""The journal of one server: each row of the audit is on the disk before its answer goes out.

A write to the lake takes some 100 ms and moves its snapshot, so rows go into a file first, and
from there into the lake in batches. Several rows that arrive together share one sync of the disk.
"""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from io import FileIO
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from uuid import uuid4

from quant_assets.access.audit import AuditRow, encode_row, lock, move_journals
from quant_assets.core.errors import LakeError
from quant_assets.lake.store.lake import Lake

_LOG = logging.getLogger(__name__)
_PATIENCE = 20.0


class AuditJournal:
    """Appends rows to a file of its own, and moves files into the lake from time to time.

    It begins with the journals of servers that died. Threads may share it.

    Args:
        lake_dir: folder of the lake.
        folder: folder of the journals; it is created with the first row.
        seconds: time between two moves.
        rows: number of rows after which a move does not wait that long.
    """

    def __init__(
        self, lake_dir: Path, folder: Path, *, seconds: float = 60.0, rows: int = 10_000
    ) -> None:
        self._lake_dir = lake_dir
        self._folder = folder
        self._seconds = seconds
        self._rows = rows
        self._queue: SimpleQueue[tuple[bytes, Future[None]] | None] = SimpleQueue()
        self._file = Lock()
        self._stream: FileIO | None = None
        self._count = 0
        self._due = Event()
        self._closing = False
        self._writer = Thread(target=self._write_forever, name="audit-writer", daemon=True)
        self._mover = Thread(target=self._move_forever, name="audit-mover", daemon=True)
        self._writer.start()
        self._mover.start()

    def append(self, row: AuditRow) -> "Future[None]":
        """Append a row. The result is there as soon as the row is on the disk.

        The result raises ``OSError`` where the disk refuses the row.
        """
        done: Future[None] = Future()
        self._queue.put((encode_row(row), done))
        return done

    def close(self) -> None:
        """Write what waits, and move all rows into the lake.

        What the lake does not take now stays in its file for the next server.
        """
        self._queue.put(None)
        self._writer.join()
        self._closing = True
        self._due.set()
        self._mover.join()

    def _write_forever(self) -> None:
        open_ = True
        while open_:
            batch = list(self._take())
            rows = [entry for entry in batch if entry is not None]
            open_ = len(rows) == len(batch)
            self._write(rows)

    def _take(self) -> Iterator[tuple[bytes, "Future[None]"] | None]:
        """Yield the next entry as soon as there is one, and all that came with it."""
        yield self._queue.get()
        with suppress(Empty):
            while True:
                yield self._queue.get_nowait()

    def _write(self, rows: "list[tuple[bytes, Future[None]]]") -> None:
        waiting = [done for _, done in rows if done.set_running_or_notify_cancel()]
        try:
            with self._file:
                self._append(b"".join(line for line, _ in rows))
                self._count += len(rows)
                if self._count >= self._rows:
                    self._due.set()
        except OSError as error:
            for done in waiting:
                done.set_exception(error)
        else:
            for done in waiting:
                done.set_result(None)

    def _append(self, lines: bytes) -> None:
        """Append lines to the file and sync them, or leave the file as it was."""
        if not lines:
            return
        if self._stream is None:
            self._stream = _create(self._folder)
        size = self._stream.tell()
        left = memoryview(lines)
        try:
            while left:
                left = left[self._stream.write(left) :]
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(size)
            self._stream.seek(size)
            raise

    def _move_forever(self) -> None:
        while True:
            closing = self._closing
            with self._file:
                self._release()
            self._move()
            if closing:
                return
            self._due.wait(self._seconds)
            self._due.clear()

    def _release(self) -> None:
        """Close the file, which ends its lock. The next row begins another file."""
        if self._stream is not None:
            self._stream.close()
            self._stream, self._count = None, 0

    def _move(self) -> None:
        if not any(self._folder.glob("*.jsonl")):
            return
        try:
            with Lake(self._lake_dir, patience=_PATIENCE) as lake:
                move_journals(lake, self._folder)
        except (LakeError, OSError) as error:
            _LOG.warning("rows of the audit stay in %s for now: %s", self._folder, error)


def _create(folder: Path) -> FileIO:
    """Create a journal that is locked before other processes see its name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid4().hex
    draft = folder / f".{name}.draft"
    stream = FileIO(draft, "xb")
    lock(stream)
    draft.rename(folder / f"{name}.jsonl")
    parent = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    return stream

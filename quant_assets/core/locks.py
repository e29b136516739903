"""Locks by files, which end with their process: one process at a time does something.

The lock of writes to the lake belongs in ``lake.store``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from quant_assets.core.errors import QuantAssetsError


@contextmanager
def hold_lock(
    file: Path, timeout: float, error: type[QuantAssetsError], problem: str
) -> Iterator[None]:
    """Hold a lock while the context lasts.

    Args:
        file: the lock file; its folder is created if it is missing.
        timeout: seconds to wait for another process that holds the lock.
        error: class of the error that is raised if that process goes on holding it.
        problem: what that process is doing, as the error says it.

    Raises:
        QuantAssetsError: another process held the lock until the timeout.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout, poll_interval=0.005)
    try:
        lock.acquire()
    except Timeout:
        raise error(
            problem,
            where=lock.lock_file,
            expected=f"the lock becomes free within {timeout:.0f} s",
            hint="nothing has changed; try again",
        ) from None
    try:
        yield
    finally:
        lock.release()

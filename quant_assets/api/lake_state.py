"""The state of the lake that answers come from, watched in one thread.

The state version is the newest snapshot that changed more than the tables about callers: an audit
must not drop cached answers. What an answer contains belongs elsewhere.
"""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType

from quant_assets.core.errors import QuantAssetsError
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.snapshots import read_newest_change

_LOG = logging.getLogger(__name__)
Listener = Callable[[int], object]
"""Called with the new state version, in the thread that noticed it."""


class LakeState:
    """Watches the newest snapshot of a lake, which may be missing, locked or outdated at any time.

    Attributes:
        problem: why the lake could not be read at the last look; None if it could.

    Args:
        lake: the lake, open for reading.
        seconds: time between two looks.
    """

    def __init__(self, lake: Lake, seconds: float = 0.5) -> None:
        self.problem: QuantAssetsError | None = None
        # Snapshot and version in one value: threads read both while another one sets them.
        self._known = -1, -1
        self._lake = lake
        self._seconds = seconds
        self._listeners: list[Listener] = []
        self._looking = Lock()
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="lake state", daemon=True)

    @property
    def version(self) -> int:
        """The state version; -1 until the lake was read for the first time."""
        return self._known[1]

    def __enter__(self) -> "LakeState":
        self.check()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called after each change of the version; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def check(self) -> int:
        """Look at the lake now, in the calling thread, and return the state version.

        If the lake cannot be read, the version stays, and ``problem`` says why.
        """
        with self._looking:
            before = self.version
            try:
                with self._lake.at_once() as snapshot:
                    self._known = snapshot, self.version_of(snapshot)
                self.problem = None
            except QuantAssetsError as error:
                self.problem = error
            changed = self.version != before
        if changed:
            self._notify()
        return self.version

    def version_of(self, snapshot: int) -> int:
        """Return the state version at a snapshot that the calling thread holds by ``at_once``.

        Raises:
            LakeError: the lake cannot be read.
        """
        known, version = self._known
        return version if snapshot == known else read_newest_change(self._lake)

    def _watch(self) -> None:
        while not self._ended.wait(self._seconds):
            self.check()

    def _notify(self) -> None:
        for listener in list(self._listeners):
            try:
                listener(self.version)
            except Exception:  # noqa: BLE001 - a listener's failure must not end the watch
                _LOG.exception("a listener of the lake's state failed")

"""Lets worker processes end with the process that began them.

How workers are begun, and what they do, belongs in the modules that need them.
"""

import os
import time
from threading import Thread

_INTERVAL = 0.5
"""Seconds between two looks at the parent."""


def end_with_parent(parent: int) -> None:
    """Let this process end within a second of its parent, however the parent ends.

    A killed parent tells its workers nothing: they would keep their memory and cores while the next
    attempt needs them. The kernel's own signal (``PR_SET_PDEATHSIG``) follows the thread that began
    the worker, which may end long before its process.

    Args:
        parent: id of the process that began this one, as that process knows it: it may have ended
            before this is called.
    """
    Thread(target=_watch, args=(parent,), name="end with parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    os._exit(1)

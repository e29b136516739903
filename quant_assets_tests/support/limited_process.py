"""Processes that meet the permissions or the disk of a less fortunate user."""

import ctypes
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Those of <linux/prctl.h> and <linux/capability.h>.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def drop_override() -> None:
    """Give up root's rights against permissions, which other users do not have."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def fill_disk(process: int = 0, free: int = 0) -> None:
    """Let the kernel refuse files beyond a number of bytes from now on, as a full disk does."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (free, free))


@contextmanager
def without_permission(folder: Path, bits: int = 0o222) -> Iterator[None]:
    """Take permissions, by default those to write, from a folder and all that is in it."""
    places = [folder, *folder.rglob("*")]
    modes = {place: place.stat().st_mode for place in places}
    try:
        for place, mode in modes.items():
            place.chmod(mode & ~bits)
        yield
    finally:
        for place, mode in modes.items():
            place.chmod(mode)

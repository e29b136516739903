"""Prepared folders, which are filled once for each machine and kept while the code stays.

QUANT_TEST_CACHE names the cache folder; ``~/.cache/quant_assets-tests`` is the default. The first
process that needs a folder fills it, the other processes wait, and each process gets a copy.
"""

import os
import platform
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

import quant_assets

# Seconds: what is older is made again, so that no test depends on when a folder was made.
LONGEST_USE = 12 * 3600
# Of each name, the newest states of the code whose folders stay; and seconds that any stays, since
# other tests may be running.
KEPT, SHORTEST_STAY = 3, 2 * 3600


def copy_prepared(name: str, make: Callable[[Path], None], target: Path) -> Path:
    """Copy a prepared folder into ``target``; fill the prepared folder first if it is missing.

    Args:
        name: name of the prepared folder; each ``make`` has its own name.
        make: fills an empty folder.
        target: folder of the copy, which is created if it is missing.

    Returns:
        The folder that was copied, whose path its files may have in them.
    """
    cached = _cache_folder() / name / _digest_of_sources()
    folder, complete = cached / "content", cached / "complete"
    cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cached}.lock"):
        if not complete.exists() or time.time() - complete.stat().st_mtime > LONGEST_USE:
            shutil.rmtree(cached, ignore_errors=True)
            _delete_old(cached.parent)
            folder.mkdir(parents=True)
            make(folder)
            complete.touch()
        shutil.copytree(folder, target, dirs_exist_ok=True)
    return folder


def _cache_folder() -> Path:
    default = Path.home() / ".cache" / "quant_assets-tests"
    return Path(os.environ.get("QUANT_TEST_CACHE", default)).absolute()


@cache
def _digest_of_sources() -> str:
    """Digest the package, these helpers, the installed libraries and the machine."""
    roots = Path(quant_assets.__file__).parent, Path(__file__).parent
    digest = sha256(f"{platform.node()} {platform.machine()} {sys.version}".encode())
    libraries = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    digest.update(" ".join(sorted(library.name for library in libraries)).encode())
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"\n{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _delete_old(folder: Path) -> None:
    """Delete folders of earlier states of the code."""
    states = [path for path in folder.iterdir() if path.is_dir()]
    states.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for state in states[KEPT - 1 :]:
        if time.time() - state.stat().st_mtime < SHORTEST_STAY:
            continue
        try:
            with FileLock(f"{state}.lock", timeout=0):
                shutil.rmtree(state, ignore_errors=True)
        except Timeout:
            continue

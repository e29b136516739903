"""The state of a file on disk, its bytes, and results that are kept until the state differs.

What the bytes mean does not belong here.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from quant_assets.sources.competition.file_errors import file_error

_P = ParamSpec("_P")
_T = TypeVar("_T")


def state_of(path: Path) -> tuple[int, ...]:
    """Return numbers that change whenever the file changes or another takes its place.

    Links are followed. A file that cannot be reached has the number of the error.
    """
    try:
        stat = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def is_there(path: Path) -> bool:
    """Return whether a path or the target of its links exists, even if it cannot be read."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def until_changed(
    most: int,
) -> Callable[[Callable[Concatenate[Path, _P], _T]], Callable[Concatenate[Path, _P], _T]]:
    """Build a decorator that keeps what a function reads from a file until the file changes.

    Args:
        most: number of results that are kept.
    """

    def decorate(
        read: Callable[Concatenate[Path, _P], _T],
    ) -> Callable[Concatenate[Path, _P], _T]:
        @lru_cache(maxsize=most)
        def keep(_: tuple[int, ...], path: Path, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            return read(path, *args, **kwargs)

        @wraps(read)
        def look_up(path: Path, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            # Parameters of a read function are hashable, which its type does not say.
            return keep(state_of(path), path, *args, **kwargs)  # type: ignore[arg-type]

        return look_up

    return decorate


def read_bytes(path: Path, most: int = -1) -> bytes:
    """Read a file, or its first ``most`` bytes.

    Raises:
        SourceError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise file_error(
            "a file is missing",
            path,
            expected=f"the competition's {path.name}",
            found=_describe_absence(path),
            hint="point to the folder that holds train.csv and target_pairs.csv",
        ) from None
    except OSError as error:
        raise file_error(
            "a file cannot be read",
            path,
            expected="a file that this user may read",
            found=error.strerror or str(error),
            hint="check the file's permissions and its disk",
        ) from error


def _describe_absence(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    broken = next((p for p in (path, *path.parents) if p.is_symlink() and not p.exists()), None)
    return f"nothing: the link {broken} leads nowhere" if broken else "nothing"

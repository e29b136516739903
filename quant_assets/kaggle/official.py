"""The competition's own package, as the user's folder holds it. It is imported, never shipped.

It needs a process of its own: it takes a port of its choice, and keeps it.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quant_assets.core.errors import SettingsError

_PACKAGE = "kaggle_evaluation"
_MODULE = f"{_PACKAGE}.mitsui_inference_server"
_CLASS = "MitsuiInferenceServer"


def has_package(folder: Path) -> bool:
    """Return whether a folder holds the competition's package."""
    return folder.joinpath(*_MODULE.split(".")).with_suffix(".py").is_file()


def start_official_server(folder: Path, predict: Callable[..., Any]) -> Any:
    """Start the inference server of a folder's package; return the server.

    Args:
        folder: a folder that holds the package.
        predict: the function that the server calls.

    Raises:
        SettingsError: the package cannot be imported, or its server does not start.
    """
    with _explain(folder):
        server = _open_server(folder, predict)
        server.serve()
    return server


def run_official_gateway(folder: Path, predict: Callable[..., Any]) -> None:
    """Let the gateway of a folder's package ask for all days in this process.

    It writes ``submission.parquet`` into the working directory.

    Args:
        folder: a folder that holds the package.
        predict: the function that the server calls.

    Raises:
        SettingsError: the package cannot be imported, or its gateway fails.
    """
    with _explain(folder):
        _open_server(folder, predict).run_local_gateway((str(folder.resolve()),))


def _open_server(folder: Path, predict: Callable[..., Any]) -> Any:
    sys.path.insert(0, str(folder.resolve()))
    return getattr(importlib.import_module(_MODULE), _CLASS)(predict)


@contextmanager
def _explain(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise SettingsError(
            "the competition's package cannot be used",
            where=str(folder / _PACKAGE),
            expected="the package of the competition's folder, and the libraries that it needs",
            found=f"{type(error).__name__}: {error}",
            hint="its gateway needs polars before 2; the replay without it does not",
        ) from error

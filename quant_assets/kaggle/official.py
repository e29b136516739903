"""The competition's own package, as the user's folder holds it. It is imported, never shipped.

It needs a process of its own: it takes a port of its choice, and keeps it.
"""

import importlib
import sys
from collections.abc import Callable
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
    """Import the package of a folder, and start its inference server; return the server.

    Args:
        folder: a folder that holds the package.
        predict: the function that the server calls.

    Raises:
        SettingsError: the package cannot be imported, or its server does not start.
    """
    sys.path.insert(0, str(folder.resolve()))
    try:
        server = getattr(importlib.import_module(_MODULE), _CLASS)(predict)
        server.serve()
    except Exception as error:
        raise SettingsError(
            "the competition's package cannot be used",
            where=str(folder / _PACKAGE),
            expected="the package of the competition's folder, and the libraries that it needs",
            found=f"{type(error).__name__}: {error}",
            hint="move the package away to serve without it",
        ) from error
    return server

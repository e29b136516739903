"""Libraries that only the competition's evaluation needs, and the error where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from quant_assets.core.errors import SettingsError

_LIBRARIES = {"polars": "polars", "grpc": "grpcio", "google": "protobuf"}


@contextmanager
def explain_missing_extra() -> Iterator[None]:
    """Raise an error that says how to install a missing library, where an import fails.

    Raises:
        SettingsError: polars, grpcio or protobuf is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = _LIBRARIES.get((error.name or "").partition(".")[0])
        if library is None:
            raise
        raise SettingsError(
            f"the library {library} is not installed",
            expected="the libraries of the competition's evaluation: polars, grpcio, protobuf",
            found=f"no module {error.name}",
            hint="pip install 'quant-assets[kaggle]'",
        ) from error

"""The libraries that ``predict`` needs beside those that Kaggle's evaluation itself needs."""

from collections.abc import Sequence
from importlib.metadata import version

from quant_assets.models.registry import load_family

_ALWAYS = (
    *("duckdb", "duckdb-extension-ducklake", "duckdb-extension-sqlite-scanner"),
    *("numpy", "pandas", "pyarrow", "python-dateutil", "pytz", "tzdata", "six"),
    *("pydantic", "pydantic-core", "pydantic-settings", "python-dotenv", "annotated-types"),
    *("typing-inspection", "typing-extensions", "pyyaml", "filelock", "tenacity"),
    *("joblib", "threadpoolctl", "scipy", "scikit-learn", "narwhals"),
)
_OF_LIBRARY = {
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
    "statsmodels": ("statsmodels", "patsy", "packaging"),
}
FROM_IMAGE = ("polars", "grpcio", "protobuf", "torch")
"""Libraries that come from Kaggle's image: its own package depends on their versions, or they are
too large to carry."""


def list_requirements(families: Sequence[str]) -> tuple[str, ...]:
    """Return the libraries with the versions that are installed here, one line each.

    Forecasts are equal to the last bit only with the same versions.

    Args:
        families: names of the families whose fits forecast.
    """
    libraries = {load_family(name).library for name in families}
    further = [name for library in sorted(libraries) for name in _OF_LIBRARY.get(library, ())]
    return tuple(f"{name}=={version(name)}" for name in (*_ALWAYS, *further))

"""Daily forecasts of many markets, with every artifact an asset in DuckDB.

The names in ``__all__`` are for scripts and notebooks, and stay from release to release; other
modules of the package may change. A name's module is imported when the name is first used, so that
``import quant_assets`` alone takes no time.

Read the lake of the data directory that ``QUANT_DATA_DIR`` names::

    from quant_assets import Lake, load_settings

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        scoreboard = lake.query("FROM monitoring.scoreboard")
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quant_assets.core.errors import QuantAssetsError
    from quant_assets.core.settings import Settings, load_settings
    from quant_assets.definitions import build_definitions
    from quant_assets.lake.readers.forecasts import read_forecasts
    from quant_assets.lake.readers.point_in_time import read_observations
    from quant_assets.lake.schemas.forecast_tables import forecasts_table
    from quant_assets.lake.store.lake import Lake
    from quant_assets.scoring.metric import competition_score
    from quant_assets.tracking.mlflow_store import store_uri

__all__ = [
    "Lake",
    "QuantAssetsError",
    "Settings",
    "__version__",
    "build_definitions",
    "competition_score",
    "forecasts_table",
    "load_settings",
    "read_forecasts",
    "read_observations",
    "store_uri",
]

__version__ = "0.1.0"

_MODULES = {
    "Lake": "lake.store.lake",
    "QuantAssetsError": "core.errors",
    "Settings": "core.settings",
    "build_definitions": "definitions",
    "competition_score": "scoring.metric",
    "forecasts_table": "lake.schemas.forecast_tables",
    "load_settings": "core.settings",
    "read_forecasts": "lake.readers.forecasts",
    "read_observations": "lake.readers.point_in_time",
    "store_uri": "tracking.mlflow_store",
}

# Type checkers would take any name for an attribute if they saw this function.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name from its module on first use."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names, whether imported yet or not."""
        return sorted({*globals(), *__all__})

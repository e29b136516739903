"""The one settings object: read from ``QUANT_*`` variables, passed down, never global.

No other module reads the environment.
"""

from quant_assets.core.settings.market_file import (
    Market,
    hold_market,
    is_source_given,
    load_settings,
    market_in_settings,
    read_held_market,
    require_market,
    store_market,
)
from quant_assets.core.settings.variables import SIMULATED, Settings

__all__ = [
    "SIMULATED",
    "Market",
    "Settings",
    "hold_market",
    "is_source_given",
    "load_settings",
    "market_in_settings",
    "read_held_market",
    "require_market",
    "store_market",
]

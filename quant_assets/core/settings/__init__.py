"""The one settings object: read from ``QUANT_*`` variables, passed down, never global.

No other module reads the environment.
"""

from quant_assets.core.settings.market_file import (
    Market,
    held_market,
    keep_to_market,
    load_settings,
    market_of,
    remember_market,
    require_market,
    source_is_given,
)
from quant_assets.core.settings.variables import SIMULATED, Settings

__all__ = [
    "SIMULATED",
    "Market",
    "Settings",
    "held_market",
    "keep_to_market",
    "load_settings",
    "market_of",
    "remember_market",
    "require_market",
    "source_is_given",
]

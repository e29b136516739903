"""All settings in one object, which is read from ``QUANT_*`` variables and passed down.

No other module reads the environment, and no module keeps settings as a global.
"""

from quant_assets.core.settings.field_types import SIMULATED
from quant_assets.core.settings.market_file import (
    Market,
    hold_market,
    is_source_given,
    load_settings,
    market_in_settings,
    read_held_market,
    replace_source,
    require_market,
    store_market,
)
from quant_assets.core.settings.variables import Settings

__all__ = [
    "SIMULATED",
    "Market",
    "Settings",
    "hold_market",
    "is_source_given",
    "load_settings",
    "market_in_settings",
    "read_held_market",
    "replace_source",
    "require_market",
    "store_market",
]

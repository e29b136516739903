"""The key ``universe`` of a description: how long an instrument without prices stays.

Which instruments a market has on a day is computed in ``market.universe``.
"""

from quant_assets.market.description.values import Value

ALL_INSTRUMENTS = None
"""All instruments count on all days."""
WITHOUT_PRICES = 20
"""Trading days without a close after which an instrument has left, if nothing is said."""


def read_universe(value: Value) -> int | None:
    """Read the trading days without a close after which an instrument has left; None for never.

    Raises:
        MarketError: it is neither ``all`` nor a map with ``without_prices``.
    """
    if not isinstance(value.content, dict):
        value.choice("universe", ["all"])
        return ALL_INSTRUMENTS
    return value.record(("without_prices",), ("without_prices",))["without_prices"].whole_number(1)

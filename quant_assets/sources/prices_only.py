"""Parts of the protocol of sources that a source of prices alone lacks."""

from datetime import date

from quant_assets.core.typing import FloatArray
from quant_assets.sources.deliveries import PriceTable


class PricesOnly:
    """A source that delivers its prices once, publishes no labels, and knows no mechanism."""

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Return None, since there is no second delivery of prices."""
        return None

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the source publishes no labels."""
        return None

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the mechanism of a real market is unknown."""
        return None

"""The key ``imputation`` of a description: what features get in place of a missing close.

The arithmetic of conditional means is in ``features.imputation``.
"""

from dataclasses import dataclass

from quant_assets.market.description.values import Value

NONE, CARRY_FORWARD, CONDITIONAL_MEAN = "none", "carry_forward", "conditional_mean"
_MEANINGS = {
    NONE: "features have no close where the market has none",
    CARRY_FORWARD: "features have the last price for some days",
    CONDITIONAL_MEAN: "features have estimates from the day's other returns and the {} days before",
}
_LEAST_WINDOW = 20


@dataclass(frozen=True)
class Imputation:
    """What features get in place of a missing close.

    Attributes:
        method: ``none``, ``carry_forward`` or ``conditional_mean``.
        window: trading days before a day from which a conditional mean is estimated.
    """

    method: str = CARRY_FORWARD
    window: int = 250

    @property
    def estimates(self) -> bool:
        """Whether missing closes are estimated by a model."""
        return self.method == CONDITIONAL_MEAN

    @property
    def text(self) -> str:
        """The method, and what it means."""
        return f"{self.method}: {_MEANINGS[self.method].format(self.window)}"


DEFAULT_IMPUTATION = Imputation()
"""What counts if a description says nothing."""


def read_imputation(value: Value) -> Imputation:
    """Read the name of a method, or a map of ``conditional_mean`` to its ``window``.

    Raises:
        MarketError: the method or an option is unknown, or the window is too short.
    """
    if not isinstance(value.content, dict):
        return Imputation(value.choice("imputation", _MEANINGS))
    options = value.record((CONDITIONAL_MEAN,), (CONDITIONAL_MEAN,))[CONDITIONAL_MEAN]
    window = options.record(("window",), ("window",))["window"].whole_number(_LEAST_WINDOW)
    return Imputation(CONDITIONAL_MEAN, window)

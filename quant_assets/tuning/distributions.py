"""A family's space and parameters in Optuna's terms and back."""

from typing import TYPE_CHECKING, Any

from quant_assets.models.protocol import Parameters
from quant_assets.models.search_space import Choice, Int, Range, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def to_distributions(space: Space) -> "dict[str, BaseDistribution]":
    """The space in Optuna's terms."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, BaseDistribution] = {}
    for name, part in space.items():
        if isinstance(part, Choice):
            # Optuna stores numbers and text only.
            found[name] = CategoricalDistribution([str(option) for option in part.options])
        elif isinstance(part, Int):
            found[name] = IntDistribution(part.low, part.high, log=part.log)
        else:
            found[name] = FloatDistribution(part.low, part.high, log=part.log)
    return found


def encode_parameters(space: Space, parameters: Parameters) -> dict[str, Any]:
    """The tuned ones of a family's parameters, as Optuna stores them."""
    return {
        name: str(parameters[name]) if isinstance(part, Choice) else parameters[name]
        for name, part in space.items()
    }


def decode_parameters(space: Space, stored: Parameters) -> Parameters:
    """What :func:`encode_parameters` was given."""
    return {name: _option(part, stored[name]) for name, part in space.items()}


def _option(part: Range, stored: Any) -> Any:
    if not isinstance(part, Choice):
        return stored
    return next(option for option in part.options if str(option) == stored)

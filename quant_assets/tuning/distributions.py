"""Convert a family's search space and parameters to Optuna's types and back."""

from typing import TYPE_CHECKING, Any

from quant_assets.models.protocol import Parameters
from quant_assets.models.search_space import Choice, Int, Range, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def to_distributions(space: Space) -> "dict[str, BaseDistribution]":
    """Convert a search space to Optuna's distributions, by parameter."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    distributions: dict[str, BaseDistribution] = {}
    for name, part in space.items():
        if isinstance(part, Choice):
            # Optuna stores numbers and text only.
            distributions[name] = CategoricalDistribution([str(option) for option in part.options])
        elif isinstance(part, Int):
            distributions[name] = IntDistribution(part.low, part.high, log=part.log)
        else:
            distributions[name] = FloatDistribution(part.low, part.high, log=part.log)
    return distributions


def encode_parameters(space: Space, parameters: Parameters) -> dict[str, Any]:
    """Convert the tuned parameters of a family to the values that Optuna stores."""
    return {
        name: str(parameters[name]) if isinstance(part, Choice) else parameters[name]
        for name, part in space.items()
    }


def decode_parameters(space: Space, stored: Parameters) -> Parameters:
    """Convert the values that :func:`encode_parameters` returned back to parameters."""
    return {name: _decode_value(part, stored[name]) for name, part in space.items()}


def _decode_value(part: Range, stored: Any) -> Any:
    if not isinstance(part, Choice):
        return stored
    return next(option for option in part.options if str(option) == stored)

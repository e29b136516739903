"""Between which values the parameters of a family are tuned, in plain data.

What is done with a space is decided in ``tuning``. A parameter without an entry is not tuned and
keeps its default.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from quant_assets.errors import SettingsError, unknown_name
from quant_assets.models.base import Parameters
from quant_assets.models.registry import family


@dataclass(frozen=True)
class Float:
    """Numbers from ``low`` to ``high``; with ``log`` searched by order of magnitude."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        number = isinstance(value, Real) and not isinstance(value, bool)
        return number and self.low <= float(value) <= self.high  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def around(self, centre: float, share: float) -> "Float":
        """A range of that share of this one's width with the centre in its middle, or near it."""
        scale, back = (math.log, math.exp) if self.log else (float, float)
        low, high = scale(self.low), scale(self.high)
        width = share * (high - low)
        start = min(max(scale(centre) - width / 2, low), high - width)
        # Going to logarithms and back may miss an end by a rounding.
        first = max(min(back(start), centre), self.low)
        return Float(first, min(max(back(start + width), centre), self.high), self.log)


@dataclass(frozen=True)
class Int:
    """Whole numbers from ``low`` to ``high``, both included; ``log`` as in :class:`Float`."""

    low: int
    high: int
    log: bool = False

    def __contains__(self, value: object) -> bool:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        return whole and self.low <= int(value) <= self.high  # type: ignore[call-overload]

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def around(self, centre: int, share: float) -> "Int":
        """As :meth:`Float.around`, rounded outward."""
        part = Float(self.low, self.high, self.log).around(centre, share)
        return Int(math.floor(part.low), math.ceil(part.high), self.log)


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        # JSON knows no tuples: parameters read back from it have lists.
        return (tuple(value) if isinstance(value, list) else value) in self.options

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.options))}"

    def around(self, centre: object, share: float) -> "Choice":
        """All options: there is no order among them."""
        return self


Range = Float | Int | Choice
Space = Mapping[str, Range]

SPACES: Mapping[str, Space] = {
    "rank_prior": {
        "window": Int(120, 2500, log=True),
        "prior_days": Int(5, 500, log=True),
        "shrinkage": Float(0.05, 1.0),
    },
    "ridge": {
        "returns": Choice(
            (
                ("ret_1",),
                ("ret_1", "ret_5"),
                ("ret_1", "ret_20"),
                ("ret_1", "ret_5", "ret_20"),
            )
        ),
        "clip": Float(1.0, 10.0, log=True),
        "shrinkage": Float(0.05, 1.0),
    },
    "lightgbm": {
        "num_boost_round": Int(10, 300, log=True),
        "learning_rate": Float(0.01, 0.3, log=True),
        "num_leaves": Int(4, 63, log=True),
        "min_data_in_leaf": Int(50, 5000, log=True),
        "lambda_l2": Float(0.1, 1000.0, log=True),
        "feature_fraction": Float(0.1, 1.0),
        "bagging_fraction": Float(0.1, 1.0),
        "shrinkage": Float(0.05, 1.0),
    },
}


def space_of(family_name: str) -> Space:
    """What of a family is tuned.

    Raises:
        UnknownNameError: nothing is, or there is no such family.
    """
    if family_name not in SPACES:
        raise unknown_name("family to tune", family_name, list(SPACES))
    return SPACES[family_name]


def narrowed(space: Space, parameters: Parameters, share: float) -> Space:
    """Each range reduced to that share of its width around the parameter's value."""
    return {name: part.around(parameters[name], share) for name, part in space.items()}


def check_parameters(family_name: str, parameters: Parameters) -> None:
    """Refuse what a fit would stumble over, or silently ignore.

    Raises:
        UnknownNameError: the family has no such parameter.
        SettingsError: a value is outside the range in which the parameter is tuned.
    """
    known, space = family(family_name).defaults, SPACES.get(family_name, {})
    for name, value in parameters.items():
        if name not in known:
            raise unknown_name(f"parameter of {family_name}", name, list(known))
        if name in space and value not in space[name]:
            raise SettingsError(
                "a parameter is out of its range",
                where=f"{family_name}.{name}",
                expected=space[name],
                found=repr(value),
            )

"""Ranges within which the parameters of a family are tuned, as plain data.

Each family declares its ranges beside its defaults. ``tuning`` searches them, and
``models.parameters`` checks parameters against them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any


@dataclass(frozen=True)
class Float:
    """Numbers from ``low`` to ``high``, both included; searched on a log scale if ``log``."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        number = isinstance(value, Real) and not isinstance(value, bool)
        return number and self.low <= float(value) <= self.high  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def around(self, centre: float, share: float) -> "Float":
        """Return a narrower range around ``centre``, within this range.

        >>> Float(0.0, 10.0).around(9.0, share=0.5)
        Float(low=5.0, high=10.0, log=False)

        Args:
            centre: a value of this range; the middle of the new range unless an end is too near.
            share: width of the new range as a share of this range's width.
        """
        scale, unscale = (math.log, math.exp) if self.log else (float, float)
        low, high = scale(self.low), scale(self.high)
        width = share * (high - low)
        start = min(max(scale(centre) - width / 2, low), high - width)
        # Taking logarithms and exponentials may miss an end by a rounding error.
        first = max(min(unscale(start), centre), self.low)
        return Float(first, min(max(unscale(start + width), centre), self.high), self.log)


@dataclass(frozen=True)
class Int:
    """Whole numbers from ``low`` to ``high``, both included; searched on a log scale if ``log``."""

    low: int
    high: int
    log: bool = False

    def __contains__(self, value: object) -> bool:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        return whole and self.low <= int(value) <= self.high  # type: ignore[call-overload]

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def around(self, centre: int, share: float) -> "Int":
        """Return a narrower range as :meth:`Float.around` does, with ends rounded outward."""
        exact = Float(self.low, self.high, self.log).around(centre, share)
        return Int(math.floor(exact.low), math.ceil(exact.high), self.log)


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        # JSON has no tuples, so parameters read from it have lists.
        return (tuple(value) if isinstance(value, list) else value) in self.options

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.options))}"

    def around(self, centre: object, share: float) -> "Choice":
        """Return all options, since they have no order."""
        return self


Range = Float | Int | Choice
Space = Mapping[str, Range]
"""Parameters that are tuned, each with its range; the others keep their default."""


def narrow_space(space: Space, centre: Mapping[str, Any], share: float) -> Space:
    """Narrow each range of a space around a value.

    Args:
        space: ranges by parameter.
        centre: the value of each parameter.
        share: width of a new range as a share of the old width.
    """
    return {name: limits.around(centre[name], share) for name, limits in space.items()}

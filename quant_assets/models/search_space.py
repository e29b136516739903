"""Ranges that the parameters of a family are tuned in, in plain data.

Each family declares its own beside its defaults. What is done with them is decided in ``tuning``,
what a family may be fitted with in ``models.parameters``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any


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
"""Parameters that are tuned, each with its range; the others keep their default."""


def narrow_space(space: Space, centre: Mapping[str, Any], share: float) -> Space:
    """Each range reduced to that share of its width around the value of that name."""
    return {name: part.around(centre[name], share) for name, part in space.items()}

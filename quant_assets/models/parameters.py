"""What parameters a family may be fitted with, and reading them from text and stored JSON.

Which of them a fit gets is decided in ``training.parameter_selection``.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from quant_assets.core.errors import SettingsError, unknown_name
from quant_assets.models.protocol import Parameters
from quant_assets.models.registry import FAMILIES, load_family
from quant_assets.models.search_space import Space


def tunable_families(families: Sequence[str] = FAMILIES) -> tuple[str, ...]:
    """Those of the families that have something to tune."""
    return tuple(name for name in families if load_family(name).space)


def search_space_of(family_name: str) -> Space:
    """What of a family is tuned.

    Raises:
        UnknownNameError: nothing is, or there is no such family.
    """
    if family_name not in tunable_families():
        raise unknown_name("family to tune", family_name, list(tunable_families()))
    return load_family(family_name).space


def check_parameters(family_name: str, parameters: Parameters) -> None:
    """Refuse what a fit would stumble over, or silently ignore.

    A tuned parameter must lie in its range, another be of its default's kind.

    Raises:
        UnknownNameError: there is no such family, or it has no such parameter.
        SettingsError: a value is out of range, or of another kind.
    """
    chosen = load_family(family_name)
    for name, value in parameters.items():
        if name not in chosen.defaults:
            raise unknown_name(f"parameter of {family_name}", name, list(chosen.defaults))
        if name in chosen.space:
            fits, expected = value in chosen.space[name], str(chosen.space[name])
        else:
            fits, expected = _alike(value, chosen.defaults[name]), _kind(chosen.defaults[name])
        if not fits:
            raise SettingsError(
                "a parameter is out of its range",
                where=f"{family_name}.{name}",
                expected=expected,
                found=repr(value),
            )


def restore_parameters(parameters: Parameters) -> Parameters:
    """Parameters that came through JSON, which knows no tuples: its lists become some."""
    return {name: _tuples(value) for name, value in parameters.items()}


def parse_assignments(given: Sequence[str], families: Sequence[str]) -> Mapping[str, Parameters]:
    """Parameters by family, from texts like ``ridge.shrinkage=0.7``; values are JSON or else text.

    Args:
        given: the texts.
        families: that are fitted; a parameter of another would have no effect.

    Raises:
        SettingsError: a text is not of that form, or a value out of range.
        UnknownNameError: no such family is fitted, or it has no such parameter.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        family_name, dot, name = key.strip().partition(".")
        if not (equals and dot):
            raise SettingsError(
                "a parameter cannot be read",
                expected="FAMILY.PARAMETER=VALUE, for example ridge.shrinkage=0.7",
                found=repr(text),
            )
        if family_name not in families:
            load_family(family_name)
            raise SettingsError(
                "a parameter is of a family that is not fitted",
                expected=f"one of {', '.join(families)}",
                found=repr(family_name),
                hint=f"add it: --families {','.join((*families, family_name))}",
            )
        found.setdefault(family_name, {})[name] = _value(value.strip())
    for family_name, parameters in found.items():
        check_parameters(family_name, parameters)
    return found


def _value(text: str) -> Any:
    try:
        return _tuples(json.loads(text))
    except ValueError:
        return text


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _number(value: Any) -> bool:
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and value >= 0


_KINDS: Mapping[type, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_whole, "a whole number not below zero"),
    float: (_number, "a number not below zero"),
    str: (lambda value: isinstance(value, str), "text"),
    type(None): (lambda value: value is None or _whole(value), "a whole number, or null"),
}
"""What stands in a default's place, by its type. No family has a parameter below zero."""


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        several = isinstance(value, list | tuple) and len(value) > 0
        return several and all(_alike(one, default[0]) for one in value)
    return _KINDS[type(default)][0](value)


def _kind(default: Any) -> str:
    if isinstance(default, tuple):
        return f"a list, each of it {_kind(default[0])}"
    return _KINDS[type(default)][1]

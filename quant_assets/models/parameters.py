"""Checking a family's parameters, and reading them from text and stored JSON.

``training.parameter_selection`` selects the parameters of a fit.
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
    """Return the families that have parameters to tune."""
    return tuple(name for name in families if load_family(name).space)


def search_space_of(family_name: str) -> Space:
    """Return the ranges of a family's tuned parameters.

    Raises:
        UnknownNameError: there is no such family, or it has no parameters to tune.
    """
    if family_name not in tunable_families():
        raise unknown_name("family to tune", family_name, list(tunable_families()))
    return load_family(family_name).space


def check_parameters(family_name: str, parameters: Parameters) -> None:
    """Refuse parameters that a fit cannot use or would ignore.

    A tuned parameter must lie in its range; another must be of the kind of its default.

    Args:
        family_name: name of the family.
        parameters: values by parameter; not necessarily all parameters.

    Raises:
        UnknownNameError: there is no such family, or it has no such parameter.
        SettingsError: a value is out of range or of the wrong kind.
    """
    family = load_family(family_name)
    for name, value in parameters.items():
        if name not in family.defaults:
            raise unknown_name(f"parameter of {family_name}", name, list(family.defaults))
        if name in family.space:
            valid, expected = value in family.space[name], str(family.space[name])
        else:
            default = family.defaults[name]
            valid, expected = _is_like(value, default), _describe_kind(default)
        if not valid:
            raise SettingsError(
                "a parameter is out of its range",
                where=f"{family_name}.{name}",
                expected=expected,
                found=repr(value),
            )


def restore_parameters(parameters: Parameters) -> Parameters:
    """Turn the lists of parameters read from JSON, which has no tuples, into tuples."""
    return {name: _to_tuples(value) for name, value in parameters.items()}


def parse_assignments(texts: Sequence[str], families: Sequence[str]) -> Mapping[str, Parameters]:
    """Parse texts like ``ridge.shrinkage=0.7`` into parameters by family.

    A value is read as JSON; what is not JSON is taken as text.

    Args:
        texts: assignments of the form FAMILY.PARAMETER=VALUE.
        families: the families that are fitted.

    Raises:
        SettingsError: a text has another form, its family is not fitted, or its value is out of
            range.
        UnknownNameError: there is no such family, or it has no such parameter.
    """
    parsed: dict[str, dict[str, Any]] = {}
    for text in texts:
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
        parsed.setdefault(family_name, {})[name] = _parse_value(value.strip())
    for family_name, parameters in parsed.items():
        check_parameters(family_name, parameters)
    return parsed


def _parse_value(text: str) -> Any:
    try:
        return _to_tuples(json.loads(text))
    except ValueError:
        return text


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _is_number(value: Any) -> bool:
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and value >= 0


_KINDS: Mapping[type, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_is_whole, "a whole number not below zero"),
    float: (_is_number, "a number not below zero"),
    str: (lambda value: isinstance(value, str), "text"),
    type(None): (lambda value: value is None or _is_whole(value), "a whole number, or null"),
}
"""Check and description of the values that may replace a default, by the default's type.

No family has a parameter below zero.
"""


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        several = isinstance(value, list | tuple) and len(value) > 0
        return several and all(_is_like(element, default[0]) for element in value)
    return _KINDS[type(default)][0](value)


def _describe_kind(default: Any) -> str:
    if isinstance(default, tuple):
        return f"a list, each element {_describe_kind(default[0])}"
    return _KINDS[type(default)][1]

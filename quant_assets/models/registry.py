"""The families there are. A new family is one module beside this one and its name below."""

from importlib import import_module
from typing import cast

from quant_assets.errors import unknown_name
from quant_assets.models.base import Family

_MODULES = {
    "rank_prior": "quant_assets.models.rank_prior",
    "ridge": "quant_assets.models.ridge",
    "lightgbm": "quant_assets.models.boosting",
}
FAMILIES = tuple(_MODULES)


def family(name: str) -> Family:
    """The family of that name; a module that follows the ``Family`` protocol.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in _MODULES:
        raise unknown_name("model family", name, list(_MODULES))
    return cast(Family, import_module(_MODULES[name]))

"""The list of model families. A new family is a module in ``families`` and an entry here."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import cast

from quant_assets.core.errors import unknown_name
from quant_assets.models.protocol import Family

_MODULES = {
    "rank_prior": "quant_assets.models.families.rank_prior",
    "ridge": "quant_assets.models.families.ridge",
    "autoregressive": "quant_assets.models.families.autoregressive",
    "lightgbm": "quant_assets.models.families.lightgbm",
    "xgboost": "quant_assets.models.families.xgboost",
    "bayesian_svar": "quant_assets.models.families.bayesian_svar",
    "rank_mlp": "quant_assets.models.families.rank_mlp",
    "regime_lstm": "quant_assets.models.families.regime_lstm",
    "transformer_mat": "quant_assets.models.families.transformer_mat",
}
FAMILIES = tuple(_MODULES)
FAST = ("rank_prior", "ridge", "lightgbm")
"""Families that a demo fits by default."""
FALL_BACK = "rank_prior"
"""The family that is always selected: it needs labels only, so it forecasts if all others fail."""
DAILY = (FALL_BACK,)
"""Families that are fitted every day, which costs little. They use labels and no features. A
release never pins them: it forecasts with their newest fit."""


def select_families(text: str) -> tuple[str, ...]:
    """Return the families that a setting names, and the fall-back.

    Args:
        text: names of families or groups, joined by commas; the groups are ``fast`` and ``all``.

    Raises:
        UnknownNameError: no family or group has such a name.
    """
    groups = {"fast": FAST, "all": FAMILIES}
    names = [name.strip() for name in text.split(",") if name.strip()]
    wanted = [family for name in names for family in groups.get(name, (name,))]
    for name in wanted:
        if name not in _MODULES:
            raise unknown_name("model family", name, [*groups, *_MODULES])
    return tuple(name for name in FAMILIES if name in (FALL_BACK, *wanted))


def preload(names: Sequence[str], others: Sequence[str] = ()) -> None:
    """Start importing the families' libraries in the background, and return at once.

    A run needs the libraries after its first validation, which takes seconds.

    Args:
        names: names of the families.
        others: further modules to import.
    """
    libraries = dict.fromkeys([*(load_family(name).library for name in names), *others])

    def load() -> None:
        for library in libraries:
            # RuntimeError: the interpreter is shutting down, because the command has ended.
            with suppress(ImportError, RuntimeError):
                import_module(library)

    Thread(target=load).start()


def load_family(name: str) -> Family:
    """Import the module of a family, which follows the ``Family`` protocol.

    Raises:
        UnknownNameError: no family has this name.
    """
    return cast(Family, import_module(family_module(name)))


def family_module(name: str) -> str:
    """Return the dotted name of a family's module, without importing it.

    Raises:
        UnknownNameError: no family has this name.
    """
    if name not in _MODULES:
        raise unknown_name("model family", name, list(_MODULES))
    return _MODULES[name]

"""The families there are. A new family is one module beside this one and its name below."""

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
"""What a demo fits if nobody says otherwise."""
FALL_BACK = "rank_prior"
"""Always among the families: it needs labels only, and a day on which all others fail has it."""
DAILY = (FALL_BACK,)
"""Fitted anew each day, since that costs next to nothing. They see labels only, no features.
What they learnt since a release goes into its forecasts: they are never pinned."""


def select_families(text: str) -> tuple[str, ...]:
    """The families that a setting names, and the fall-back.

    Args:
        text: names joined by commas, ``fast`` or ``all``.

    Raises:
        UnknownNameError: there is no such family.
    """
    groups = {"fast": FAST, "all": FAMILIES}
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = [one for name in names for one in groups.get(name, (name,))]
    for name in found:
        if name not in _MODULES:
            raise unknown_name("model family", name, [*groups, *_MODULES])
    return tuple(name for name in FAMILIES if name in (FALL_BACK, *found))


def preload(names: Sequence[str], others: Sequence[str] = ()) -> None:
    """Begin to import the families' libraries, and others, beside what goes on; return at once.

    A run waits for its first validation, and needs the libraries later.
    """
    libraries = dict.fromkeys([*(load_family(name).library for name in names), *others])

    def load() -> None:
        for library in libraries:
            # RuntimeError: the command has ended meanwhile, and its interpreter with it.
            with suppress(ImportError, RuntimeError):
                import_module(library)

    Thread(target=load).start()


def load_family(name: str) -> Family:
    """Import the family of that name: a module that follows the ``Family`` protocol.

    Raises:
        UnknownNameError: there is none.
    """
    return cast(Family, import_module(family_module(name)))


def family_module(name: str) -> str:
    """Return the dotted name of a family's module, without importing it.

    Raises:
        UnknownNameError: there is no such family.
    """
    if name not in _MODULES:
        raise unknown_name("model family", name, list(_MODULES))
    return _MODULES[name]

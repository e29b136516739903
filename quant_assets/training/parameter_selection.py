"""The parameters of a fit: set by hand, from a study as of the fit's day or before, or defaults.

A fit as of day t uses the best trial of the newest study as of t or before. A study as of t sees
the same days as a fit as of t, so a fit depends on no later day. A study changes no fit as of an
earlier day.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.forecast_tables import study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import check_parameters, restore_parameters
from quant_assets.models.protocol import Parameters
from quant_assets.models.registry import load_family
from quant_assets.training.walk_forward import find_fit_in_force


@dataclass(frozen=True)
class SelectedParameters:
    """Parameters of a fit and their origin.

    Attributes:
        parameters: all parameters of the family.
        study: as-of day of the study whose best trial they are; None for the defaults.
        by_hand: names of the parameters that a person set instead.
    """

    parameters: Parameters
    study: date | None = None
    by_hand: tuple[str, ...] = ()

    def changed(self, by_hand: Parameters) -> "SelectedParameters":
        """Return these parameters with some replaced by values that a person set."""
        return SelectedParameters({**self.parameters, **by_hand}, self.study, tuple(by_hand))


def select_parameters(
    lake: Lake,
    settings: Settings,
    name: str,
    days: DayArray,
    by_hand: Parameters,
    warn: Callable[[str], None],
) -> list[SelectedParameters]:
    """Select the parameters of the fit as of each day.

    A study whose parameters the family no longer accepts is replaced by the defaults.

    Args:
        lake: the lake with the studies.
        settings: whether studies are used at all.
        name: name of the family.
        days: (n,) as-of days, ascending.
        by_hand: parameters that replace those of a study and the defaults.
        warn: called with a message about each study that cannot be used.

    Raises:
        UnknownNameError: the family lacks a parameter of ``by_hand``.
        SettingsError: a value of ``by_hand`` is out of range.
    """
    check_parameters(name, by_hand)
    by_hand = restore_parameters(by_hand)
    studies = read_best_parameters(lake, name) if settings.tuned else []
    if not len(days) or not studies:
        return [SelectedParameters(load_family(name).defaults).changed(by_hand) for _ in days]
    as_of = np.array([study for study, _ in studies], dtype="datetime64[D]")
    in_force = find_fit_in_force(days.astype(np.int64), as_of.astype(np.int64))
    used = {i: _check_study(name, studies[i], warn) for i in np.unique(in_force).tolist() if i >= 0}
    default = SelectedParameters(load_family(name).defaults)
    return [used.get(int(i), default).changed(by_hand) for i in in_force]


def read_best_parameters(lake: Lake, name: str) -> Sequence[tuple[date, str]]:
    """Read each study's as-of day and best parameters, as JSON, in the order of days."""
    table = study_table(name)
    if not lake.has(table):
        return []
    rows = lake.query(
        f"SELECT trading_day, parameters FROM {table.quoted} WHERE best ORDER BY trading_day"
    )
    return list(zip(rows["trading_day"].dt.date, rows["parameters"], strict=True))


def _check_study(
    name: str, study: tuple[date, str], warn: Callable[[str], None]
) -> SelectedParameters:
    as_of, text = study
    defaults, best = load_family(name).defaults, restore_parameters(json.loads(text))
    try:
        check_parameters(name, best)
    except QuantAssetsError as error:
        warn(f"{name}: the defaults replace the study as of {as_of}, which cannot be used: {error}")
        return SelectedParameters(defaults)
    return SelectedParameters({**defaults, **best}, as_of)

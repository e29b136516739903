"""Which parameters a fit as of a day gets: by hand, of a study known by then, or the defaults.

A fit as of day t uses the best trial of the newest study as of t or before. A study as of t knows
what a fit as of t does, so nothing later reaches a fit; and it changes no fit before t.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.tables import study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import check_parameters, restore_parameters
from quant_assets.models.protocol import Parameters
from quant_assets.models.registry import load_family
from quant_assets.training.walk_forward import find_fit_in_force


@dataclass(frozen=True)
class SelectedParameters:
    """Parameters of a fit and where they come from.

    Attributes:
        parameters: all of them.
        study: as-of day of the study they are the best of; None for the defaults.
        by_hand: names of those that somebody set instead.
    """

    parameters: Parameters
    study: date | None = None
    by_hand: tuple[str, ...] = ()

    def changed(self, by_hand: Parameters) -> "SelectedParameters":
        """The same with some of them set by hand."""
        return SelectedParameters({**self.parameters, **by_hand}, self.study, tuple(by_hand))


def select_parameters(
    lake: Lake,
    settings: Settings,
    name: str,
    days: DayArray,
    by_hand: Parameters,
    warn: Callable[[str], None],
) -> list[SelectedParameters]:
    """For each as-of day the parameters of a fit.

    Args:
        lake: the lake; a study whose parameters the code no longer takes counts as the defaults.
        settings: whether studies are used at all.
        name: the family.
        days: (n,) as-of days, ascending.
        by_hand: parameters that take precedence.
        warn: told of studies that cannot be used.

    Raises:
        UnknownNameError: the family has no parameter that is set by hand.
        SettingsError: such a one is out of range.
    """
    check_parameters(name, by_hand)
    by_hand = restore_parameters(by_hand)
    studies = read_best_parameters(lake, name) if settings.tuned else []
    if not len(days) or not studies:
        return [SelectedParameters(load_family(name).defaults).changed(by_hand) for _ in days]
    as_of = np.array([study for study, _ in studies], dtype="datetime64[D]")
    in_force = find_fit_in_force(days.astype(np.int64), as_of.astype(np.int64))
    used = {i: _usable(name, studies[i], warn) for i in np.unique(in_force).tolist() if i >= 0}
    default = SelectedParameters(load_family(name).defaults)
    return [used.get(int(i), default).changed(by_hand) for i in in_force]


def read_best_parameters(lake: Lake, name: str) -> Sequence[tuple[date, str]]:
    """As-of day and best parameters, as JSON, of each study of a family, by day."""
    table = study_table(name)
    if not lake.has(table):
        return []
    found = lake.query(
        f"SELECT trading_day, parameters FROM {table.quoted} WHERE best ORDER BY trading_day"
    )
    return list(zip(found["trading_day"].dt.date, found["parameters"], strict=True))


def _usable(name: str, stored: tuple[date, str], warn: Callable[[str], None]) -> SelectedParameters:
    study, text = stored
    defaults, found = load_family(name).defaults, restore_parameters(json.loads(text))
    try:
        check_parameters(name, found)
    except QuantAssetsError as error:
        warn(f"{name}: the study as of {study} cannot be used, the defaults are: {error}")
        return SelectedParameters(defaults)
    return SelectedParameters({**defaults, **found}, study)

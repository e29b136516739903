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
from quant_assets.models.parameters import check_parameters, restored
from quant_assets.models.protocol import Parameters
from quant_assets.models.registry import family
from quant_assets.training.walk_forward import fit_in_force


@dataclass(frozen=True)
class Chosen:
    """Parameters of a fit and where they come from.

    Attributes:
        parameters: all of them.
        study: as-of day of the study they are the best of; None for the defaults.
        by_hand: names of those that somebody set instead.
    """

    parameters: Parameters
    study: date | None = None
    by_hand: tuple[str, ...] = ()

    def changed(self, by_hand: Parameters) -> "Chosen":
        """The same with some of them set by hand."""
        return Chosen({**self.parameters, **by_hand}, self.study, tuple(by_hand))


def choices(
    lake: Lake,
    settings: Settings,
    name: str,
    days: DayArray,
    by_hand: Parameters,
    warn: Callable[[str], None],
) -> list[Chosen]:
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
    by_hand = restored(by_hand)
    studies = best_of_studies(lake, name) if settings.tuned else []
    if not len(days) or not studies:
        return [Chosen(family(name).defaults).changed(by_hand) for _ in days]
    as_of = np.array([study for study, _ in studies], dtype="datetime64[D]")
    in_force = fit_in_force(days.astype(np.int64), as_of.astype(np.int64))
    used = {i: _usable(name, studies[i], warn) for i in np.unique(in_force).tolist() if i >= 0}
    default = Chosen(family(name).defaults)
    return [used.get(int(i), default).changed(by_hand) for i in in_force]


def best_of_studies(lake: Lake, name: str) -> Sequence[tuple[date, str]]:
    """As-of day and best parameters, as JSON, of each study of a family, by day."""
    table = study_table(name)
    if not lake.has(table):
        return []
    found = lake.query(
        f"SELECT trading_day, parameters FROM {table.quoted} WHERE best ORDER BY trading_day"
    )
    return list(zip(found["trading_day"].dt.date, found["parameters"], strict=True))


def _usable(name: str, stored: tuple[date, str], warn: Callable[[str], None]) -> Chosen:
    study, text = stored
    defaults, found = family(name).defaults, restored(json.loads(text))
    try:
        check_parameters(name, found)
    except QuantAssetsError as error:
        warn(f"{name}: the study as of {study} cannot be used, the defaults are: {error}")
        return Chosen(defaults)
    return Chosen({**defaults, **found}, study)

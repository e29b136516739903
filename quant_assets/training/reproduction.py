"""Repeating a stored fit from its record: as-of day, lake snapshot, parameters and seed."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from quant_assets.core.errors import FitError, LakeError
from quant_assets.features.catalogue import CATALOGUE_VERSION, is_same_arithmetic
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.tables import fits_table
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import restore_parameters
from quant_assets.models.protocol import Resources
from quant_assets.models.registry import load_family
from quant_assets.training.fitting import FitOrder, FitRow, make_fit
from quant_assets.training.parameter_selection import SelectedParameters

_WHERE_FROM = {"code": "the family's code", "library": "the library"}


@dataclass(frozen=True)
class Reproduction:
    """A repeated fit beside the record of the first one.

    Attributes:
        recorded: row of the fits table.
        made: the record of the repeated fit, which is not stored.
        model: bytes of the repeated fit's model.
    """

    recorded: FitRow
    made: FitRow
    model: bytes

    @property
    def same(self) -> bool:
        """Whether the two models are equal bit for bit, and with them all forecasts."""
        return bool(self.made["sha256"] == self.recorded["sha256"])

    @property
    def changed(self) -> tuple[str, ...]:
        """What differs between the two fits: their code and their library."""
        return tuple(
            f"{what}: {self.recorded[key]} then, {self.made[key]} now"
            for key, what in _WHERE_FROM.items()
            if self.recorded[key] != self.made[key]
        )


def repeat_fit(lake: Lake, name: str, as_of: date, threads: int = 1) -> Reproduction:
    """Repeat a family's fit as of a day, from the lake as it was then.

    Args:
        lake: the lake.
        name: the family.
        as_of: as-of day of the fit.
        threads: how many to use; the result does not depend on it.

    Raises:
        UnknownNameError: there is no such family.
        LakeError: there is no such fit, its snapshot has expired, or it was made on other
            features.
        FitError: the fit failed then, or fails now.
    """
    recorded = _record(lake, name, as_of)
    _require_repeatable(name, recorded)
    with lake.as_of(recorded["snapshot"]) as then:
        seen = read_observations(then, as_of)
    order = FitOrder(
        name,
        len(seen.days) - 1,
        SelectedParameters(
            restore_parameters(json.loads(recorded["parameters"])), recorded["study"]
        ),
        Resources(recorded["seed"], threads),
        recorded["fingerprint"],
    )
    with TemporaryDirectory() as folder:
        made = make_fit(order, seen, Path(folder))
        if made["failure"]:
            raise FitError("the fit comes to nothing now", where=name, found=made["failure"])
        model = read_artifact(Path(folder), made["artifact"], made["sha256"])
    return Reproduction(recorded, made, model)


def _record(lake: Lake, name: str, as_of: date) -> FitRow:
    load_family(name)
    table = fits_table(name)
    rows = lake.arrow(
        f"SELECT * FROM {table.quoted} WHERE trading_day = ?", [as_of], needs=table
    ).to_pylist()
    if not rows:
        days = lake.arrow(f"SELECT trading_day FROM {table.quoted} ORDER BY ALL DESC LIMIT 3")
        raise LakeError(
            "there is no fit as of this day",
            where=table.name,
            expected=f"such as {', '.join(map(str, days['trading_day'].to_pylist()))}",
            found=as_of,
        )
    return dict(rows[0])


def _require_repeatable(name: str, recorded: FitRow) -> None:
    if recorded["failure"]:
        raise FitError("the fit came to nothing", where=name, found=recorded["failure"])
    if not is_same_arithmetic(recorded["features_version"]):
        raise LakeError(
            "the fit was made on other features",
            where=name,
            expected=f"features of version {CATALOGUE_VERSION}",
            found=recorded["features_version"],
            hint="repeat it with the code that made it, or make the fit anew",
        )

"""Repeating a stored fit from its record: as-of day, lake snapshot, parameters and seed."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from quant_assets.core.errors import FitError, LakeError
from quant_assets.features.further_inputs import (
    FurtherInputs,
    is_same_version,
    version_of_inputs,
)
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import restore_parameters
from quant_assets.models.protocol import Resources
from quant_assets.models.registry import load_family
from quant_assets.training.fitting import FitOrder, FitRow, make_fit
from quant_assets.training.parameter_selection import SelectedParameters

_ORIGINS = {"code": "the family's code", "library": "the library"}


@dataclass(frozen=True)
class Reproduction:
    """A repeated fit, and the record of the original fit.

    Attributes:
        recorded: record of the original fit: a row of the fits table.
        repeated: record of the repeated fit, which is not stored.
        model: bytes of the repeated fit's model.
    """

    recorded: FitRow
    repeated: FitRow
    model: bytes

    @property
    def same(self) -> bool:
        """Whether the two models are equal bit for bit, so that all forecasts are equal too."""
        return bool(self.repeated["sha256"] == self.recorded["sha256"])

    @property
    def changed(self) -> tuple[str, ...]:
        """Differences between code and library of the two fits, in words."""
        return tuple(
            f"{origin}: {self.recorded[key]} then, {self.repeated[key]} now"
            for key, origin in _ORIGINS.items()
            if self.recorded[key] != self.repeated[key]
        )


def repeat_fit(lake: Lake, name: str, as_of: date, threads: int = 1) -> Reproduction:
    """Repeat a family's fit as of a day, on the snapshot of the lake that it was trained on.

    Args:
        lake: the lake.
        name: name of the family.
        as_of: as-of day of the fit.
        threads: number of threads; the result does not depend on it.

    Raises:
        UnknownNameError: no family has this name.
        LakeError: no such fit is stored, its snapshot has expired, or it was made on other
            features.
        FitError: the original fit failed, or the repeated fit fails.
    """
    recorded = _record(lake, name, as_of)
    _require_repeatable(name, recorded)
    with lake.as_of(recorded["snapshot"]) as earlier_lake:
        further = read_further_inputs(earlier_lake)
        _require_same_features(name, recorded, further)
        observations = read_observations(earlier_lake, as_of)
    order = FitOrder(
        name,
        len(observations.days) - 1,
        SelectedParameters(
            restore_parameters(json.loads(recorded["parameters"])), recorded["study"]
        ),
        Resources(recorded["seed"], threads),
        recorded["fingerprint"],
        version_of_inputs(further),
    )
    with TemporaryDirectory() as folder:
        repeated = make_fit(order, observations, Path(folder))
        if repeated["failure"]:
            raise FitError("the repeated fit failed", where=name, found=repeated["failure"])
        model = read_artifact(Path(folder), repeated["artifact"], repeated["sha256"])
    return Reproduction(recorded, repeated, model)


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
        raise FitError("the original fit failed", where=name, found=recorded["failure"])


def _require_same_features(name: str, recorded: FitRow, further: FurtherInputs) -> None:
    if not is_same_version(recorded["features_version"], further):
        raise LakeError(
            "the fit was made on other features",
            where=name,
            expected=f"features of version {version_of_inputs(further)}",
            found=recorded["features_version"],
            hint="repeat it with the code that made it, or run retrain_models",
        )

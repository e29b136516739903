"""The protocol of model families, and the arrays that they get.

Families use neither the lake nor Dagster. They get ``Observations``, which hold only what was known
on the last of their days.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from quant_assets.core.large_arrays import join_blocks
from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.targets import align_to_forecast_day
from quant_assets.models.search_space import Space

Parameters = Mapping[str, Any]
Groups = Mapping[str, str]
"""The group of each feature; a feature without a group is a group by itself."""
_DAYS_AT_ONCE = 32
PRIOR = "prior"
"""The group of the part of a score that does not depend on the day's inputs."""


@dataclass(frozen=True)
class FeatureBlock:
    """Features of targets, of instruments or of the market.

    Attributes:
        names: names of the p features.
        values: (n, units, p) float32, or (n, p) for the market as a whole; NaN where undefined.
    """

    names: tuple[str, ...]
    values: FloatArray

    def column(self, name: str) -> FloatArray:
        """Return the values of one feature, without the feature axis."""
        return self.values[..., self.names.index(name)]

    def units(self, kept: BoolArray) -> "FeatureBlock":
        """Return the features of some units; those of many days lie in a temporary file."""
        n, _, p = self.values.shape
        blocks = (
            self.values[day : day + _DAYS_AT_ONCE, kept] for day in range(0, n, _DAYS_AT_ONCE)
        )
        shape = (n, int(kept.sum()), p)
        return FeatureBlock(self.names, join_blocks(blocks, shape, self.values.dtype))


@dataclass(frozen=True)
class Observations:
    """The features and labels that are known at the close of the last day.

    Every array is indexed by the day on which its values became known, so the observations known on
    an earlier day are a slice.

    Attributes:
        days: (n,) trading days, ascending.
        targets: names of the m targets.
        lags: (m,) holding periods in trading days.
        instruments: names of the k instruments.
        groups: name of the group of each instrument, such as its market.
        closing_order: order of the close of each instrument's group within a day.
        legs: (m, 2) positions of both legs among the instruments; -1 for no second leg.
        known_labels: (n, m) labels by the day on which they became known; NaN where empty.
        target: features of each target, (n, m, p).
        instrument: features of each instrument, (n, k, q).
        market: features of the market, (n, f).
        begins: (k,) first day of each instrument in the universe; None if all have always been.
    """

    days: DayArray
    targets: tuple[str, ...]
    lags: IntArray
    instruments: tuple[str, ...]
    groups: tuple[str, ...]
    closing_order: tuple[int, ...]
    legs: IntArray
    known_labels: FloatArray
    target: FeatureBlock
    instrument: FeatureBlock
    market: FeatureBlock
    begins: DayArray | None = None

    def rows(self, start: int, stop: int) -> "Observations":
        """Return the observations of the days ``start:stop``; their arrays are views.

        The observations as of row t are ``rows(0, t + 1)``.
        """
        part = slice(start, stop)
        return Observations(
            self.days[part],
            self.targets,
            self.lags,
            self.instruments,
            self.groups,
            self.closing_order,
            self.legs,
            self.known_labels[part],
            FeatureBlock(self.target.names, self.target.values[part]),
            FeatureBlock(self.instrument.names, self.instrument.values[part]),
            FeatureBlock(self.market.names, self.market.values[part]),
            self.begins,
        )

    def begun_targets(self, as_of: np.datetime64) -> BoolArray:
        """Return (m,) whether every leg of a target had come into the universe by a day."""
        if self.begins is None:
            return np.ones(len(self.targets), dtype=np.bool_)
        # A target without a second leg depends on its first alone.
        legs = np.where(self.legs < 0, self.legs[:, :1], self.legs)
        return np.asarray((self.begins[legs] <= as_of).all(axis=1))

    def begun_by(self, as_of: np.datetime64) -> "Observations":
        """Return the observations of instruments, and of their targets, that had begun by a day.

        The observations themselves are returned if all had.
        """
        if self.begins is None or (self.begins <= as_of).all():
            return self
        kept, targets = self.begins <= as_of, self.begun_targets(as_of)
        # The last position is that of a leg that is not there.
        position = np.append(np.cumsum(kept) - 1, -1)
        at = np.flatnonzero(kept)
        return replace(
            self,
            targets=tuple(self.targets[i] for i in np.flatnonzero(targets)),
            lags=self.lags[targets],
            instruments=tuple(self.instruments[i] for i in at),
            groups=tuple(self.groups[i] for i in at),
            closing_order=tuple(self.closing_order[i] for i in at),
            legs=position[self.legs[targets]],
            known_labels=self.known_labels[:, targets],
            target=self.target.units(targets),
            instrument=self.instrument.units(kept),
            begins=self.begins[kept],
        )

    def last(self, rows: int) -> "Observations":
        """Return the observations of the last ``rows`` days; their arrays are views."""
        return self.rows(len(self.days) - rows, len(self.days))

    def labels(self) -> FloatArray:
        """(n, m) labels by forecast day; NaN where empty or not known on the last day."""
        return align_to_forecast_day(self.known_labels, self.lags)


@dataclass(frozen=True)
class Resources:
    """Seed, threads and checkpoint file of a fit.

    Attributes:
        seed: seed of all random numbers.
        threads: number of threads; the result does not depend on it.
        checkpoint: file to which a long fit may write its state, and from which it continues after
            an interruption. The caller deletes it after the fit. None for no checkpoint.
    """

    seed: int = 7
    threads: int = 1
    checkpoint: Path | None = None


def sum_by_group(
    parts: Iterable[FloatArray], names: Sequence[str], groups: Groups
) -> dict[str, FloatArray]:
    """Sum the contributions of inputs by their groups.

    Contributions are added one after the other, because a sum over an axis may round differently
    for a single day.

    Args:
        parts: contribution of each input, all of one shape.
        names: name of each input.
        groups: group of each input.
    """
    sums: dict[str, FloatArray] = {}
    for part, name in zip(parts, names, strict=True):
        group = groups.get(name, name)
        sums[group] = sums[group] + part if group in sums else part
    return sums


class Forecaster(Protocol):
    """A fitted model."""

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Forecast the last ``rows`` days of ``observations``.

        Returns an array of shape (rows, m) of scores, finite everywhere; only their order within a
        day matters. The forecast of a day depends on that day and the family's ``lookback`` days
        before it only: a day forecast alone has the same bits as among other days.
        """

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute what each group of inputs adds to :meth:`forecast`.

        Returns arrays of shape (rows, m) by group. They sum to the forecast up to a constant a day,
        which changes no rank, and depend on the same days as the forecast. An unknown input adds
        nothing in models that replace it by its mean; trees have a branch for unknown inputs.

        Args:
            observations: observations as for a forecast.
            rows: number of last days.
            groups: group of each feature.
        """

    def importance(self) -> Mapping[str, float]:
        """Return each input's share in the forecasts; shares sum to 1. Empty without inputs."""

    def to_bytes(self) -> bytes:
        """Return the model as bytes, from which ``Family.load`` restores it."""


class Family(Protocol):
    """A kind of model: a module with ``fit`` and ``load``.

    Attributes:
        name: name of the family.
        description: one sentence for the reference page.
        library: distribution that the family needs.
        lookback: number of days before a forecast day that the forecast depends on.
        defaults: all parameters with their defaults.
        space: ranges of the tuned parameters.
    """

    name: str
    description: str
    library: str
    lookback: int
    defaults: Parameters
    space: Space

    def fit(
        self, observations: Observations, parameters: Parameters, resources: Resources
    ) -> Forecaster:
        """Fit to what is known on the last day of ``observations``.

        Args:
            observations: features and labels up to the as-of day.
            parameters: all parameters of the family.
            resources: seed, threads and checkpoint file.

        Raises:
            NotEnoughHistoryError: too few labels are known.
            FitError: the fit failed, for example because it did not converge.
        """

    def load(self, stored: bytes) -> Forecaster:
        """Restore a model from the bytes of ``Forecaster.to_bytes``."""

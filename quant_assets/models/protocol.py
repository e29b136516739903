"""The protocol every model family follows, and the arrays it sees.

Families know neither lake nor Dagster. They are handed ``Observations`` and can therefore only use
what was known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.targets import align_to_forecast_day
from quant_assets.models.search_space import Space

Parameters = Mapping[str, Any]
Groups = Mapping[str, str]
"""The group of each feature; one without is a group of its own."""
PRIOR = "prior"
"""The group of what a model scores whatever the day's inputs are."""


@dataclass(frozen=True)
class FeatureBlock:
    """Features of one level.

    Attributes:
        names: p features.
        values: (n, units, p) float32, or (n, p) for the market as a whole; NaN where undefined.
    """

    names: tuple[str, ...]
    values: FloatArray

    def column(self, name: str) -> FloatArray:
        """One feature's values, without the feature axis."""
        return self.values[..., self.names.index(name)]


@dataclass(frozen=True)
class Observations:
    """Everything known at the close of the last day.

    Every array is indexed by the day its values became known: what was known on an earlier day is
    a slice.

    Attributes:
        days: (n,) trading days, ascending.
        targets: m names.
        lags: (m,) holding periods.
        instruments: k names, those of the instrument features.
        legs: (m, 2) positions of both legs among the instruments; -1 for no second leg.
        released: (n, m) labels by release day; NaN where empty.
        target: features per target, (n, m, p).
        instrument: features per instrument, (n, k, q).
        market: features of the market, (n, f).
    """

    days: DayArray
    targets: tuple[str, ...]
    lags: IntArray
    instruments: tuple[str, ...]
    legs: IntArray
    known_labels: FloatArray
    target: FeatureBlock
    instrument: FeatureBlock
    market: FeatureBlock

    def rows(self, start: int, stop: int) -> "Observations":
        """The days ``start:stop``, as views; as of row t is ``rows(0, t + 1)``."""
        part = slice(start, stop)
        return Observations(
            self.days[part],
            self.targets,
            self.lags,
            self.instruments,
            self.legs,
            self.known_labels[part],
            FeatureBlock(self.target.names, self.target.values[part]),
            FeatureBlock(self.instrument.names, self.instrument.values[part]),
            FeatureBlock(self.market.names, self.market.values[part]),
        )

    def labels(self) -> FloatArray:
        """(n, m) labels by the day they are forecast on; NaN where empty or not yet released."""
        return align_to_forecast_day(self.known_labels, self.lags)


@dataclass(frozen=True)
class Resources:
    """What a fit may use besides what was known.

    Attributes:
        seed: of everything random.
        threads: how many it may keep busy; the result does not depend on them.
        checkpoint: file in which a long fit may keep its state, and from which it goes on if it
            was interrupted; the caller removes it afterwards. None: nothing is kept.
    """

    seed: int = 7
    threads: int = 1
    checkpoint: Path | None = None


def by_group(
    parts: Iterable[FloatArray], names: Sequence[str], groups: Groups
) -> dict[str, FloatArray]:
    """Sums of the named inputs' contributions over each group, in the order of the names.

    One after the other: a sum over an axis may round differently for a day alone.
    """
    sums: dict[str, FloatArray] = {}
    for part, name in zip(parts, names, strict=True):
        group = groups.get(name, name)
        sums[group] = sums[group] + part if group in sums else part
    return sums


class Forecaster(Protocol):
    """A fitted model."""

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """(rows, m) scores for the last ``rows`` days of ``observations``, finite everywhere.

        The forecast of a day depends on that day and the family's ``lookback`` days before it
        only, bit for bit: a day alone gives the same as the day among others.
        """

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """What each group of inputs adds to :meth:`forecast`, as (rows, m) scores.

        They sum to the forecast up to a constant a day, which no rank depends on, and depend on
        the same days, bit for bit. An unknown input has no part of its own in models that take it
        for its mean; trees learn what it means that one is unknown.

        Args:
            observations: as for a forecast.
            rows: likewise.
            groups: by which features are summed.
        """

    def importance(self) -> Mapping[str, float]:
        """Share of each input in the forecasts, summing to 1; empty where inputs have none."""

    def to_bytes(self) -> bytes:
        """The fitted model as stored; ``Family.load`` reads it."""


class Family(Protocol):
    """A kind of model: how it is fitted and read back.

    ``defaults`` are all its parameters, ``space`` the ranges of those that are tuned.
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
        """Fit on what is known as of the last day of ``observations``.

        Raises:
            NotEnoughHistoryError: too few labels are released.
            FitError: the fit came to nothing, for example because it did not converge.
        """

    def load(self, stored: bytes) -> Forecaster:
        """Read a model back from ``Forecaster.to_bytes``."""

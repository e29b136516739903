"""Two detectors of anomalies and their limits, learnt from a reference of earlier days.

An isolation forest sees each instrument of each day on its own, with all its indicators. An
autoencoder sees the returns and volumes of all instruments of a day together. The indicators are in
``monitoring.anomalies.indicators``; ``monitoring.anomalies.anomalies`` decides which days detectors
learn from. Arrays only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.monitoring.anomalies.autoencoder import (
    Autoencoder,
    train_autoencoder,
    unpack_autoencoder,
)
from quant_assets.monitoring.anomalies.group_scores import (
    group_members,
    group_scores,
    list_scored_groups,
)
from quant_assets.monitoring.anomalies.indicators import INDICATOR_BOUNDS, INDICATORS
from quant_assets.monitoring.anomalies.isolation_forest import Forest, grow_forest, unpack_forest

FOREST, AUTOENCODER = "isolation_forest", "autoencoder"
KINDS = (FOREST, AUTOENCODER)
MIN_RETURN_DAYS = 120
"""Days with returns that a reference needs."""
MIN_INSTRUMENTS = 2
"""Instruments with returns on half of these days that a reference needs."""
SERIES_TAIL_SHARE = 1e-4
"""Share of the reference's cells beyond a series' limit: one in a market of 143 in 70 days."""
CRITICAL_LOG_MARGIN = {FOREST: 0.08, AUTOENCODER: 0.6}
"""How far beyond a group's limit a day is critical, in logarithms: 8 % and 82 %.

Chosen so that 2 of 1,305 days of a simulated market are critical and 3 of 1,787 of a real one,
among them the Swiss franc's of January 2015 and the crash of August 2015.
"""
MIN_LOG_SPREAD = {FOREST: 0.2, AUTOENCODER: 1.6}
"""How far above the median a group's limit is at least, in logarithms: the worst day of a reference
of a few quiet months is not extreme enough to be a limit."""
_FOLDS = 3


@dataclass(frozen=True)
class DetectorLimits:
    """The largest scores of one detector that are no anomaly.

    Attributes:
        series: largest ordinary score of one instrument.
        warning: (g,) largest ordinary score of each group; NaN for a group without scores.
        critical: (g,) largest score of each group that is not critical; NaN likewise.
    """

    series: float
    warning: FloatArray
    critical: FloatArray


@dataclass(frozen=True)
class Detectors:
    """Both detectors as of a day.

    Attributes:
        groups: names of the g groups that have a score: the groups of the instruments with returns
            in the reference, and last ``all``, the group of all instruments.
        instruments: names that the autoencoder knows, in its order.
        medians: (7,) median of each indicator, which stands for an unknown value.
        forest: the isolation forest.
        network: the autoencoder.
        limits: of each of ``KINDS``.
    """

    groups: tuple[str, ...]
    instruments: tuple[str, ...]
    medians: FloatArray
    forest: Forest
    network: Autoencoder
    limits: Mapping[str, DetectorLimits]

    def scores(self, indicators: FloatArray, instruments: tuple[str, ...]) -> dict[str, FloatArray]:
        """Compute each detector's score of each instrument, which its limits are compared with.

        Args:
            indicators: (n, k, 7) as :func:`price_indicators` computes them.
            instruments: names of the k instruments.

        Returns:
            By kind, (n, k) scores; NaN where there is no return. The autoencoder's are NaN for
            instruments that it does not know.
        """
        return {
            FOREST: _forest_scores(self.forest, indicators, self.medians),
            AUTOENCODER: self._errors(indicators, instruments),
        }

    def _errors(self, indicators: FloatArray, instruments: tuple[str, ...]) -> FloatArray:
        """(n, k) scores of the autoencoder, whose instruments are in another order."""
        place = {name: i for i, name in enumerate(instruments)}
        known = [i for i, name in enumerate(self.instruments) if name in place]
        columns = [place[self.instruments[i]] for i in known]
        inputs = np.full((len(indicators), len(self.instruments), indicators.shape[2]), np.nan)
        inputs[:, known] = indicators[:, columns]
        scores = np.full(indicators.shape[:2], np.nan)
        scores[:, columns] = _larger_error(self.network.errors(_join_inputs(inputs)))[:, known]
        return scores

    def arrays(self) -> dict[str, AnyArray]:
        """Return everything as arrays by name, to be stored."""
        limits = {
            f"{kind}.{name}": np.asarray(value)
            for kind, of_kind in self.limits.items()
            for name, value in vars(of_kind).items()
        }
        own = {
            "groups": np.array(self.groups),
            "instruments": np.array(self.instruments),
            "usual": self.medians,
        }
        return own | limits | self.forest.arrays() | self.network.arrays()


def unpack_detectors(arrays: Mapping[str, AnyArray]) -> Detectors:
    """Rebuild detectors from what :meth:`Detectors.arrays` returned."""
    limits = {
        kind: DetectorLimits(
            float(arrays[f"{kind}.series"]), arrays[f"{kind}.warning"], arrays[f"{kind}.critical"]
        )
        for kind in KINDS
    }
    groups, names = (tuple(map(str, arrays[name])) for name in ("groups", "instruments"))
    return Detectors(
        groups, names, arrays["usual"], unpack_forest(arrays), unpack_autoencoder(arrays), limits
    )


def learn_detectors(
    indicators: FloatArray, instruments: Sequence[str], groups: Sequence[str], seed: int
) -> Detectors:
    """Learn both detectors and their limits from the days of a reference.

    The autoencoder's limits come from days that it was not trained on: each third of the days is
    scored by a network that was trained on the others.

    Args:
        indicators: (n, k, 7) of the reference; NaN where unknown, even for all days.
        instruments: names of the k instruments.
        groups: groups of the k instruments.
        seed: of the forest and the networks.

    Raises:
        NotEnoughHistoryError: fewer than ``MIN_RETURN_DAYS`` days have returns, or fewer than
            ``MIN_INSTRUMENTS`` instruments have one on half of these.
    """
    has_return = ~np.isnan(indicators[..., 0])
    days = int(has_return.any(axis=1).sum())
    enough = has_return.sum(axis=0) * 2 >= days
    if days < MIN_RETURN_DAYS or enough.sum() < MIN_INSTRUMENTS:
        raise NotEnoughHistoryError(
            "too little to learn from what is ordinary",
            where="daily returns of raw prices, where a price moved in the 60 days before",
            expected=f"{MIN_RETURN_DAYS} days, and {MIN_INSTRUMENTS} instruments on half of them",
            found=f"{days} days, {int(enough.sum())} instruments",
            hint="anomalies are looked for from a later walk-forward day on",
        )
    medians = np.zeros(len(INDICATORS))
    for j in range(len(INDICATORS)):
        cells = indicators[..., j][has_return]
        medians[j] = np.median(cells[~np.isnan(cells)]) if np.isfinite(cells).any() else 0.0
    rows = _fill_unknown(indicators, medians)[has_return]
    forest = grow_forest(rows, INDICATOR_BOUNDS, seed)
    inputs = _join_inputs(indicators[:, enough])
    errors = np.full((len(inputs), int(enough.sum())), np.nan)
    for fold in np.array_split(np.arange(len(inputs)), _FOLDS):
        others = np.setdiff1d(np.arange(len(inputs)), fold)
        errors[fold] = _larger_error(train_autoencoder(inputs[others], seed).errors(inputs[fold]))
    # An instrument whose prices begin later must not add its group to these detectors.
    scored = list_scored_groups(_select(groups, has_return.sum(axis=0) > 0))
    members = group_members(scored, groups)
    return Detectors(
        scored,
        _select(instruments, enough),
        medians,
        forest,
        train_autoencoder(inputs, seed),
        {
            FOREST: _learn_limits(_forest_scores(forest, indicators, medians), members, FOREST),
            AUTOENCODER: _learn_limits(errors, members[:, enough], AUTOENCODER),
        },
    )


def _forest_scores(forest: Forest, indicators: FloatArray, medians: FloatArray) -> FloatArray:
    """(n, k) the forest's scores, with medians in place of unknown values; NaN without a return."""
    has_return = ~np.isnan(indicators[..., 0])
    scores = np.full(has_return.shape, np.nan)
    scores[has_return] = forest.scores(_fill_unknown(indicators, medians)[has_return])
    return scores


def _join_inputs(indicators: FloatArray) -> FloatArray:
    """(n, 2 k) the autoencoder's inputs: returns of all instruments, then their volumes."""
    columns = [indicators[..., INDICATORS.index(name)] for name in ("return", "volume")]
    return np.concatenate(columns, axis=1)


def _larger_error(errors: FloatArray) -> FloatArray:
    """(n, k) larger error of an instrument's return and volume, of (n, 2 k); NaN without return."""
    of_return, of_volume = np.split(errors, 2, axis=1)
    return np.where(np.isnan(of_return), np.nan, np.fmax(of_return, of_volume))


def _learn_limits(scores: FloatArray, members: BoolArray, kind: str) -> DetectorLimits:
    """Learn the limits of a detector from its (n, k) scores of a reference.

    A group's limit is its score on the worst day, but at least ``MIN_LOG_SPREAD`` above the median.
    This is done on logarithms, since errors are skewed.

    Args:
        scores: (n, k); NaN where there is none.
        members: (g, k) which instruments each group has.
        kind: of the detector, one of ``KINDS``.
    """
    log_scores = np.log(group_scores(scores, members))
    warning, critical = np.full((2, len(members)), np.nan)
    for g, of_group in enumerate(log_scores.T):
        if (~np.isnan(of_group)).any():
            median = np.nanmedian(of_group)
            worst = max(np.nanmax(of_group), median + MIN_LOG_SPREAD[kind])
            warning[g], critical[g] = np.exp([worst, worst + CRITICAL_LOG_MARGIN[kind]])
    return DetectorLimits(float(np.nanquantile(scores, 1.0 - SERIES_TAIL_SHARE)), warning, critical)


def _select(names: Sequence[str], kept: BoolArray) -> tuple[str, ...]:
    """Return the names that are kept, in their order."""
    return tuple(name for name, keep in zip(names, kept, strict=True) if keep)


def _fill_unknown(indicators: FloatArray, medians: FloatArray) -> FloatArray:
    """(n, k, 7) indicators with medians in place of NaN."""
    return np.where(np.isnan(indicators), medians, indicators)

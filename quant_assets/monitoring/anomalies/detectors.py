"""Two detectors of anomalies and their limits, learnt from days of the past.

An isolation forest sees each instrument of each day on its own, all figures at once; an autoencoder
sees the returns of all instruments of a day together. What they see is in
``monitoring.conspicuous``; which days they learn from, in ``monitoring.anomalies``. Arrays only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.market.instruments import MARKETS, market_of
from quant_assets.monitoring.anomalies.autoencoder import (
    Autoencoder,
    train_autoencoder,
    unpack_autoencoder,
)
from quant_assets.monitoring.anomalies.indicators import NAMES, REACH
from quant_assets.monitoring.anomalies.isolation_forest import Forest, grow_forest, unpack_forest

FOREST, AUTOENCODER = "isolation_forest", "autoencoder"
KINDS = (FOREST, AUTOENCODER)
GROUPS = (*MARKETS, "all")
"""What is judged as a whole: each market, and all together."""
LEAST_DAYS = 120
"""Days with returns that a reference needs."""
LEAST_INSTRUMENTS = 2
RARE = 1e-4
"""Share of the reference's cells beyond a series' limit: one in a market of 143 in 70 days."""
MARGIN = {FOREST: 0.08, AUTOENCODER: 0.6}
"""How far beyond a market's limit a day is critical, in logarithms: 8 % and 82 %.

So chosen that 2 of 1,305 days of a simulated market are critical and 3 of 1,787 of a real one,
among them the Swiss franc's of January 2015 and the crash of August 2015.
"""
LEAST_SPREAD = {FOREST: 0.2, AUTOENCODER: 1.6}
"""How far, in logarithms, the worst day is taken to be at least: a reference of a few quiet months
has not seen much."""
_PARTS = 3
_SHARE_KNOWN = 0.25


@dataclass(frozen=True)
class DetectorLimits:
    """What is still ordinary, for one detector.

    Attributes:
        series: largest score of one instrument that is.
        warning: (5,) largest score of each of ``GROUPS`` that is ordinary; NaN without one.
        critical: (5,) largest score of each that is not critical.
    """

    series: float
    warning: FloatArray
    critical: FloatArray


@dataclass(frozen=True)
class Detectors:
    """Both, as of a day.

    Attributes:
        instruments: k names that the autoencoder knows, in its order.
        usual: (7,) median of each figure, taken where one is unknown.
        forest: the isolation forest.
        network: the autoencoder.
        limits: of each of ``KINDS``.
    """

    instruments: tuple[str, ...]
    usual: FloatArray
    forest: Forest
    network: Autoencoder
    limits: Mapping[str, DetectorLimits]

    def scores(self, figures: FloatArray, instruments: tuple[str, ...]) -> dict[str, FloatArray]:
        """(n, k) score of each instrument by each of ``KINDS``, to be compared with its limits.

        Args:
            figures: (n, k, 7) of ``monitoring.conspicuous``.
            instruments: k names.

        NaN where there is no return, and of the autoencoder for instruments it does not know.
        """
        return {
            FOREST: forest_scores(self.forest, figures, self.usual),
            AUTOENCODER: self._errors(figures, instruments),
        }

    def _errors(self, figures: FloatArray, instruments: tuple[str, ...]) -> FloatArray:
        place = {name: i for i, name in enumerate(instruments)}
        known = [i for i, name in enumerate(self.instruments) if name in place]
        at = [place[self.instruments[i]] for i in known]
        given = np.full((len(figures), len(self.instruments), figures.shape[2]), np.nan)
        given[:, known] = figures[:, at]
        found = np.full(figures.shape[:2], np.nan)
        found[:, at] = larger_error(self.network.errors(join_inputs(given)))[:, known]
        return found

    def arrays(self) -> dict[str, AnyArray]:
        """All of it, by name, to be stored."""
        limits = {
            f"{kind}.{name}": np.asarray(value)
            for kind, of_kind in self.limits.items()
            for name, value in vars(of_kind).items()
        }
        named = {"instruments": np.array(self.instruments), "usual": self.usual}
        return named | limits | self.forest.arrays() | self.network.arrays()


def unpack_detectors(arrays: Mapping[str, AnyArray]) -> Detectors:
    """What :meth:`Detectors.arrays` gave, as detectors again."""
    limits = {
        kind: DetectorLimits(
            float(arrays[f"{kind}.series"]), arrays[f"{kind}.warning"], arrays[f"{kind}.critical"]
        )
        for kind in KINDS
    }
    names = tuple(str(name) for name in arrays["instruments"])
    return Detectors(
        names, arrays["usual"], unpack_forest(arrays), unpack_autoencoder(arrays), limits
    )


def learn_detectors(figures: FloatArray, instruments: tuple[str, ...], seed: int) -> Detectors:
    """Detectors from the (n, k, 7) figures of a reference, in which a figure may be all NaN.

    The autoencoder's limits are those of days that it was not trained on: a third of them at a
    time, by a network of the others.

    Raises:
        NotEnoughHistoryError: fewer than ``LEAST_DAYS`` days have returns, or fewer than
            ``LEAST_INSTRUMENTS`` instruments have one on half of these.
    """
    returns = figures[..., 0]
    there = ~np.isnan(returns)
    days = int(there.any(axis=1).sum())
    enough = there.sum(axis=0) * 2 >= days
    if days < LEAST_DAYS or enough.sum() < LEAST_INSTRUMENTS:
        raise NotEnoughHistoryError(
            "too little to learn from what is ordinary",
            where="daily returns of raw prices, where a price moved in the 60 days before",
            expected=f"{LEAST_DAYS} days, and {LEAST_INSTRUMENTS} instruments on half of them",
            found=f"{days} days, {int(enough.sum())} instruments",
            hint="anomalies are looked for from a later walk-forward day on",
        )
    usual = np.zeros(len(NAMES))
    for j in range(len(NAMES)):
        cells = figures[..., j][there]
        usual[j] = np.median(cells[~np.isnan(cells)]) if np.isfinite(cells).any() else 0.0
    forest = grow_forest(_filled(figures, usual)[there], REACH, seed)
    known = join_inputs(figures[:, enough])
    errors = np.full((len(known), int(enough.sum())), np.nan)
    for part in np.array_split(np.arange(len(known)), _PARTS):
        others = np.setdiff1d(np.arange(len(known)), part)
        errors[part] = larger_error(train_autoencoder(known[others], seed).errors(known[part]))
    names = tuple(name for name, kept in zip(instruments, enough, strict=True) if kept)
    return Detectors(
        names,
        usual,
        forest,
        train_autoencoder(known, seed),
        {
            FOREST: learn_limits(forest_scores(forest, figures, usual), instruments, FOREST),
            AUTOENCODER: learn_limits(errors, names, AUTOENCODER),
        },
    )


def forest_scores(forest: Forest, figures: FloatArray, usual: FloatArray) -> FloatArray:
    """(n, k) scores of (n, k, 7) figures, unknown ones taken as usual; NaN without a return."""
    there = ~np.isnan(figures[..., 0])
    found = np.full(there.shape, np.nan)
    found[there] = forest.scores(_filled(figures, usual)[there])
    return found


def join_inputs(figures: FloatArray) -> FloatArray:
    """(n, 2 k) returns of all instruments, then their volumes."""
    columns = [figures[..., NAMES.index(name)] for name in ("return", "volume")]
    return np.concatenate(columns, axis=1)


def larger_error(errors: FloatArray) -> FloatArray:
    """(n, k) the larger of an instrument's two errors; NaN without a return."""
    of_return, of_volume = np.split(errors, 2, axis=1)
    return np.where(np.isnan(of_return), np.nan, np.fmax(of_return, of_volume))


def learn_limits(scores: FloatArray, instruments: tuple[str, ...], kind: str) -> DetectorLimits:
    """Limits from the (n, k) scores of a reference.

    The worst day is the limit, or what is ``LEAST_SPREAD`` above the median if that is more. On the
    logarithm, since errors are skewed.
    """
    of_groups = np.log(group_scores(scores, instruments))
    warning, critical = np.full((2, len(GROUPS)), np.nan)
    for g, found in enumerate(of_groups.T):
        if (~np.isnan(found)).any():
            median = np.nanmedian(found)
            worst = max(np.nanmax(found), median + LEAST_SPREAD[kind])
            warning[g], critical[g] = np.exp([worst, worst + MARGIN[kind]])
    return DetectorLimits(float(np.nanquantile(scores, 1.0 - RARE)), warning, critical)


def group_scores(scores: FloatArray, instruments: tuple[str, ...]) -> FloatArray:
    """(n, 5) mean score of each of ``GROUPS``, its largest left out.

    So no single instrument makes a market conspicuous. NaN with fewer than two, or less than a
    quarter of the group's.
    """
    of_group = group_members(instruments)
    known = ~np.isnan(scores)
    found = np.full((len(scores), len(GROUPS)), np.nan)
    for g in range(len(GROUPS)):
        # Of one layout whatever the days are cut from: the sums are the same to the bit.
        mine = np.ascontiguousarray(np.where(known, scores, 0.0)[:, of_group[g]])
        count = known[:, of_group[g]].sum(axis=1)
        enough = (count >= 2) & (count >= _SHARE_KNOWN * of_group[g].sum())
        for row in np.flatnonzero(enough):
            found[row, g] = (mine[row].sum() - mine[row].max()) / (count[row] - 1)
    return found


def group_members(instruments: tuple[str, ...]) -> BoolArray:
    """(5, k) which instruments each of ``GROUPS`` has."""
    markets = np.array([market_of(name) for name in instruments])
    return np.array([(markets == group) | (group == GROUPS[-1]) for group in GROUPS])


def _filled(figures: FloatArray, usual: FloatArray) -> FloatArray:
    return np.where(np.isnan(figures), usual, figures)

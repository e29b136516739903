"""Anomalies of prices and volumes: rows of ``monitoring.anomalies``.

A day is judged by detectors that learnt, on the walk-forward day before it, from up to ``REFERENCE``
days until then. The arithmetic is in ``monitoring.detectors``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.errors import NotEnoughHistoryError
from quant_assets.evaluation.walk_forward import fit_in_force, fit_rows
from quant_assets.lake.lake import Lake
from quant_assets.lake.monitoring_tables import ANOMALIES
from quant_assets.lake.prices import read_panel
from quant_assets.lake.references import remembered
from quant_assets.lake.tables import RAW_PRICES
from quant_assets.market.instruments import market_of
from quant_assets.models.stored import pack, unpack
from quant_assets.monitoring.conspicuous import LOOKBACK, NAMES, conspicuous
from quant_assets.monitoring.detectors import (
    GROUPS,
    KINDS,
    Detectors,
    detectors_of,
    group_scores,
    learn,
    members,
)
from quant_assets.settings import Settings
from quant_assets.typing import AnyArray, BoolArray, DayArray, FloatArray, IntArray

REFERENCE = 750
"""Days learnt from at most: three years."""
MANY, AT_LEAST = 0.03, 3
"""Share of a market's series, and how many at least, that are many beyond their limits."""
_TOLD = 5
_NONE_YET = "no walk-forward day before"


@dataclass(frozen=True)
class Known:
    """What is known of prices as given, without the prices.

    Attributes:
        days: (n,) days that have prices.
        date_ids: (n,) the source's numbers of them.
        digests: (n,) of each day's prices.
    """

    days: DayArray
    date_ids: IntArray
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """Some days by one detector.

    Attributes:
        kind: which.
        of_series: (n, k) score of each instrument.
        limit: of an instrument.
        of_groups: (n, 5) score of each of ``GROUPS``.
        limits: (5,) largest ordinary one.
        critical: (n, 5) whether a group's day is critical.
        beyond: (n, 5) how many of its instruments are beyond their limit.
    """

    kind: str
    of_series: FloatArray
    limit: float
    of_groups: FloatArray
    limits: FloatArray
    critical: BoolArray
    beyond: IntArray


def anomalies(
    lake: Lake, settings: Settings, start: date, end: date
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows of ``monitoring.anomalies`` from ``start`` to ``end``, and why days have none.

    The reasons are by as-of day of the detectors, or ``none`` before the first. Detectors that are
    not stored yet are learnt and stored.

    Raises:
        LakeError: there are no raw prices.
        ArtifactError: stored detectors are missing or altered.
    """
    known = known_prices(lake, end)
    grid = fit_rows(len(known.days), settings.first_fit_after, settings.refit_every)
    wanted = np.flatnonzero(known.days >= np.datetime64(start))
    in_force = fit_in_force(wanted, grid)
    parts: list[pd.DataFrame] = []
    reasons = {"none": _NONE_YET} if (in_force < 0).any() else {}
    for fit in np.unique(in_force[in_force >= 0]):
        try:
            detectors = detectors_as_of(lake, settings, known, int(grid[fit]))
        except NotEnoughHistoryError as error:
            reasons[str(known.days[grid[fit]])] = str(error)
            continue
        parts.extend(_rows(lake, known, detectors, wanted[in_force == fit]))
    names = [column.name for column in ANOMALIES.columns]
    rows = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in names})
    order = ["trading_day", "kind", "market", "series"]
    return rows.sort_values(order, na_position="first", ignore_index=True)[names], reasons


def known_prices(lake: Lake, until: date) -> Known:
    """Days with prices up to one, and a digest of each."""
    rows = lake.columns(
        "SELECT trading_day, min(date_id) AS date_id,"
        " sum(hash(instrument, field, value))::VARCHAR AS digest"
        f" FROM {RAW_PRICES.quoted} WHERE trading_day <= ? GROUP BY ALL ORDER BY trading_day",
        [until],
        needs=RAW_PRICES,
    )
    days = rows["trading_day"].astype("datetime64[D]")
    return Known(days, rows["date_id"], tuple(map(str, rows["digest"])))


def detectors_as_of(lake: Lake, settings: Settings, known: Known, row: int) -> Detectors:
    """Detectors that know the prices up to a row of the known days.

    Raises:
        NotEnoughHistoryError: too little is known.
        ArtifactError: they are stored, but missing or altered.
    """
    first = max(0, row + 1 - REFERENCE)
    before = max(0, first - LOOKBACK)
    as_of: date = known.days[row].item()

    def make() -> bytes:
        panel = read_panel(lake, "value", known.days[before].item(), as_of, RAW_PRICES)
        figures = conspicuous(panel)[first - before :]
        return pack(**learn(figures, panel.instruments, settings.seed).arrays())

    parts = [_code(), str(settings.seed), str(first - before), *known.digests[before : row + 1]]
    fingerprint = sha256("\n".join(parts).encode()).hexdigest()
    artifacts = settings.artifacts_dir
    return detectors_of(unpack(remembered(lake, artifacts, "anomalies", as_of, fingerprint, make)))


def judge(
    detectors: Detectors, figures: FloatArray, instruments: tuple[str, ...]
) -> Iterator[Judged]:
    """The (n, k, 7) figures of some days by each detector."""
    of_group = members(instruments)
    for kind, scores in detectors.scores(figures, instruments).items():
        limits = detectors.limits[kind]
        of_groups = group_scores(scores, instruments)
        beyond = (scores > limits.series).astype(np.int64) @ of_group.T.astype(np.int64)
        there = (~np.isnan(scores)).astype(np.int64) @ of_group.T.astype(np.int64)
        many = beyond >= np.maximum(AT_LEAST, MANY * there)
        critical = (of_groups > limits.critical) | (many & (of_groups > limits.warning))
        yield Judged(kind, scores, limits.series, of_groups, limits.warning, critical, beyond)


def _rows(
    lake: Lake, known: Known, detectors: Detectors, wanted: IntArray
) -> Iterator[pd.DataFrame]:
    """Rows of consecutive days that the same detectors judge."""
    first = max(0, int(wanted[0]) - LOOKBACK)
    ends = known.days[first].item(), known.days[wanted[-1]].item()
    panel = read_panel(lake, "value", *ends, RAW_PRICES)
    figures = conspicuous(panel)[wanted - first]
    for one in judge(detectors, figures, panel.instruments):
        words = _Words(one, figures, panel.instruments)
        row, group = np.nonzero(~np.isnan(one.of_groups) & ~np.isnan(one.limits))
        score, limit = one.of_groups[row, group], one.limits[group]
        severity = np.where(score > limit, "warning", "info").astype(object)
        severity[one.critical[row, group]] = "critical"
        yield _frame(
            known,
            wanted[row],
            one.kind,
            market=np.array(GROUPS, dtype=object)[group],
            series=None,
            score=score,
            limit=limit,
            severity=severity,
            text=[
                None if level == "info" else words.of_group(r, g)
                for r, g, level in zip(row, group, severity, strict=True)
            ],
        )
        row, column = np.nonzero(one.of_series > one.limit)
        names = np.array(panel.instruments, dtype=object)[column]
        yield _frame(
            known,
            wanted[row],
            one.kind,
            market=[market_of(name) for name in names],
            series=names,
            score=one.of_series[row, column],
            limit=one.limit,
            severity="warning",
            text=[words.of_series(r, c) for r, c in zip(row, column, strict=True)],
        )


@dataclass(frozen=True)
class _Words:
    """What is unusual, in words."""

    judged: Judged
    figures: FloatArray
    instruments: tuple[str, ...]

    def of_group(self, row: int, group: int) -> str:
        mine = np.flatnonzero(members(self.instruments)[group])
        scores = np.nan_to_num(self.judged.of_series[row, mine])
        most = mine[np.argsort(-scores, kind="stable")[:_TOLD]]
        beyond = self.judged.beyond[row, group]
        names = ", ".join(self.instruments[i] for i in most)
        return f"{beyond} of {len(mine)} beyond their limit; most unusual: {names}"

    def of_series(self, row: int, column: int) -> str:
        """The two figures farthest from zero, no longer squeezed."""
        found = np.nan_to_num(self.figures[row, column])
        most = np.argsort(-np.abs(found), kind="stable")[:2]
        return ", ".join(f"{NAMES[j]} {np.sinh(found[j]):+.1f}" for j in most)


def _frame(known: Known, rows: IntArray, kind: str, **columns: AnyArray | None) -> pd.DataFrame:
    keys = {"trading_day": known.days[rows], "date_id": known.date_ids[rows], "kind": kind}
    return pd.DataFrame({**keys, **columns})


@cache
def _code() -> str:
    """Digest of the source of all that makes detectors, and of the libraries that do."""
    from quant_assets.features import instruments, kernels
    from quant_assets.monitoring import autoencoder, conspicuous, detectors, isolation

    modules = (instruments, kernels, autoencoder, conspicuous, detectors, isolation)
    source = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    libraries = [metadata.version(name) for name in ("scikit-learn", "torch", "numpy")]
    return sha256(source + " ".join(libraries).encode()).hexdigest()

"""Anomalies of prices and volumes: rows of ``monitoring.anomalies``.

A day is judged by the detectors of the last walk-forward day up to it. These learnt from the
``REFERENCE_DAYS`` days up to that day, or from all there are. On each day only the instruments in
the universe count. The arithmetic is in
``monitoring.anomalies.detectors`` and ``monitoring.anomalies.detector_results``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from importlib import metadata

import numpy as np
import pandas as pd

from quant_assets.core.code_digest import digest_code
from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.series import read_groups
from quant_assets.lake.readers.universe import digest_outsiders, read_members
from quant_assets.lake.schemas.monitoring_tables import ANOMALIES
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.market.panel import PricePanel
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.anomalies.detector_results import apply_detectors
from quant_assets.monitoring.anomalies.detectors import Detectors, learn_detectors, unpack_detectors
from quant_assets.monitoring.anomalies.indicators import LOOKBACK_DAYS, price_indicators
from quant_assets.quality.grown_panel import read_grown_panel
from quant_assets.training.walk_forward import find_fit_in_force, fit_rows

REFERENCE_DAYS = 750
"""Days that detectors learn from at most: three years."""
_NO_DETECTORS = "no walk-forward day before"


@dataclass(frozen=True)
class KnownPrices:
    """The days that have raw prices, and a digest of each day's prices.

    Attributes:
        days: (n,) days that have prices.
        date_ids: (n,) the source's numbers of the days.
        digests: n digests of the prices of a day.
    """

    days: DayArray
    date_ids: IntArray
    digests: tuple[str, ...]


def anomaly_rows(
    lake: Lake, settings: Settings, start: date, end: date
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Make rows of ``monitoring.anomalies`` from ``start`` to ``end``.

    Detectors that are not stored yet are learnt and stored.

    Args:
        lake: the lake.
        settings: walk-forward days, seed, and the artifacts folder.
        start: first day.
        end: last day.

    Returns:
        The rows, and why days have none: a reason by as-of day of the detectors, or by ``none``
        for days before the first detectors.

    Raises:
        LakeError: there are no raw prices.
        ArtifactError: stored detectors are altered.
    """
    known = read_known_prices(lake, end)
    walk_forward = fit_rows(len(known.days), settings.first_fit_after, settings.refit_every)
    wanted = np.flatnonzero(known.days >= np.datetime64(start))
    in_force = find_fit_in_force(wanted, walk_forward)
    parts: list[pd.DataFrame] = []
    reasons = {"none": _NO_DETECTORS} if (in_force < 0).any() else {}
    for fit in np.unique(in_force[in_force >= 0]):
        try:
            detectors = load_detectors(lake, settings, known, int(walk_forward[fit]))
        except NotEnoughHistoryError as error:
            reasons[str(known.days[walk_forward[fit]])] = str(error)
            continue
        parts.extend(_detector_rows(lake, known, detectors, wanted[in_force == fit]))
    names = [column.name for column in ANOMALIES.columns]
    rows = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in names})
    order = ["trading_day", "kind", "market", "series"]
    return rows.sort_values(order, na_position="first", ignore_index=True)[names], reasons


def read_known_prices(lake: Lake, until: date) -> KnownPrices:
    """Read the days with prices up to ``until``, and a digest of each day's prices."""
    rows = lake.columns(
        "SELECT trading_day, min(date_id) AS date_id,"
        " sum(hash(instrument, field, value))::VARCHAR AS digest"
        f" FROM {RAW_PRICES.quoted} WHERE trading_day <= ? GROUP BY ALL ORDER BY trading_day",
        [until],
        needs=RAW_PRICES,
    )
    days = rows["trading_day"].astype("datetime64[D]")
    digests = list(map(str, rows["digest"]))
    if lake.has(ACTIONS):
        actions = lake.columns(
            "SELECT trading_day, sum(hash(instrument, split, dividend))::VARCHAR AS digest"
            f" FROM {ACTIONS.quoted} WHERE trading_day <= ? GROUP BY ALL ORDER BY trading_day",
            [until],
        )
        at = np.searchsorted(days, actions["trading_day"].astype("datetime64[D]"))
        for row, digest in zip(at.tolist(), actions["digest"], strict=True):
            digests[row] += f" {digest}"
    return KnownPrices(days, rows["date_id"], tuple(digests))


def load_detectors(lake: Lake, settings: Settings, known: KnownPrices, row: int) -> Detectors:
    """Load the detectors as of a day, or learn and store them.

    Args:
        lake: the lake.
        settings: seed, and the artifacts folder.
        known: the days with prices.
        row: of the as-of day among these; later prices are not used.

    Raises:
        NotEnoughHistoryError: the reference is too short.
        ArtifactError: the detectors are stored, but altered.
    """
    first = max(0, row + 1 - REFERENCE_DAYS)
    before = max(0, first - LOOKBACK_DAYS)
    as_of: date = known.days[row].item()

    def learn() -> bytes:
        panel = read_grown_panel(lake, known.days[before].item(), as_of)
        indicators = _keep_members(lake, panel, price_indicators(panel))[first - before :]
        learnt = learn_detectors(indicators, panel.instruments, panel.groups, settings.seed)
        return pack(**learnt.arrays())

    groups = _read_group_lines(lake, known.days[before].item(), as_of)
    digests = known.digests[before : row + 1]
    members = digest_outsiders(lake, known.days[before].item(), as_of)
    parts = [_code(), str(settings.seed), str(first - before), *groups, *digests, *members]
    fingerprint = sha256("\n".join(parts).encode()).hexdigest()
    store = ReferenceStore(lake, settings.artifacts_dir, "anomalies")
    return unpack_detectors(unpack(store.get(as_of, fingerprint, learn)))


def _read_group_lines(lake: Lake, start: date, end: date) -> list[str]:
    """Read the instruments with prices in a range of days; a line has an instrument and its group.

    The groups of instruments come from the source, which may change them.
    """
    names = lake.columns(
        f"SELECT DISTINCT instrument FROM {RAW_PRICES.quoted}"
        " WHERE trading_day BETWEEN ? AND ? ORDER BY instrument",
        [start, end],
        needs=RAW_PRICES,
    )["instrument"].tolist()
    return [
        f"{name}\t{group}"
        for name, group in zip(names, read_groups(lake, tuple(names)), strict=True)
    ]


def _detector_rows(
    lake: Lake, known: KnownPrices, detectors: Detectors, wanted: IntArray
) -> Iterator[pd.DataFrame]:
    """Make the rows of consecutive days that the same detectors judge."""
    first = max(0, int(wanted[0]) - LOOKBACK_DAYS)
    ends = known.days[first].item(), known.days[wanted[-1]].item()
    panel = read_grown_panel(lake, *ends)
    indicators = _keep_members(lake, panel, price_indicators(panel))[wanted - first]
    for result in apply_detectors(detectors, indicators, panel.instruments, panel.groups):
        for rows in (result.market_rows(), result.series_rows()):
            row = wanted[rows.pop("row").to_numpy()]
            yield rows.assign(
                trading_day=known.days[row], date_id=known.date_ids[row], kind=result.kind
            )


def _keep_members(lake: Lake, panel: PricePanel, indicators: FloatArray) -> FloatArray:
    """Return the (n, k, 7) indicators; NaN where an instrument is not in the universe."""
    members = read_members(lake, panel.days, panel.instruments)
    return np.where(members[:, :, None], indicators, np.nan)


@cache
def _code() -> str:
    """Return a digest of the code that makes detectors, and the versions of its libraries."""
    libraries = [metadata.version(name) for name in ("scikit-learn", "torch", "numpy")]
    return " ".join([digest_code(price_indicators, learn_detectors), *libraries])

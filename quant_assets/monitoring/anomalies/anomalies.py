"""Anomalies of prices and volumes: rows of ``monitoring.anomalies``.

A day is judged by detectors that learnt, on the walk-forward day before it, from the ``REFERENCE``
days until then, or all there are. The arithmetic is in ``monitoring.detectors`` and
``monitoring.verdicts``.
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
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.prices import read_panel
from quant_assets.lake.schemas.monitoring_tables import ANOMALIES
from quant_assets.lake.schemas.tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.anomalies.detector_results import apply_detectors
from quant_assets.monitoring.anomalies.detectors import Detectors, learn_detectors, unpack_detectors
from quant_assets.monitoring.anomalies.indicators import LOOKBACK, price_indicators
from quant_assets.training.walk_forward import find_fit_in_force, fit_rows

REFERENCE = 750
"""Days learnt from at most: three years."""
_NONE_YET = "no walk-forward day before"


@dataclass(frozen=True)
class KnownPrices:
    """What is known of prices as given, without the prices.

    Attributes:
        days: (n,) days that have prices.
        date_ids: (n,) the source's numbers of them.
        digests: (n,) of each day's prices.
    """

    days: DayArray
    date_ids: IntArray
    digests: tuple[str, ...]


def anomaly_rows(
    lake: Lake, settings: Settings, start: date, end: date
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows of ``monitoring.anomalies`` from ``start`` to ``end``, and why days have none.

    The reasons are by as-of day of the detectors, or ``none`` before the first. Detectors that are
    not stored yet are learnt and stored.

    Raises:
        LakeError: there are no raw prices.
        ArtifactError: stored detectors are altered.
    """
    known = read_known_prices(lake, end)
    grid = fit_rows(len(known.days), settings.first_fit_after, settings.refit_every)
    wanted = np.flatnonzero(known.days >= np.datetime64(start))
    in_force = find_fit_in_force(wanted, grid)
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


def read_known_prices(lake: Lake, until: date) -> KnownPrices:
    """Days with prices up to one, and a digest of each."""
    rows = lake.columns(
        "SELECT trading_day, min(date_id) AS date_id,"
        " sum(hash(instrument, field, value))::VARCHAR AS digest"
        f" FROM {RAW_PRICES.quoted} WHERE trading_day <= ? GROUP BY ALL ORDER BY trading_day",
        [until],
        needs=RAW_PRICES,
    )
    days = rows["trading_day"].astype("datetime64[D]")
    return KnownPrices(days, rows["date_id"], tuple(map(str, rows["digest"])))


def detectors_as_of(lake: Lake, settings: Settings, known: KnownPrices, row: int) -> Detectors:
    """Detectors that know the prices up to a row of the known days.

    Raises:
        NotEnoughHistoryError: too little is known.
        ArtifactError: they are stored, but altered.
    """
    first = max(0, row + 1 - REFERENCE)
    before = max(0, first - LOOKBACK)
    as_of: date = known.days[row].item()

    def make() -> bytes:
        panel = read_panel(lake, "value", known.days[before].item(), as_of, RAW_PRICES)
        figures = price_indicators(panel)[first - before :]
        return pack(**learn_detectors(figures, panel.instruments, settings.seed).arrays())

    parts = [_code(), str(settings.seed), str(first - before), *known.digests[before : row + 1]]
    fingerprint = sha256("\n".join(parts).encode()).hexdigest()
    kept = ReferenceStore(lake, settings.artifacts_dir, "anomalies")
    return unpack_detectors(unpack(kept.get(as_of, fingerprint, make)))


def _rows(
    lake: Lake, known: KnownPrices, detectors: Detectors, wanted: IntArray
) -> Iterator[pd.DataFrame]:
    """Rows of consecutive days that the same detectors judge."""
    first = max(0, int(wanted[0]) - LOOKBACK)
    ends = known.days[first].item(), known.days[wanted[-1]].item()
    panel = read_panel(lake, "value", *ends, RAW_PRICES)
    figures = price_indicators(panel)[wanted - first]
    for one in apply_detectors(detectors, figures, panel.instruments):
        for found in (one.market_rows(), one.series_rows()):
            row = wanted[found.pop("row").to_numpy()]
            yield found.assign(
                trading_day=known.days[row], date_id=known.date_ids[row], kind=one.kind
            )


@cache
def _code() -> str:
    """Return a digest of the code that makes detectors, and the versions of its libraries."""
    libraries = [metadata.version(name) for name in ("scikit-learn", "torch", "numpy")]
    return " ".join([digest_code(price_indicators, learn_detectors), *libraries])

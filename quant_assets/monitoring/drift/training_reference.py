"""What features were like on the days a fit was trained on, made once a fit.

A fit's fingerprint covers everything known on its as-of day, so with the catalogue's version it
stands for the features, which need not be read again. Distances are in ``monitoring.distances``,
the days in ``monitoring.samples``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.typing import AnyArray, DayArray
from quant_assets.features.catalogue import CATALOGUE_VERSION
from quant_assets.lake.schemas.tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.drift.distances import Distances, ReferenceSummary, summarise_reference
from quant_assets.monitoring.drift.samples import read_feature_columns, window_rows

NEWEST = 2
"""Fits of which it is kept, the last one asked for among them: some 25 MB each."""
Summaries = Mapping[tuple[str, str], ReferenceSummary]
"""By level and feature."""


def reference_days(days: DayArray, as_of: np.datetime64) -> DayArray:
    """(w, WINDOW) days of windows that a fit as of a day saw; none if too few, or no fit (NaT)."""
    known = 0 if np.isnat(as_of) else int(np.searchsorted(days, as_of, side="right"))
    return days[window_rows(known)]


def read_summaries(
    lake: Lake,
    families: Sequence[str],
    artifacts: Path | None,
    days: DayArray,
    as_of: np.datetime64,
) -> Summaries | None:
    """Each feature's reference, or None if the fit saw too few days.

    Args:
        lake: the lake.
        families: whose fits may be as of the day.
        artifacts: folder where it is kept; None keeps nothing.
        days: all days known.
        as_of: of the fit; NaT for none.

    Raises:
        ArtifactError: it is kept, but its file is altered.
    """
    windows = reference_days(days, as_of)
    if not len(windows):
        return None
    fits = _fingerprints(lake, families, as_of)
    if artifacts is None or not fits:
        return dict(_computed(lake, windows))
    kept = ReferenceStore(lake, artifacts, "drift", newest=NEWEST)
    parts = [_code(), CATALOGUE_VERSION, str(windows.tolist()), *fits]
    digest = sha256("\n".join(parts).encode()).hexdigest()
    day = date.fromisoformat(str(as_of))
    return _unpacked(kept.get(day, digest, lambda: _packed(dict(_computed(lake, windows)))))


def _computed(lake: Lake, windows: DayArray) -> Iterator[tuple[tuple[str, str], ReferenceSummary]]:
    for columns in read_feature_columns(lake, windows.ravel()):
        for name, cells in zip(columns.names, columns.cells, strict=True):
            yield (columns.level, name), summarise_reference(cells.reshape(len(windows), -1))


def _fingerprints(lake: Lake, families: Sequence[str], as_of: np.datetime64) -> list[str]:
    """Of the families' fits as of a day; none if none is recorded."""
    tables = [fits_table(name) for name in families if lake.has(fits_table(name))]
    if not tables:
        return []
    selects = " UNION ALL ".join(
        f"SELECT fingerprint FROM {table.quoted} WHERE trading_day = ?" for table in tables
    )
    found = lake.columns(f"{selects} ORDER BY 1", [as_of.item()] * len(tables))
    return [str(one) for one in found["fingerprint"]]


def _packed(found: Summaries) -> bytes:
    """Arrays of all references end to end, and how long each is."""
    references = list(found.values())
    return pack(
        levels=np.array([level for level, _ in found]),
        names=np.array([name for _, name in found]),
        ordered=np.concatenate([one.ordered for one in references]),
        edges=np.concatenate([one.edges for one in references]),
        shares=np.concatenate([one.shares for one in references]),
        lengths=np.array([(len(one.ordered), len(one.edges)) for one in references]),
        missing=np.array([one.missing for one in references]),
        spanned=np.array([one.spanned for one in references]),
        limits=np.array([one.limits for one in references]),
    )


def _unpacked(content: bytes) -> Summaries:
    arrays = unpack(content)
    many, few = arrays["lengths"].T
    parts = (
        _split(arrays["ordered"], many),
        _split(arrays["edges"], few),
        _split(arrays["shares"], few + 1),
        arrays["missing"].tolist(),
        arrays["spanned"].tolist(),
        (Distances(*limits) for limits in arrays["limits"].tolist()),
    )
    keys = zip(arrays["levels"].tolist(), arrays["names"].tolist(), strict=True)
    return {key: ReferenceSummary(*one) for key, *one in zip(keys, *parts, strict=True)}


def _split(values: AnyArray, lengths: AnyArray) -> list[AnyArray]:
    return np.split(values, np.cumsum(lengths)[:-1])


@cache
def _code() -> str:
    """Return a digest of the code that makes references out of what the lake holds."""
    return digest_code(reference_days, _computed, _packed, _unpacked, outside=["quant_assets.lake"])

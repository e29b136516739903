"""The training reference of a fit: summaries of the features on the days that the fit saw.

The reference is made once a fit and kept. A fit's fingerprint covers everything known on its as-of
day. So the fingerprint and the catalogue's version identify the features, which need not be read
again. Distances are in ``monitoring.drift.distances``, the days in ``monitoring.drift.samples``.
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
from quant_assets.lake.readers.universe import digest_outsiders
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.drift.distances import Distances, ReferenceSummary, summarise_reference
from quant_assets.monitoring.drift.samples import read_feature_columns, window_rows

KEPT_FITS = 2
"""How many fits' references are kept, the last one used among them: some 25 MB each."""
Summaries = Mapping[tuple[str, str], ReferenceSummary]
"""Summary of each feature, by its level and name."""


def reference_days(days: DayArray, as_of: np.datetime64) -> DayArray:
    """Choose the windows of a fit's training days that make its reference.

    Args:
        days: all known days, ascending.
        as_of: as-of day of the fit; NaT for no fit.

    Returns:
        (w, WINDOW_DAYS) days; w is 0 if the fit saw too few days, or there is no fit.
    """
    known = 0 if np.isnat(as_of) else int(np.searchsorted(days, as_of, side="right"))
    return days[window_rows(known)]


def read_summaries(
    lake: Lake,
    families: Sequence[str],
    artifacts: Path | None,
    days: DayArray,
    as_of: np.datetime64,
) -> Summaries | None:
    """Read the training reference of a fit, or make and keep it.

    Args:
        lake: the lake.
        families: model families; those with a fit as of the day identify the reference.
        artifacts: folder where references are kept; None keeps nothing.
        days: all known days, ascending.
        as_of: as-of day of the fit; NaT for no fit.

    Returns:
        Summary of each feature; None if the fit saw too few days.

    Raises:
        ArtifactError: the reference is kept, but its file is altered.
    """
    windows = reference_days(days, as_of)
    if not len(windows):
        return None
    fits = _fingerprints(lake, families, as_of)
    if artifacts is None or not fits:
        return dict(_summarise_features(lake, windows))
    store = ReferenceStore(lake, artifacts, "drift", newest=KEPT_FITS)
    day = date.fromisoformat(str(as_of))
    outsiders = digest_outsiders(lake, windows.min().item(), day)
    parts = [_code(), CATALOGUE_VERSION, str(windows.tolist()), *fits, *outsiders]
    digest = sha256("\n".join(parts).encode()).hexdigest()
    content = store.get(day, digest, lambda: _pack(dict(_summarise_features(lake, windows))))
    return _unpack(content)


def _summarise_features(
    lake: Lake, windows: DayArray
) -> Iterator[tuple[tuple[str, str], ReferenceSummary]]:
    for columns in read_feature_columns(lake, windows.ravel()):
        for name, cells in zip(columns.names, columns.cells, strict=True):
            summary = summarise_reference(
                cells.reshape(len(windows), -1), int(columns.members.sum())
            )
            yield (columns.level, name), summary


def _fingerprints(lake: Lake, families: Sequence[str], as_of: np.datetime64) -> list[str]:
    """Read the fingerprints of the families' fits as of a day; none if no fit is recorded."""
    tables = [fits_table(name) for name in families if lake.has(fits_table(name))]
    if not tables:
        return []
    selects = " UNION ALL ".join(
        f"SELECT fingerprint FROM {table.quoted} WHERE trading_day = ?" for table in tables
    )
    rows = lake.columns(f"{selects} ORDER BY 1", [as_of.item()] * len(tables))
    return [str(fingerprint) for fingerprint in rows["fingerprint"]]


def _pack(summaries: Summaries) -> bytes:
    """Pack all summaries into bytes: their arrays joined end to end, and the length of each."""
    references = list(summaries.values())
    return pack(
        levels=np.array([level for level, _ in summaries]),
        names=np.array([name for _, name in summaries]),
        ordered=np.concatenate([summary.ordered for summary in references]),
        edges=np.concatenate([summary.edges for summary in references]),
        shares=np.concatenate([summary.shares for summary in references]),
        lengths=np.array([(len(summary.ordered), len(summary.edges)) for summary in references]),
        missing=np.array([summary.missing for summary in references]),
        spanned=np.array([summary.spanned for summary in references]),
        limits=np.array([summary.limits for summary in references]),
    )


def _unpack(content: bytes) -> Summaries:
    """Read back what :func:`_pack` made."""
    arrays = unpack(content)
    n_ordered, n_edges = arrays["lengths"].T
    parts = (
        _split(arrays["ordered"], n_ordered),
        _split(arrays["edges"], n_edges),
        _split(arrays["shares"], n_edges + 1),
        arrays["missing"].tolist(),
        arrays["spanned"].tolist(),
        (Distances(*limits) for limits in arrays["limits"].tolist()),
    )
    keys = zip(arrays["levels"].tolist(), arrays["names"].tolist(), strict=True)
    return {key: ReferenceSummary(*values) for key, *values in zip(keys, *parts, strict=True)}


def _split(values: AnyArray, lengths: AnyArray) -> list[AnyArray]:
    return np.split(values, np.cumsum(lengths)[:-1])


@cache
def _code() -> str:
    """Return a digest of the code that makes references out of what the lake holds."""
    return digest_code(
        reference_days, _summarise_features, _pack, _unpack, outside=["quant_assets.lake"]
    )

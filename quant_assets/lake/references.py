"""What reports compare days with, kept from one run to the next. How it is made is not known here.

A fingerprint covers everything it depends on. With the same one it is the same, so it is never made
again; with another it is made anew and takes the place of the old one.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from quant_assets.lake.artifacts import fetch, store
from quant_assets.lake.lake import Lake
from quant_assets.lake.monitoring_tables import REFERENCES


def remembered(
    lake: Lake,
    artifacts: Path,
    report: str,
    as_of: date,
    fingerprint: str,
    make: Callable[[], bytes],
) -> bytes:
    """The bytes that ``make`` gave or would give.

    Args:
        lake: the lake, where they are recorded.
        artifacts: folder where they are kept.
        report: what they are for.
        as_of: last day that they know.
        fingerprint: digest of all they depend on.
        make: what makes them.

    Raises:
        ArtifactError: they are recorded, but their file is missing or altered.
    """
    key = f"{report}/{as_of}"
    if lake.has(REFERENCES):
        found = lake.arrow(
            f"SELECT artifact, sha256 FROM {REFERENCES.quoted} WHERE id = ? AND fingerprint = ?",
            [key, fingerprint],
        ).to_pylist()
        if found:
            return fetch(artifacts, found[0]["artifact"], found[0]["sha256"])
    made = make()
    artifact, sha256 = store(artifacts, made)
    row = {"artifact": [artifact], "sha256": [sha256], "fingerprint": [fingerprint]}
    lake.replace_matching(REFERENCES, "id", {"id": [key], "trading_day": [as_of], **row})
    return made

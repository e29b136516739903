"""The versions of a day's submission: what was submitted, when, and what replaced it."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.errors import LakeError
from quant_assets.core.ranks import average_ranks
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.revision_tables import SUPERSEDED_SUBMISSIONS
from quant_assets.lake.store.lake import Lake

_ABOUT = ("trading_day", "date_id", "origin", "stored_at")


def list_versions(lake: Lake, day: date | None = None, limit: int = 20) -> pd.DataFrame:
    """List versions of submissions, the newest day first and its versions in order.

    Returns a row for each version: ``trading_day``, ``version`` from 1, ``origin``, ``stored_at``,
    ``replaced_at`` and ``reason``, which are empty for the version that is in force.

    Args:
        lake: the lake.
        day: the day whose versions are listed; None lists all versions of the newest days.
        limit: number of days, if no day is given.
    """
    rows = _read_versions(lake, day)
    if day is None:
        rows = rows[rows["trading_day"].rank(method="dense", ascending=False) <= limit]
    names = ["trading_day", "version", "origin", "stored_at", "replaced_at", "reason"]
    ordered = rows.sort_values(["trading_day", "version"], ascending=[False, True])
    return ordered[names].reset_index(drop=True)


def compare_versions(lake: Lake, day: date, first: int, second: int) -> pd.DataFrame:
    """Compare two versions of a day's submission, target by target.

    Returns a row for each target: both values, both ranks, and ``moved``, the difference of the
    ranks; the largest moves first.

    Args:
        lake: the lake.
        day: the trading day.
        first: number of the first version.
        second: number of the second version.

    Raises:
        LakeError: the day has no such version.
    """
    rows = _read_versions(lake, day, more=", target, value")
    stored = rows["version"].unique()
    for version in (first, second):
        if version not in stored:
            raise LakeError(
                "there is no such version of the submission",
                where=f"{SUBMISSIONS.name}, {day}",
                expected=f"versions {', '.join(map(str, stored)) or 'of a submitted day'}",
                found=version,
            )
    by_version = rows.pivot_table(values="value", index="version", columns="target", sort=False)
    targets = [name for name in read_pairs(lake).targets if name in by_version]
    values = by_version.loc[[first, second], targets].to_numpy(np.float64)
    ranks = average_ranks(values)
    compared = pd.DataFrame(
        {
            "target": targets,
            f"version_{first}": values[0],
            f"version_{second}": values[1],
            f"rank_{first}": ranks[0],
            f"rank_{second}": ranks[1],
            "moved": ranks[1] - ranks[0],
        }
    )
    return compared.sort_values("moved", key=np.abs, ascending=False, ignore_index=True)


def _read_versions(lake: Lake, day: date | None, more: str = "") -> pd.DataFrame:
    """Read the versions of a day, or of all days; with more columns, the rows of each version."""
    if not lake.has(SUBMISSIONS):
        raise LakeError(
            "nothing was submitted yet", where=SUBMISSIONS.name, hint="run `quant-assets load`"
        )
    values: list[Any] = [day] if day else []
    condition = "WHERE trading_day = ?" if day else ""
    about = ", ".join(_ABOUT) + more
    parts = [
        f"SELECT DISTINCT {about}, NULL::TIMESTAMP AS replaced_at, NULL::VARCHAR AS reason"
        f" FROM {SUBMISSIONS.quoted} {condition}"
    ]
    if lake.has(SUPERSEDED_SUBMISSIONS):
        parts.append(
            f"SELECT DISTINCT {about}, superseded_at AS replaced_at, reason"
            f" FROM {SUPERSEDED_SUBMISSIONS.quoted} {condition}"
        )
        values *= 2
    return lake.query(
        "SELECT *, dense_rank() OVER (PARTITION BY trading_day ORDER BY stored_at, replaced_at"
        f" NULLS LAST) AS version FROM ({' UNION ALL '.join(parts)}) ORDER BY version",
        values,
    )

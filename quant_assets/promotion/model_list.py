"""The models that can forecast: the newest fit of each family, and the releases.

Which of them are in memory is known to the server alone.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.scoring_tables import SCOREBOARD
from quant_assets.lake.schemas.table import Column
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.listing import list_releases
from quant_assets.promotion.release_store import Release, read_releases

_SCORE = ("score", "low", "high", "days")
_FIT = ("sha256", "fingerprint", "features_version", "library", "code", "seconds", "failure")
_OF_FIT = tuple(column for column in fits_table("").columns if column.name in _FIT)
FAMILY_COLUMNS: tuple[Column, ...] = (
    Column("name", "VARCHAR", "name of the family"),
    Column("as_of", "DATE", "as-of day of its newest fit"),
    *_OF_FIT,
    Column("score", "DOUBLE", "score over all judged days; NULL before the first"),
    Column("low", "DOUBLE", "lower end of its 95 % interval"),
    Column("high", "DOUBLE", "upper end of its 95 % interval"),
    Column("days", "BIGINT", "number of judged days"),
)
"""Members of a family in :func:`read_families`."""


def read_families(lake: Lake) -> list[dict[str, Any]]:
    """Read the newest fit of each family with its score, in the order of the families.

    Raises:
        LakeError: the lake cannot be read.
    """
    scores = _read_scores(lake)
    families = []
    for name in FAMILIES:
        table = fits_table(name)
        if not lake.has(table):
            continue
        columns = ", ".join(column.name for column in _OF_FIT)
        rows = lake.arrow(
            f"SELECT trading_day AS as_of, {columns} FROM {table.quoted}"
            " ORDER BY trading_day DESC LIMIT 1"
        ).to_pylist()
        if rows:
            families.append({"name": name, **rows[0], **scores.get(name, _no_score())})
    return families


def describe_releases(lake: Lake) -> list[dict[str, Any]]:
    """Describe all releases: stage, share, scores, and the fits of their families.

    Raises:
        LakeError: the lake cannot be read.
    """
    releases = read_releases(lake)
    if not releases:
        return []
    listed = {str(row["release"]): row for row in list_releases(lake).to_dict("records")}
    return [_describe_release(release, listed[release.name]) for release in releases]


def _describe_release(release: Release, listed: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {
        "name": release.name,
        "as_of": release.as_of,
        **{
            key: listed[key]
            for key in ("stage", "share", "live_days", "live_score", "walk_forward", "reason")
        },
        "recipe": release.recipe,
        "families": [
            {
                "family": fit.family,
                "fit_as_of": fit.fit_as_of,
                "sha256": fit.sha256,
                "pinned": fit.pinned,
                "weight": fit.weight,
                "features_version": fit.features_version,
            }
            for fit in release.fits
        ],
    }


def _read_scores(lake: Lake) -> dict[str, dict[str, Any]]:
    if not lake.has(SCOREBOARD):
        return {}
    rows = lake.arrow(f"SELECT family, {', '.join(_SCORE)} FROM {SCOREBOARD.quoted}").to_pylist()
    return {row.pop("family"): row for row in rows}


def _no_score() -> dict[str, Any]:
    return dict.fromkeys(_SCORE)

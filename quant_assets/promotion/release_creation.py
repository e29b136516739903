"""Making a release from the fits as of a day, with the track record of their walk-forward.

Whether the release is good enough belongs in ``promotion.rules``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np

from quant_assets.core.errors import PromotionError
from quant_assets.core.settings import Settings
from quant_assets.ensemble.blend import read_weights
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.promotion_tables import (
    RECORDS,
    RELEASES,
    SUBMITTED_NAME,
    WALK_FORWARD,
)
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import DAILY
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.release_store import (
    Release,
    ReleaseFit,
    lock_promotion,
    read_decisions,
    read_releases,
    release_rows,
)
from quant_assets.promotion.submitted_days import read_newest_submitted_day

Row = Mapping[str, Any]
_FEWEST_DAYS = 0.9
"""Share of the days on which a family must have forecast: single days may lack a forecast."""


def register_release(
    lake: Lake, settings: Settings, families: Sequence[str], as_of: date
) -> Release:
    """Make and store the release of the families' fits as of a day.

    A release with the same content is not made again. If it lacks a walk-forward record and no
    decision was made about it, it gets the record that there is now.

    Args:
        lake: holds the fits and the walk-forward; the release is stored in it.
        settings: name the artifacts folder.
        families: the families of the release, in the ensemble's order.
        as_of: as-of day of the fits.

    Raises:
        PromotionError: a family has no fit as of the day, or its model is missing or altered;
            nothing is stored then.
    """
    fits = {name: _read_fit(lake, settings, name, as_of) for name in families}
    with lock_promotion(settings):
        known = {release.name: release for release in read_releases(lake)}
        release = _build_release(lake, fits, as_of, place=len(known) + 1)
        if release.name in known:
            release = known[release.name]
            decided = any(row.release == release.name for row in read_decisions(lake))
            if not release.no_record or decided:
                return release
        record, missing = _read_walk_forward(lake, fits, as_of)
        release = replace(release, no_record=missing)
        if not missing:
            count = len(record["ic"])
            rows = {**record, "release": [release.name] * count, "origin": [WALK_FORWARD] * count}
            lake.replace_matching(RECORDS, "release", rows)
        # Written last: a release whose row is stored is complete.
        lake.replace_matching(RELEASES, "release", release_rows(release))
        return release


def _read_fit(lake: Lake, settings: Settings, name: str, as_of: date) -> Row:
    """Read a family's fit as of a day; raise unless its model is stored and unaltered."""
    table = fits_table(name)
    rows = (
        lake.arrow(
            "SELECT trading_day, fingerprint, artifact, sha256, features_version, parameters, code,"
            f" by_hand, failure FROM {table.quoted} WHERE trading_day = ?",
            [as_of],
        ).to_pylist()
        if lake.has(table)
        else []
    )
    problem = "no fit" if not rows else rows[0]["failure"]
    if not problem and not is_artifact_stored(
        settings.artifacts_dir, rows[0]["artifact"], rows[0]["sha256"]
    ):
        problem = "its model is missing or altered"
    if problem:
        raise PromotionError(
            "no release: a family is missing",
            where=f"{name} as of {as_of}",
            expected="a fit of every family as of this day",
            found=problem,
            hint="run retrain_models as of the day again; the releases in force stay in force",
        )
    row: Row = rows[0]
    return row


def _build_release(lake: Lake, fits: Mapping[str, Row], as_of: date, place: int) -> Release:
    day = np.array([as_of], dtype="datetime64[D]")
    weights = read_weights(lake, list(fits), day)[0].tolist()
    recipe = _digest([[n, f["parameters"], f["code"], f["by_hand"]] for n, f in fits.items()])
    content = _digest([recipe, [[n, f["sha256"]] for n, f in fits.items()]])
    return Release(
        f"{as_of}-{content[:6]}",
        as_of,
        tuple(
            ReleaseFit(
                name,
                fit["trading_day"],
                fit["fingerprint"],
                fit["artifact"],
                fit["sha256"],
                name not in DAILY,
                weight,
                fit["features_version"],
            )
            for (name, fit), weight in zip(fits.items(), weights, strict=True)
        ),
        recipe[:12],
        max(as_of, read_newest_submitted_day(lake) or as_of),
        place,
    )


def _digest(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_walk_forward(
    lake: Lake, fits: Mapping[str, Row], as_of: date
) -> tuple[dict[str, list[Any]], str | None]:
    """Read the newest daily ICs of the ensemble's walk-forward that are known by a day.

    Returns the columns, ascending by day, and why they cannot stand for these fits; None if they
    can.
    """
    if not lake.has(PERFORMANCE):
        return {}, "no walk-forward: run walk_forward, then retrain"
    rows = lake.arrow(
        f"SELECT trading_day, released_on, ic FROM {PERFORMANCE.quoted}"
        " WHERE family = 'ensemble' AND released_on <= ? ORDER BY trading_day DESC LIMIT ?",
        [as_of, Thresholds.window],
    )
    record = {name: rows.column(name).to_pylist()[::-1] for name in rows.column_names}
    if not len(rows):
        return {}, "no labels are known yet: no day of the walk-forward is judged"
    difference = _describe_other_recipe(lake, fits, record["trading_day"])
    hint = "run walk_forward with these families and parameters, then retrain"
    return record, f"no walk-forward of this recipe ({difference}): {hint}" if difference else None


def _describe_other_recipe(lake: Lake, fits: Mapping[str, Row], days: Sequence[date]) -> str | None:
    """Describe how the walk-forward of these days differs from the recipe; None if it does not."""
    counts = lake.arrow(
        f"SELECT family, count(*) AS days FROM {PERFORMANCE.quoted}"
        " WHERE trading_day BETWEEN ? AND ? AND family NOT IN ('ensemble', 'oracle', ?)"
        " GROUP BY family",
        [days[0], days[-1], SUBMITTED_NAME],
    ).to_pylist()
    blended = {row["family"] for row in counts}
    if blended != set(fits):
        return f"it had {', '.join(sorted(blended))}"
    for row in counts:
        if row["days"] < _FEWEST_DAYS * len(days):
            return f"it had {row['family']} on {row['days']} of {len(days)} days"
    for name, fit in fits.items():
        for used in _read_fits_used(lake, name, days):
            if _manual_parameters(used) != _manual_parameters(fit):
                return f"{name} had other parameters set by hand"
            if used["code"] != fit["code"]:
                return f"{name} had other code"
    return None


def _read_fits_used(lake: Lake, name: str, days: Sequence[date]) -> list[Row]:
    """Read the fits by which a family forecast these days in its walk-forward."""
    table = fits_table(name).quoted
    begun = f"(SELECT max(trading_day) FROM {table} WHERE trading_day <= ? AND failure IS NULL)"
    rows: list[Row] = lake.arrow(
        f"SELECT parameters, by_hand, code FROM {table} WHERE failure IS NULL"
        f" AND trading_day BETWEEN {begun} AND ?",
        [days[0], days[-1]],
    ).to_pylist()
    return rows


def _manual_parameters(fit: Row) -> dict[str, Any]:
    names = fit["by_hand"].split(", ") if fit["by_hand"] else []
    parameters = json.loads(fit["parameters"])
    return {name: parameters[name] for name in names}

"""Making a release: the fits as of a day put together, with the record of their walk-forward.

Whether it is any good belongs in ``promotion.rules``.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np

from quant_assets.core.errors import PromotionError
from quant_assets.core.settings import Settings
from quant_assets.ensemble.blend import read_weights
from quant_assets.lake.schemas.promotion_tables import (
    RECORDS,
    RELEASES,
    SUBMITTED_NAME,
    WALK_FORWARD,
)
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.schemas.tables import fits_table
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import DAILY
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.release_store import (
    Release,
    ReleaseFit,
    lock_promotion,
    read_decisions,
    read_newest_submitted_day,
    read_releases,
    release_rows,
)

Row = Mapping[str, Any]
# A family may have been left out on single days.
_NEARLY_ALL = 0.9


def register_release(
    lake: Lake, settings: Settings, families: Sequence[str], as_of: date
) -> Release:
    """The release of the families' fits as of a day; stored, unless the same one is there.

    One that lacks a record, and that nothing was decided on, gets it if there is one now.

    Raises:
        PromotionError: a family has no fit as of the day, or its model is missing or altered;
            nothing is stored then.
    """
    fits = {name: _fit_of(lake, settings, name, as_of) for name in families}
    with lock_promotion(settings):
        known = {one.name: one for one in read_releases(lake)}
        made = _release(lake, fits, as_of, place=len(known) + 1)
        if made.name in known:
            made = known[made.name]
            if not made.no_record or any(x.release == made.name for x in read_decisions(lake)):
                return made
        record, missing = _walk_forward(lake, fits, as_of)
        made = Release(**{**vars(made), "no_record": missing})
        if not missing:
            count = len(record["ic"])
            rows = {**record, "release": [made.name] * count, "origin": [WALK_FORWARD] * count}
            lake.replace_matching(RECORDS, "release", rows)
        # Written last: a release whose row is there is whole.
        lake.replace_matching(RELEASES, "release", release_rows(made))
        return made


def _fit_of(lake: Lake, settings: Settings, name: str, as_of: date) -> Row:
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
    found = "no fit" if not rows else rows[0]["failure"]
    if not found and not is_artifact_stored(
        settings.artifacts_dir, rows[0]["artifact"], rows[0]["sha256"]
    ):
        found = "its model is missing or altered"
    if found:
        raise PromotionError(
            "no release: a family is missing",
            where=f"{name} as of {as_of}",
            expected="a fit of every family as of this day",
            found=found,
            hint="run retrain_models as of the day again; the releases there are stay in force",
        )
    row: Row = rows[0]
    return row


def _release(lake: Lake, fits: Mapping[str, Row], as_of: date, place: int) -> Release:
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


def _walk_forward(
    lake: Lake, fits: Mapping[str, Row], as_of: date
) -> tuple[dict[str, list[Any]], str | None]:
    """The ensemble's newest daily ICs known by the day, and why they are not of this recipe."""
    if not lake.has(PERFORMANCE):
        return {}, "no walk-forward: run walk_forward, then retrain"
    rows = lake.arrow(
        f"SELECT trading_day, released_on, ic FROM {PERFORMANCE.quoted}"
        " WHERE family = 'ensemble' AND released_on <= ? ORDER BY trading_day DESC LIMIT ?",
        [as_of, Thresholds.window],
    )
    record = {name: rows.column(name).to_pylist()[::-1] for name in rows.column_names}
    if not len(rows):
        return {}, "no released labels yet: no day of the walk-forward is judged"
    other = _other_recipe(lake, fits, record["trading_day"])
    hint = "run walk_forward with these families and parameters, then retrain"
    return record, f"no walk-forward of this recipe ({other}): {hint}" if other else None


def _other_recipe(lake: Lake, fits: Mapping[str, Row], days: Sequence[date]) -> str | None:
    """In what the walk-forward of these days was another recipe; None if in nothing."""
    found = lake.arrow(
        f"SELECT family, count(*) AS days FROM {PERFORMANCE.quoted}"
        " WHERE trading_day BETWEEN ? AND ? AND family NOT IN ('ensemble', 'oracle', ?)"
        " GROUP BY family",
        [days[0], days[-1], SUBMITTED_NAME],
    ).to_pylist()
    blended = {row["family"] for row in found}
    if blended != set(fits):
        return f"it had {', '.join(sorted(blended))}"
    for row in found:
        if row["days"] < _NEARLY_ALL * len(days):
            return f"it had {row['family']} on {row['days']} of {len(days)} days"
    for name, fit in fits.items():
        for used in _used_on(lake, name, days):
            if _by_hand(used) != _by_hand(fit):
                return f"{name} had other parameters set by hand"
            if used["code"] != fit["code"]:
                return f"{name} had other code"
    return None


def _used_on(lake: Lake, name: str, days: Sequence[date]) -> list[Row]:
    """Fits of a family that forecast these days."""
    table = fits_table(name).quoted
    begun = f"(SELECT max(trading_day) FROM {table} WHERE trading_day <= ? AND failure IS NULL)"
    rows: list[Row] = lake.arrow(
        f"SELECT parameters, by_hand, code FROM {table} WHERE failure IS NULL"
        f" AND trading_day BETWEEN {begun} AND ?",
        [days[0], days[-1]],
    ).to_pylist()
    return rows


def _by_hand(fit: Row) -> dict[str, Any]:
    names = fit["by_hand"].split(", ") if fit["by_hand"] else []
    parameters = json.loads(fit["parameters"])
    return {name: parameters[name] for name in names}

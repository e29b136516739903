"""Why models may have to be retrained, as the lake shows it: drift, performance, fits, code.

Each cause has an id that stays the same for as long as it lasts. Whether anything is done about it
is decided in ``orchestration.run_requests.retry_policy``.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from quant_assets.core.settings import Settings
from quant_assets.features.catalogue import CATALOGUE_VERSION, is_same_arithmetic
from quant_assets.lake.schemas.monitoring_tables import DRIFT, ROLLING
from quant_assets.lake.schemas.tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import select_families
from quant_assets.monitoring.drift.drift import share_drifted
from quant_assets.monitoring.skill.daily_records import (
    ENSEMBLE_FAMILY,
    SUBMITTED_FAMILY,
    choose_judged_family,
)
from quant_assets.monitoring.skill.rolling_rows import ALERT_WINDOWS
from quant_assets.orchestration.run_requests.retry_policy import RetrainTrigger
from quant_assets.training.fitting import code_digest

DRIFTED_DAYS = 3
"""Watched days in a row on which too many features drifted, until that is a cause."""
# What forecasts were published as, then what they were blended to.
_JUDGED = (SUBMITTED_FAMILY, ENSEMBLE_FAMILY)
_DIGITS = 8
_TOLD = '"by" = \'all\' AND list_contains(?, "window")'


def find_triggers(lake: Lake, settings: Settings, newest: date) -> list[RetrainTrigger]:
    """All causes there are, the most urgent first.

    Args:
        lake: what is stored.
        settings: families and limits.
        newest: the day that models would be retrained as of.
    """
    families = select_families(settings.families)
    fits = {name: _fits(lake, name) for name in families}
    return [
        *_performance(lake),
        *_missing(fits),
        *_code(fits),
        *_drift(lake, settings.drift_share),
        *_aged(fits, newest, timedelta(days=settings.fit_max_age_days)),
    ]


def current_episode(days: Sequence[tuple[date, bool]]) -> list[date]:
    """The last days on which it was so, up to the newest; none, if it is not so now."""
    held: list[date] = []
    for day, so in reversed(days):
        if not so:
            break
        held.insert(0, day)
    return held


def _performance(lake: Lake) -> Iterator[RetrainTrigger]:
    """Performance that has fallen by a critical amount; by less, people are warned only."""
    if not lake.has(ROLLING):
        return
    rows = lake.arrow(
        "SELECT family, trading_day, coalesce(bool_or(level = 'critical'), false) AS critical"
        f" FROM {ROLLING.quoted} WHERE list_contains(?, family) AND {_TOLD}"
        " GROUP BY ALL ORDER BY trading_day",
        [list(_JUDGED), list(ALERT_WINDOWS)],
    ).to_pylist()
    there = {row["family"] for row in rows}
    family = choose_judged_family(there)
    held = current_episode(
        [(row["trading_day"], row["critical"]) for row in rows if row["family"] == family]
    )
    if held:
        yield RetrainTrigger(
            f"performance/{held[0]}",
            "performance",
            f"the performance of {family} is critical since {held[0]}: "
            + _worst(lake, family, held[-1]),
            urgent=True,
        )


def _worst(lake: Lake, family: str, day: date) -> str:
    worst = lake.arrow(
        f'SELECT "window", score, expected FROM {ROLLING.quoted}'
        f" WHERE family = ? AND trading_day = ? AND level = 'critical' AND {_TOLD}"
        " ORDER BY shortfall DESC NULLS LAST LIMIT 1",
        [family, day, list(ALERT_WINDOWS)],
    ).to_pylist()[0]
    over = f"over {worst['window']} days" if worst["window"] else "since the drop began"
    return f"score {worst['score']:.3f} {over}, expected {worst['expected']:.3f}"


def _drift(lake: Lake, limit: float) -> Iterator[RetrainTrigger]:
    if not lake.has(DRIFT):
        return
    shares = share_drifted(
        lake.query(f"SELECT trading_day, level, ks, drifted FROM {DRIFT.quoted}")
    )
    days = shares.index.to_numpy("datetime64[D]").tolist()
    held = current_episode(list(zip(days, (shares > limit).tolist(), strict=True)))
    if len(held) >= DRIFTED_DAYS:
        yield RetrainTrigger(
            f"drift/{held[0]}",
            "drift",
            f"{shares.iloc[-1]:.0%} of the features have drifted, and over {limit:.0%} on each "
            f"of {len(held)} days since {held[0]}",
        )


def _fits(lake: Lake, name: str) -> list[dict[str, Any]]:
    """A family's fits, oldest first."""
    table = fits_table(name)
    if not lake.has(table):
        return []
    fits: list[dict[str, Any]] = lake.arrow(
        f"SELECT trading_day, failure, code, features_version FROM {table.quoted} ORDER BY 1"
    ).to_pylist()
    return fits


def _good(fits: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return next((one for one in reversed(fits) if one["failure"] is None), None)


def _missing(fits: dict[str, list[dict[str, Any]]]) -> Iterator[RetrainTrigger]:
    for name, made in fits.items():
        failing = current_episode(
            [(one["trading_day"], one["failure"] is not None) for one in made]
        )
        if not made:
            yield RetrainTrigger(f"fits/none/{name}", "fits", f"{name} was never fitted")
        elif failing:
            problem = str(made[-1]["failure"]).splitlines()[0]
            yield RetrainTrigger(
                f"fits/failed/{name}/{failing[0]}",
                "fits",
                f"{name} cannot be fitted since {failing[0]}: {problem}",
            )


def _aged(
    fits: dict[str, list[dict[str, Any]]], newest: date, most: timedelta
) -> Iterator[RetrainTrigger]:
    as_of = {name: good["trading_day"] for name, made in fits.items() if (good := _good(made))}
    old = {name: day for name, day in as_of.items() if newest - day > most}
    if old:
        oldest = min(old.values())
        yield RetrainTrigger(
            f"fits/old/{oldest}",
            "fits",
            f"{', '.join(old)}: fitted as of {oldest}, more than {most.days} days before {newest}",
        )


def _code(fits: dict[str, list[dict[str, Any]]]) -> Iterator[RetrainTrigger]:
    newest = {name: fit for name, made in fits.items() if (fit := _good(made))}
    other_features = [
        name for name, fit in newest.items() if not is_same_arithmetic(fit["features_version"])
    ]
    other_code = [name for name, fit in newest.items() if fit["code"] != code_digest(name)]
    outdated = {*other_features, *other_code}
    if outdated:
        changed = (
            f"the features are of version {CATALOGUE_VERSION}, and the fits were made on others; "
            "`quant-assets load` computes the history of the new ones"
            if other_features
            else f"code has changed since these were fitted: {', '.join(other_code)}"
        )
        # Code that comes back finds other fits than it did before.
        oldest = min(newest[name]["trading_day"] for name in outdated)
        code = sha256("".join(map(code_digest, sorted(fits))).encode()).hexdigest()[:_DIGITS]
        yield RetrainTrigger(f"code/{CATALOGUE_VERSION}/{code}/{oldest}", "code", changed)

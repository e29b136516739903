"""Finds triggers for retraining in the lake: performance, revisions, fits, code, drift.

A trigger keeps its id as long as it lasts. Whether models are retrained is decided in
``orchestration.run_requests.retry_policy``.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from quant_assets.core.settings import Settings
from quant_assets.features.further_inputs import is_same_version, version_of_inputs
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.monitoring_tables import DRIFT, ROLLING
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
from quant_assets.revisions.records import read_records
from quant_assets.training.fitting import code_digest

DRIFTED_DAYS = 3
"""Consecutive watched days with too many drifted features that make a trigger."""
_JUDGED_FAMILIES = {SUBMITTED_FAMILY: "the submitted forecast", ENSEMBLE_FAMILY: "the ensemble"}
_DIGEST_LENGTH = 8
_WHOLE_FAMILY = '"by" = \'all\' AND list_contains(?, "window")'


def find_triggers(lake: Lake, settings: Settings, newest: date) -> list[RetrainTrigger]:
    """Find all triggers that hold now, the most urgent first.

    Args:
        lake: holds performance, drift and fits.
        settings: name the families, and the limits of drift and of a fit's age.
        newest: the newest day, as of which models would be retrained.
    """
    families = select_families(settings.families)
    fits = {name: _read_fits(lake, name) for name in families}
    return [
        *_find_performance_trigger(lake),
        *_find_revised_labels(lake, fits),
        *_find_missing_fits(fits),
        *_find_changed_code(lake, fits),
        *_find_drift_trigger(lake, settings.drift_share),
        *_find_old_fits(fits, newest, timedelta(days=settings.fit_max_age_days)),
    ]


def current_episode(days: Sequence[tuple[date, bool]]) -> list[date]:
    """Return the newest consecutive days on which a condition holds.

    Args:
        days: each day, and whether the condition holds on it, oldest first.

    Returns:
        The days, oldest first; empty if the condition does not hold on the newest day.
    """
    episode: list[date] = []
    for day, holds in reversed(days):
        if not holds:
            break
        episode.insert(0, day)
    return episode


def _find_performance_trigger(lake: Lake) -> Iterator[RetrainTrigger]:
    """Yield a trigger if the performance is critical; a smaller loss only warns people."""
    if not lake.has(ROLLING):
        return
    rows = lake.arrow(
        "SELECT family, trading_day, coalesce(bool_or(level = 'critical'), false) AS critical"
        f" FROM {ROLLING.quoted} WHERE list_contains(?, family) AND {_WHOLE_FAMILY}"
        " GROUP BY ALL ORDER BY trading_day",
        [list(_JUDGED_FAMILIES), list(ALERT_WINDOWS)],
    ).to_pylist()
    family = choose_judged_family({row["family"] for row in rows})
    episode = current_episode(
        [(row["trading_day"], row["critical"]) for row in rows if row["family"] == family]
    )
    if episode:
        yield RetrainTrigger(
            f"performance/{episode[0]}",
            "performance",
            f"the performance of {_JUDGED_FAMILIES[family]} has been critical since {episode[0]}: "
            + _describe_worst_score(lake, family, episode[-1]),
            urgent=True,
        )


def _describe_worst_score(lake: Lake, family: str, day: date) -> str:
    worst = lake.arrow(
        f'SELECT "window", score, expected FROM {ROLLING.quoted}'
        f" WHERE family = ? AND trading_day = ? AND level = 'critical' AND {_WHOLE_FAMILY}"
        " ORDER BY shortfall DESC NULLS LAST LIMIT 1",
        [family, day, list(ALERT_WINDOWS)],
    ).to_pylist()[0]
    over = f"over {worst['window']} days" if worst["window"] else "since the drop began"
    return f"the score {over} is {worst['score']:.3f}, expected was {worst['expected']:.3f}"


def _find_revised_labels(
    lake: Lake, fits: dict[str, list[dict[str, Any]]]
) -> Iterator[RetrainTrigger]:
    """Yield a trigger if labels that a newest good fit was trained on have moved since."""
    newest = [fit for of_family in fits.values() if (fit := _find_newest_good_fit(of_family))]
    for record in reversed(read_records(lake)):
        trained = [
            fit
            for fit in newest
            if fit["snapshot"] < record.snapshot and fit["trading_day"] >= record.trading_day
        ]
        if record.labels != 0 and trained:
            many = "an unknown number of" if record.labels is None else record.labels
            by = "" if record.worst is None else f" by up to {record.worst:.3g}"
            yield RetrainTrigger(
                f"revision/{record.snapshot}",
                "revision",
                f"{many} labels from {record.trading_day} on moved{by} after the fits were made: "
                f"{record.summary}",
            )
            return


def _find_drift_trigger(lake: Lake, limit: float) -> Iterator[RetrainTrigger]:
    """Yield a trigger if the share of drifted features exceeds the limit on enough days."""
    if not lake.has(DRIFT):
        return
    shares = share_drifted(
        lake.query(f"SELECT trading_day, level, ks, drifted FROM {DRIFT.quoted}")
    )
    days = shares.index.to_numpy("datetime64[D]").tolist()
    episode = current_episode(list(zip(days, (shares > limit).tolist(), strict=True)))
    if len(episode) >= DRIFTED_DAYS:
        yield RetrainTrigger(
            f"drift/{episode[0]}",
            "drift",
            f"{shares.iloc[-1]:.0%} of the features have drifted, and more than {limit:.0%} on "
            f"each of {len(episode)} days since {episode[0]}",
        )


def _read_fits(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Read a family's fits, oldest first."""
    table = fits_table(name)
    if not lake.has(table):
        return []
    fits: list[dict[str, Any]] = lake.arrow(
        "SELECT trading_day, failure, code, features_version, snapshot"
        f" FROM {table.quoted} ORDER BY 1"
    ).to_pylist()
    return fits


def _find_newest_good_fit(fits: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return next((fit for fit in reversed(fits) if fit["failure"] is None), None)


def _find_missing_fits(fits: dict[str, list[dict[str, Any]]]) -> Iterator[RetrainTrigger]:
    """Yield a trigger for each family that was never fitted or whose newest fits failed."""
    for name, of_family in fits.items():
        failing = current_episode(
            [(fit["trading_day"], fit["failure"] is not None) for fit in of_family]
        )
        if not of_family:
            yield RetrainTrigger(f"fits/none/{name}", "fits", f"{name} was never fitted")
        elif failing:
            problem = str(of_family[-1]["failure"]).splitlines()[0]
            yield RetrainTrigger(
                f"fits/failed/{name}/{failing[0]}",
                "fits",
                f"every fit of {name} since {failing[0]} has failed: {problem}",
            )


def _find_old_fits(
    fits: dict[str, list[dict[str, Any]]], newest: date, most: timedelta
) -> Iterator[RetrainTrigger]:
    """Yield a trigger if the newest good fit of a family is too old."""
    as_of = {
        name: fit["trading_day"]
        for name, of_family in fits.items()
        if (fit := _find_newest_good_fit(of_family))
    }
    old = {name: day for name, day in as_of.items() if newest - day > most}
    if old:
        oldest = min(old.values())
        yield RetrainTrigger(
            f"fits/old/{oldest}",
            "fits",
            f"the fits of {', '.join(old)} are too old: the oldest is as of {oldest}, "
            f"more than {most.days} days before {newest}",
        )


def _find_changed_code(
    lake: Lake, fits: dict[str, list[dict[str, Any]]]
) -> Iterator[RetrainTrigger]:
    """Yield a trigger if features or code have changed since the newest good fits."""
    further = read_further_inputs(lake)
    version = version_of_inputs(further)
    newest = {
        name: fit for name, of_family in fits.items() if (fit := _find_newest_good_fit(of_family))
    }
    other_features = [
        name
        for name, fit in newest.items()
        if not is_same_version(fit["features_version"], further)
    ]
    other_code = [name for name, fit in newest.items() if fit["code"] != code_digest(name)]
    outdated = {*other_features, *other_code}
    if outdated:
        changed = (
            f"the features have version {version}, and the fits were made with another "
            "version; `quant-assets load` computes the history of the new features"
            if other_features
            else f"the code of these families has changed since their fits: {', '.join(other_code)}"
        )
        # The oldest day distinguishes code that was restored from the same code before.
        oldest = min(newest[name]["trading_day"] for name in outdated)
        code = sha256("".join(map(code_digest, sorted(fits))).encode()).hexdigest()[:_DIGEST_LENGTH]
        yield RetrainTrigger(f"code/{version}/{code}/{oldest}", "code", changed)

"""Fits in MLflow: a run for each fit, and a version in the model registry if it has a model.

Fits that MLflow lacks are added from the lake, and nothing is removed, so MLflow keeps fits that
were replaced in the lake. Releases are in ``tracking.release_runs``.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_assets.lake.schemas.forecast_tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import DAILY, load_family
from quant_assets.promotion.release_store import Release
from quant_assets.tracking.fit_model import write_fit_model
from quant_assets.tracking.mlflow_registry import (
    CHALLENGER,
    CHAMPION,
    RegistryEntry,
    add_version,
    close_interrupted,
    find_runs,
    find_versions,
    set_aliases,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_TAGS = (
    *("family", "trading_day", "snapshot", "features_version", "code", "library", "sha256"),
    *("fingerprint", "dagster_run", "failure", "study", "by_hand"),
)
_IDENTITY = ("trading_day", "fingerprint", "failure")
Fit = Mapping[str, Any]


def read_stored_fits(lake: Lake, families: Sequence[str], *, whole: bool = True) -> list[Fit]:
    """Read the rows of fits tables, sorted by family and as-of day.

    Families that are fitted daily are included on training days of the other families only: a run
    for each day would add nothing.

    Args:
        lake: the lake.
        families: families whose fits are read.
        whole: whether to read all columns. Otherwise only the columns are read that aliases and
            :func:`are_fits_recorded` need, which is cheaper.
    """
    fitted = [name for name in families if lake.has(fits_table(name))]
    if not fitted:
        return []
    # A single statement, because each statement costs some milliseconds on every day.
    selects = " UNION ALL ".join(_select(name, whole=whole) for name in fitted)
    rows = lake.arrow(f"FROM ({selects}) ORDER BY trading_day", fitted).to_pylist()
    trained = {row["trading_day"] for row in rows if row["family"] not in DAILY}
    kept = [row for row in rows if not trained or row["trading_day"] in trained]
    return sorted(kept, key=lambda row: fitted.index(row["family"]))


def _select(name: str, *, whole: bool) -> str:
    table = fits_table(name)
    wanted = [column.name for column in table.columns] if whole else _IDENTITY
    columns = ", ".join(f'"{column}"' for column in wanted)
    return f"SELECT ? AS family, {columns} FROM {table.quoted}"


def find_fit_aliases(
    lake: Lake, fits: Sequence[Fit], in_force: Mapping[str, Release] | None = None
) -> dict[str, str]:
    """Find the fits that get the aliases ``champion`` and ``challenger`` in their families.

    If the champion pins a fit of the family, these are the fits that champion and challenger pin.
    Otherwise ``champion`` is the fit of the newest forecasts, and ``challenger`` is the newest fit
    if no forecast uses it yet. Returns the alias by fingerprint.

    Args:
        lake: the lake.
        fits: the result of :func:`read_stored_fits`.
        in_force: releases by alias.
    """
    aliases: dict[str, str] = {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        of_family = [fit for fit in fits if fit["family"] == name]
        pinned = _find_pinned(in_force or {}, name)
        aliases |= pinned if CHAMPION in pinned.values() else _by_forecasts(lake, name, of_family)
    return aliases


def are_fits_recorded(lake: Lake, fits: Sequence[Fit], aliases: Mapping[str, str]) -> bool:
    """Return whether ``tracking.fits`` lists exactly these fits with these aliases.

    Args:
        lake: the lake.
        fits: the result of :func:`read_stored_fits`.
        aliases: alias by fingerprint.
    """
    if not lake.has(TRACKED_FITS):
        return not fits
    columns = "family, trading_day, fingerprint, alias, version IS NULL AS failed"
    rows = lake.arrow(f"SELECT {columns} FROM {TRACKED_FITS.quoted}").to_pylist()
    return {tuple(row.values()) for row in rows} == {
        (
            *(fit[name] for name in ("family", "trading_day", "fingerprint")),
            aliases.get(fit["fingerprint"]),
            fit["failure"] is not None,
        )
        for fit in fits
    }


def record_fits(
    client: "MlflowClient",
    parent: "Run",
    fits: Sequence[Fit],
    aliases: Mapping[str, str],
    models: Path,
) -> dict[str, tuple[Fit, RegistryEntry]]:
    """Record the fits that MLflow lacks, and set its aliases.

    Returns fits and registry entries by fingerprint. A fit whose model is missing or altered is not
    recorded.

    Args:
        client: client of the MLflow store, which no other process writes meanwhile.
        parent: run that is the parent of new runs.
        fits: the result of :func:`read_stored_fits`.
        aliases: the result of :func:`find_fit_aliases`.
        models: folder of the fitted models.
    """
    close_interrupted(client, parent)
    failed, recorded = _find_failed(client, parent), {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        registered = find_versions(client, name, "fingerprint")
        for fit in (row for row in fits if row["family"] == name):
            digest = fit["fingerprint"]
            # A fit that failed first and succeeded later has the same fingerprint.
            known = failed if fit["failure"] else registered
            if (
                digest in known
                or fit["failure"]
                or is_artifact_stored(models, fit["artifact"], fit["sha256"])
            ):
                known[digest] = known.get(digest) or _record_fit(client, parent, fit, models)
                recorded[digest] = fit, known[digest]
        # A release may pin a fit that the lake has replaced since.
        wanted = {aliases[d]: str(entry.version) for d, entry in registered.items() if d in aliases}
        set_aliases(client, name, wanted)
    return recorded


def tracked_fit_rows(
    recorded: Mapping[str, tuple[Fit, RegistryEntry]], aliases: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Convert recorded fits and their aliases to rows of ``tracking.fits``."""
    rows = [
        {
            "trading_day": fit["trading_day"],
            "date_id": fit["date_id"],
            "family": fit["family"],
            "fingerprint": fingerprint,
            "mlflow_run": entry.run,
            "version": entry.version,
            "alias": aliases.get(fingerprint),
        }
        for fingerprint, (fit, entry) in recorded.items()
    ]
    return {c.name: [row[c.name] for row in rows] for c in TRACKED_FITS.columns}


def _find_pinned(in_force: Mapping[str, Release], name: str) -> dict[str, str]:
    """Return the alias of a family's pinned fits by fingerprint; a fit pinned twice is champion."""
    return {
        fit.fingerprint: alias
        for alias in (CHALLENGER, CHAMPION)
        if alias in in_force
        for fit in in_force[alias].fits
        if fit.family == name and fit.pinned
    }


def _by_forecasts(lake: Lake, name: str, fits: Sequence[Fit]) -> dict[str, str]:
    good = [fit for fit in fits if fit["failure"] is None]
    used = _fit_in_force(lake, name)
    aliases = {fit["fingerprint"]: CHAMPION for fit in good if fit["trading_day"] == used}
    if good and used and good[-1]["trading_day"] > used:
        aliases[good[-1]["fingerprint"]] = CHALLENGER
    return aliases


def _fit_in_force(lake: Lake, name: str) -> date | None:
    table = forecasts_table(name)
    if not lake.has(table):
        return None
    newest = lake.arrow(f"SELECT max_by(fit_as_of, trading_day) AS day FROM {table.quoted}")
    day: date | None = newest["day"][0].as_py()
    return day


def _find_failed(client: "MlflowClient", parent: "Run") -> dict[str, RegistryEntry]:
    """Return the runs of failed fits, by fingerprint."""
    return {
        run.data.tags["fingerprint"]: RegistryEntry(run.info.run_id, None)
        for run in find_runs(client, parent, "attributes.status = 'FAILED'")
        if "fingerprint" in run.data.tags
    }


def _record_fit(client: "MlflowClient", parent: "Run", fit: Fit, models: Path) -> RegistryEntry:
    from mlflow.entities import Metric, Param

    name = fit["family"]
    tags = {key: str(fit[key]) for key in _TAGS if fit[key] is not None}
    tags["mlflow.parentRunId"] = parent.info.run_id
    run = client.create_run(
        parent.info.experiment_id, tags=tags, run_name=f"{name} {fit['trading_day']}"
    )
    run_id, at = run.info.run_id, run.info.start_time
    parameters = {**json.loads(fit["parameters"]), "seed": fit["seed"]}
    figures = {**json.loads(fit["metrics"]), "seconds": fit["seconds"]}
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), at, 0) for key, value in figures.items()],
        params=[Param(key, json.dumps(value)) for key, value in parameters.items()],
    )
    if fit["failure"] is not None:
        client.set_terminated(run_id, "FAILED")
        return RegistryEntry(run_id, None)
    write_fit_model(run, fit, models)
    shown = {"fingerprint": fit["fingerprint"], "trading_day": str(fit["trading_day"])}
    return add_version(client, run, name, load_family(name).description, shown)

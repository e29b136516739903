"""Fits in MLflow: a run for each fit, and a version in the model registry if it has a model.

The lake's fits are the truth, and MLflow follows: fits that it lacks are added, and nothing is
removed, so it keeps fits that were replaced since. Releases are in ``tracking.release_runs``.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_assets.lake.schemas.tables import TRACKED_FITS, fits_table, forecasts_table
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
    """Read the fits of families, by family and as-of day, each a row of its fits table.

    Fits of families that are fitted daily are left out between trainings: a run for each day would
    add nothing.

    Args:
        lake: the lake.
        families: whose fits.
        whole: whether all columns are read; otherwise only those that aliases and
            :func:`are_fits_recorded` need, which is cheaper.
    """
    order = [name for name in families if lake.has(fits_table(name))]
    if not order:
        return []
    # One statement for all: each costs some milliseconds, and this is asked every day.
    selects = " UNION ALL ".join(_select(name, whole=whole) for name in order)
    rows = lake.arrow(f"FROM ({selects}) ORDER BY trading_day", order).to_pylist()
    trained = {row["trading_day"] for row in rows if row["family"] not in DAILY}
    kept = [row for row in rows if not trained or row["trading_day"] in trained]
    return sorted(kept, key=lambda row: order.index(row["family"]))


def _select(name: str, *, whole: bool) -> str:
    table = fits_table(name)
    wanted = [column.name for column in table.columns] if whole else _IDENTITY
    columns = ", ".join(f'"{column}"' for column in wanted)
    return f"SELECT ? AS family, {columns} FROM {table.quoted}"


def find_fit_aliases(
    lake: Lake, fits: Sequence[Fit], in_force: Mapping[str, Release] | None = None
) -> dict[str, str]:
    """Find each family's fit that is submitted, and the fit that may replace it.

    Of a family that the champion pins, these are the fits that champion and challenger pin. Of
    other families, the fit behind the newest forecasts is the ``champion``; the newest fit, if no
    forecast uses it yet, is the ``challenger``. Returns the alias by fingerprint.

    Args:
        lake: the lake.
        fits: what :func:`read_stored_fits` returned.
        in_force: releases by alias.
    """
    aliases: dict[str, str] = {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        of_family = [fit for fit in fits if fit["family"] == name]
        pinned = _pinned(in_force or {}, name)
        aliases |= pinned if CHAMPION in pinned.values() else _by_forecasts(lake, name, of_family)
    return aliases


def are_fits_recorded(lake: Lake, fits: Sequence[Fit], named: Mapping[str, str]) -> bool:
    """Return whether ``tracking.fits`` lists exactly these fits with these aliases.

    Args:
        lake: the lake.
        fits: what :func:`read_stored_fits` returned.
        named: alias by fingerprint.
    """
    if not lake.has(TRACKED_FITS):
        return not fits
    columns = "family, trading_day, fingerprint, alias, version IS NULL AS failed"
    rows = lake.arrow(f"SELECT {columns} FROM {TRACKED_FITS.quoted}").to_pylist()
    return {tuple(row.values()) for row in rows} == {
        (
            *(fit[name] for name in ("family", "trading_day", "fingerprint")),
            named.get(fit["fingerprint"]),
            fit["failure"] is not None,
        )
        for fit in fits
    }


def record_fits(
    client: "MlflowClient",
    parent: "Run",
    fits: Sequence[Fit],
    named: Mapping[str, str],
    models: Path,
) -> dict[str, tuple[Fit, RegistryEntry]]:
    """Record the fits that MLflow lacks and move its aliases; return each fit with its entry.

    Args:
        client: of the store, which no other process writes meanwhile.
        parent: run that is the parent of new runs.
        fits: what :func:`read_stored_fits` returned. Fits with a missing or altered model are left
            out.
        named: what :func:`find_fit_aliases` returned.
        models: folder of the fitted models.
    """
    close_interrupted(client, parent)
    failed, recorded = _failed(client, parent), {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        registered = find_versions(client, name, "fingerprint")
        for fit in (each for each in fits if each["family"] == name):
            digest = fit["fingerprint"]
            # A failure made good has the same fingerprint as before.
            known = failed if fit["failure"] else registered
            if (
                digest in known
                or fit["failure"]
                or is_artifact_stored(models, fit["artifact"], fit["sha256"])
            ):
                known[digest] = known.get(digest) or _made(client, parent, fit, models)
                recorded[digest] = fit, known[digest]
        # A release may hold on to a fit in whose place another is stored by now.
        wanted = {named[d]: str(entry.version) for d, entry in registered.items() if d in named}
        set_aliases(client, name, wanted)
    return recorded


def tracked_fit_rows(
    recorded: Mapping[str, tuple[Fit, RegistryEntry]], named: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Rows of ``tracking.fits``."""
    rows = [
        {
            "trading_day": fit["trading_day"],
            "date_id": fit["date_id"],
            "family": fit["family"],
            "fingerprint": fingerprint,
            "mlflow_run": entry.run,
            "version": entry.version,
            "alias": named.get(fingerprint),
        }
        for fingerprint, (fit, entry) in recorded.items()
    ]
    return {c.name: [row[c.name] for row in rows] for c in TRACKED_FITS.columns}


def _pinned(in_force: Mapping[str, Release], name: str) -> dict[str, str]:
    """Return alias by fingerprint of a family's pinned fits; one pinned by both is champion."""
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


def _failed(client: "MlflowClient", parent: "Run") -> dict[str, RegistryEntry]:
    """Return the runs of failed fits, by fingerprint."""
    return {
        run.data.tags["fingerprint"]: RegistryEntry(run.info.run_id, None)
        for run in find_runs(client, parent, "attributes.status = 'FAILED'")
        if "fingerprint" in run.data.tags
    }


def _made(client: "MlflowClient", parent: "Run", fit: Fit, models: Path) -> RegistryEntry:
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

"""Fits in MLflow: a run each, and a version in the model registry for those that came to a model.

The lake's fits are the truth, and MLflow follows: what it lacks is added, nothing is taken away, so
it keeps the fits that others have replaced since. Releases of fits are in ``tracking.releases``.
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
    """The fits of the families, by family and as-of day, each a row of its fits table.

    Fits that are made again each day are left out between trainings: a run a day would say
    nothing that theirs does not. Without ``whole`` of each only what aliases and
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
    """Alias by fingerprint: of each family the fit that is published, and one that may follow it.

    Of a family that the champion pins they are the fits that champion and challenger pin. Of
    another one the fit behind the newest forecasts is the ``champion``; the newest fit, if no
    forecast uses it yet, is the ``challenger``.

    Args:
        lake: the lake.
        fits: as of :func:`read_stored_fits`.
        in_force: releases by alias.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        of_family = [fit for fit in fits if fit["family"] == name]
        pinned = _pinned(in_force or {}, name)
        found |= pinned if CHAMPION in pinned.values() else _by_forecasts(lake, name, of_family)
    return found


def are_fits_recorded(lake: Lake, fits: Sequence[Fit], named: Mapping[str, str]) -> bool:
    """Whether ``tracking.fits`` says of just these fits and aliases that they are in MLflow."""
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
    """Record the fits that MLflow lacks and move its aliases; each fit with its record.

    Args:
        client: of the store, which nobody else writes meanwhile.
        parent: run that new ones go below.
        fits: as of :func:`read_stored_fits`. One whose model is missing or altered is left out.
        named: as of :func:`find_fit_aliases`.
        models: folder of the fitted models.
    """
    close_interrupted(client, parent)
    failed, recorded = _failed(client, parent), {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        registered = find_versions(client, name, "fingerprint")
        for fit in (one for one in fits if one["family"] == name):
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
        wanted = {named[d]: str(one.version) for d, one in registered.items() if d in named}
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
            "mlflow_run": found.run,
            "version": found.version,
            "alias": named.get(fingerprint),
        }
        for fingerprint, (fit, found) in recorded.items()
    ]
    return {c.name: [row[c.name] for row in rows] for c in TRACKED_FITS.columns}


def _pinned(in_force: Mapping[str, Release], name: str) -> dict[str, str]:
    """Alias by fingerprint of a family's fits that are pinned; what both pin is the champion's."""
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
    found = {fit["fingerprint"]: CHAMPION for fit in good if fit["trading_day"] == used}
    if good and used and good[-1]["trading_day"] > used:
        found[good[-1]["fingerprint"]] = CHALLENGER
    return found


def _fit_in_force(lake: Lake, name: str) -> date | None:
    table = forecasts_table(name)
    if not lake.has(table):
        return None
    newest = lake.arrow(f"SELECT max_by(fit_as_of, trading_day) AS day FROM {table.quoted}")
    day: date | None = newest["day"][0].as_py()
    return day


def _failed(client: "MlflowClient", parent: "Run") -> dict[str, RegistryEntry]:
    """The runs of fits that failed, by fingerprint."""
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

"""Fits in MLflow: a run each, and a version in the model registry for those that came to a model.

The lake's fits are the truth, and MLflow follows: what it lacks is added, nothing is taken away, so
it keeps the fits that others have replaced since. How a model is loaded from there is said in
``tracking.served``.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from quant_assets.lake.artifacts import is_stored
from quant_assets.lake.lake import Lake
from quant_assets.lake.tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.models.registry import family
from quant_assets.tracking.served import write_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

CHAMPION, CHALLENGER = "champion", "challenger"
_TAGS = (
    *("family", "trading_day", "snapshot", "features_version", "code", "library", "sha256"),
    *("fingerprint", "dagster_run", "failure", "study", "by_hand"),
)
_PAGE = 1000
Fit = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """Where MLflow keeps a fit: its run, and its version in the registry if it has a model."""

    run: str
    version: int | None


def stored_fits(lake: Lake, families: Sequence[str]) -> list[Fit]:
    """The fits of the families, by family and as-of day, each a row of its fits table."""
    fits: list[Fit] = []
    for name in families:
        table = fits_table(name)
        if lake.has(table):
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = lake.arrow(f"SELECT {columns} FROM {table.quoted} ORDER BY trading_day")
            fits += [{**row, "family": name} for row in rows.to_pylist()]
    return fits


def aliases(lake: Lake, fits: Sequence[Fit]) -> dict[str, str]:
    """Alias by fingerprint: of each family the fit behind its newest forecasts, and a newer one.

    The fit behind the newest forecasts is the ``champion``; the newest fit, if no forecast uses it
    yet, is the ``challenger``.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(fit["family"] for fit in fits):
        good = [fit for fit in fits if fit["family"] == name and fit["failure"] is None]
        in_force = _fit_in_force(lake, name)
        found |= {f["fingerprint"]: CHAMPION for f in good if f["trading_day"] == in_force}
        if good and in_force and good[-1]["trading_day"] > in_force:
            found[good[-1]["fingerprint"]] = CHALLENGER
    return found


def is_recorded(lake: Lake, fits: Sequence[Fit], named: Mapping[str, str]) -> bool:
    """Whether ``tracking.fits`` says of just these fits and aliases that they are in MLflow."""
    if not lake.has(TRACKED_FITS):
        return not fits
    columns = ("family", "trading_day", "fingerprint", "alias")
    rows = lake.arrow(f"SELECT {', '.join(columns)} FROM {TRACKED_FITS.quoted}").to_pylist()
    expected = [{**fit, "alias": named.get(fit["fingerprint"])} for fit in fits]
    return {tuple(row[c] for c in columns) for row in rows} == {
        tuple(fit[c] for c in columns) for fit in expected
    }


def follow(
    client: "MlflowClient",
    parent: "Run",
    fits: Sequence[Fit],
    named: Mapping[str, str],
    models: Path,
) -> dict[str, tuple[Fit, Record]]:
    """Record the fits that MLflow lacks and move its aliases; each fit with its record.

    Args:
        client: of the store, which nobody else writes meanwhile.
        parent: run that new ones go below.
        fits: as of :func:`stored_fits`. One whose model is missing or altered is left out.
        named: as of :func:`aliases`.
        models: folder of the fitted models.
    """
    families = dict.fromkeys(fit["family"] for fit in fits)
    known, recorded = _known(client, parent, families), {}
    for fit in fits:
        digest = fit["fingerprint"]
        if digest in known or fit["failure"] or is_stored(models, fit["artifact"], fit["sha256"]):
            recorded[digest] = fit, known.get(digest) or _made(client, parent, fit, models)
    for name in families:
        versions = {
            named[digest]: str(found.version)
            for digest, (fit, found) in recorded.items()
            if fit["family"] == name and digest in named
        }
        _set_aliases(client, name, versions)
    return recorded


def rows_of(
    recorded: Mapping[str, tuple[Fit, Record]], named: Mapping[str, str]
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


def _fit_in_force(lake: Lake, name: str) -> date | None:
    table = forecasts_table(name)
    if not lake.has(table):
        return None
    newest = lake.arrow(f"SELECT max_by(fit_as_of, trading_day) AS day FROM {table.quoted}")
    day: date | None = newest["day"][0].as_py()
    return day


def _known(client: "MlflowClient", parent: "Run", families: Iterable[str]) -> dict[str, Record]:
    """What MLflow has, by fingerprint; of ours, runs that were begun and never ended are closed."""
    search = partial(client.search_runs, [parent.info.experiment_id], max_results=_PAGE)
    for run in _all_pages(partial(search, "attributes.status = 'RUNNING'")):
        ours = {"fingerprint", "dagster_run_id"} & set(run.data.tags)
        if ours and run.info.run_id != parent.info.run_id:
            client.set_terminated(run.info.run_id, "KILLED")
    known = {
        run.data.tags["fingerprint"]: Record(run.info.run_id, None)
        for run in _all_pages(partial(search, "attributes.status = 'FAILED'"))
        if "fingerprint" in run.data.tags
    }
    for name in families:
        of_family = partial(client.search_model_versions, f"name = '{name}'", max_results=_PAGE)
        known |= {
            version.tags["fingerprint"]: Record(str(version.run_id), int(version.version))
            for version in _all_pages(of_family)
            if "fingerprint" in version.tags
        }
    return known


def _all_pages(search: "Callable[..., PagedList[T]]") -> Iterator[T]:
    page = search()
    yield from page
    while page.token:
        page = search(page_token=page.token)
        yield from page


def _set_aliases(client: "MlflowClient", name: str, versions: Mapping[str, str]) -> None:
    """Make these the family's aliases."""
    models = client.search_registered_models(f"name = '{name}'")
    held = {alias: str(version) for model in models for alias, version in model.aliases.items()}
    for alias in (CHAMPION, CHALLENGER):
        if alias in versions and versions[alias] != held.get(alias):
            client.set_registered_model_alias(name, alias, versions[alias])
        elif alias in held and alias not in versions:
            client.delete_registered_model_alias(name, alias)


def _made(client: "MlflowClient", parent: "Run", fit: Fit, models: Path) -> Record:
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

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
        return Record(run_id, None)
    write_model(run, fit, models)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description=family(name).description)
    version = client.create_model_version(
        name,
        source=f"runs:/{run_id}/model",
        run_id=run_id,
        tags={"fingerprint": fit["fingerprint"], "trading_day": str(fit["trading_day"])},
    )
    # Ended last: one that was interrupted before is still running, and known by that.
    client.set_terminated(run_id)
    return Record(run_id, int(version.version))

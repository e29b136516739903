"""Releases in MLflow: a run for each release, and a version of the registered model ``release``.

Releases that MLflow lacks are added from the lake, and aliases follow the lake's decisions. Models
of releases are stored and loaded by ``tracking.release_model``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_assets.lake.schemas.promotion_tables import TRACKED_RELEASES
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.release_store import Release, read_aliases
from quant_assets.tracking.mlflow_registry import (
    RegistryEntry,
    add_version,
    close_interrupted,
    find_versions,
    set_aliases,
)
from quant_assets.tracking.release_model import write_release_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RELEASE = "release"
_ABOUT = (
    "Fits that go into force together, blended by the weights of their as-of day. champion: its "
    "forecast is submitted; challenger: may replace the champion."
)


def read_releases_in_force(lake: Lake, releases: Sequence[Release]) -> dict[str, Release]:
    """Return the present champion and challenger by alias; an alias without a release is absent."""
    by_name = {release.name: release for release in releases}
    return {alias: by_name[name] for alias, name in read_aliases(lake).items() if name in by_name}


def are_releases_recorded(
    lake: Lake, releases: Sequence[Release], in_force: Mapping[str, Release]
) -> bool:
    """Return whether ``tracking.releases`` lists exactly these releases with these aliases.

    Args:
        lake: the lake.
        releases: all releases.
        in_force: the result of :func:`read_releases_in_force`.
    """
    if not lake.has(TRACKED_RELEASES):
        return False
    rows = lake.arrow(f"SELECT release, alias FROM {TRACKED_RELEASES.quoted}").to_pylist()
    by_name = _alias_by_name(in_force)
    expected = {(release.name, by_name.get(release.name)) for release in releases}
    return {(row["release"], row["alias"]) for row in rows} == expected


def record_releases(
    client: "MlflowClient",
    parent: "Run",
    releases: Sequence[Release],
    in_force: Mapping[str, Release],
    models: Path,
) -> dict[str, RegistryEntry]:
    """Record the releases that MLflow lacks, and set its aliases.

    Returns registry entries by release. A release is not recorded if a model is missing or altered,
    or if a family no longer exists.

    Args:
        client: client of the MLflow store, which no other process writes meanwhile. The fits of the
            releases are recorded already.
        parent: run that is the parent of new runs.
        releases: all releases, oldest first.
        in_force: the result of :func:`read_releases_in_force`.
        models: folder of the fitted models.
    """
    close_interrupted(client, parent)
    known, recorded = find_versions(client, RELEASE, RELEASE), {}
    for release in releases:
        name = release.name
        if name in known or _is_whole(release, models):
            recorded[name] = known.get(name) or _record_release(client, parent, release, models)
    wanted = {
        alias: str(recorded[release.name].version)
        for alias, release in in_force.items()
        if release.name in recorded
    }
    set_aliases(client, RELEASE, wanted)
    return recorded


def tracked_release_rows(
    releases: Sequence[Release],
    recorded: Mapping[str, RegistryEntry],
    in_force: Mapping[str, Release],
) -> dict[str, list[Any]]:
    """Convert recorded releases to rows of ``tracking.releases``.

    Args:
        releases: all releases.
        recorded: the result of :func:`record_releases`.
        in_force: the result of :func:`read_releases_in_force`.
    """
    by_name = _alias_by_name(in_force)
    rows = [
        {
            "release": release.name,
            "trading_day": release.as_of,
            "mlflow_run": recorded[release.name].run,
            "version": recorded[release.name].version,
            "alias": by_name.get(release.name),
        }
        for release in releases
        if release.name in recorded
    ]
    return {c.name: [row[c.name] for row in rows] for c in TRACKED_RELEASES.columns}


def _alias_by_name(in_force: Mapping[str, Release]) -> dict[str, str]:
    return {release.name: alias for alias, release in in_force.items()}


def _is_whole(release: Release, models: Path) -> bool:
    return all(
        fit.family in FAMILIES and is_artifact_stored(models, fit.artifact, fit.sha256)
        for fit in release.fits
    )


def _record_release(
    client: "MlflowClient", parent: "Run", release: Release, models: Path
) -> RegistryEntry:
    from mlflow.entities import Param

    members = _describe_members(client, release)
    shown = {
        "release": release.name,
        "trading_day": str(release.as_of),
        "recipe": release.recipe,
        **({"no_record": release.no_record} if release.no_record else {}),
    }
    tags = {**shown, "families": json.dumps(members)}
    run = client.create_run(
        parent.info.experiment_id,
        tags={**tags, "mlflow.parentRunId": parent.info.run_id},
        run_name=f"{RELEASE} {release.name}",
    )
    parameters = shown | {
        f"{name}.{key}": str(value)
        for name, member in members.items()
        for key, value in member.items()
    }
    client.log_batch(run.info.run_id, params=[Param(*pair) for pair in parameters.items()])
    write_release_model(run, release, models)
    return add_version(client, run, RELEASE, _ABOUT, tags)


def _describe_members(client: "MlflowClient", release: Release) -> dict[str, dict[str, Any]]:
    """Return a description of the fit of each family; its version is None if MLflow lacks it."""
    members = {}
    for fit in release.fits:
        entry = find_versions(client, fit.family, "fingerprint").get(fit.fingerprint)
        members[fit.family] = {
            "fit_as_of": str(fit.fit_as_of),
            "fingerprint": fit.fingerprint,
            "version": entry.version if entry else None,
            "pinned": fit.pinned,
            "weight": fit.weight,
        }
    return members

"""Releases in MLflow: a run each, and a version of the registered model ``release``.

The lake's releases and decisions are the truth, and MLflow follows. How a release is loaded from
MLflow is described in ``tracking.release_model``.
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
    "Fits that go into force together, blended by the weights of their as-of day. champion: what "
    "is published; challenger: what may replace it."
)


def read_releases_in_force(lake: Lake, releases: Sequence[Release]) -> dict[str, Release]:
    """Return champion and challenger, if there are any, as the decisions leave them, by alias."""
    by_name = {release.name: release for release in releases}
    return {alias: by_name[name] for alias, name in read_aliases(lake).items() if name in by_name}


def are_releases_recorded(
    lake: Lake, releases: Sequence[Release], named: Mapping[str, Release]
) -> bool:
    """Return whether ``tracking.releases`` lists exactly these releases with these aliases.

    Args:
        lake: the lake.
        releases: all releases.
        named: what :func:`read_releases_in_force` returned.
    """
    if not lake.has(TRACKED_RELEASES):
        return False
    rows = lake.arrow(f"SELECT release, alias FROM {TRACKED_RELEASES.quoted}").to_pylist()
    by_name = _alias_of(named)
    expected = {(release.name, by_name.get(release.name)) for release in releases}
    return {(row["release"], row["alias"]) for row in rows} == expected


def record_releases(
    client: "MlflowClient",
    parent: "Run",
    releases: Sequence[Release],
    named: Mapping[str, Release],
    models: Path,
) -> dict[str, RegistryEntry]:
    """Record the releases that MLflow lacks and move its aliases; return entries by release.

    Args:
        client: of the store, which no other process writes meanwhile, with the fits recorded.
        parent: run that is the parent of new runs.
        releases: in their order. A release is left out if one of its models is missing or altered,
            or if one of its families no longer exists.
        named: what :func:`read_releases_in_force` returned.
        models: folder of the fitted models.
    """
    close_interrupted(client, parent)
    known, recorded = find_versions(client, RELEASE, RELEASE), {}
    for release in releases:
        name = release.name
        if name in known or _is_whole(release, models):
            recorded[name] = known.get(name) or _made(client, parent, release, models)
    wanted = {
        alias: str(recorded[release.name].version)
        for alias, release in named.items()
        if release.name in recorded
    }
    set_aliases(client, RELEASE, wanted)
    return recorded


def tracked_release_rows(
    releases: Sequence[Release], recorded: Mapping[str, RegistryEntry], named: Mapping[str, Release]
) -> dict[str, list[Any]]:
    """Rows of ``tracking.releases``."""
    by_name = _alias_of(named)
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


def _alias_of(named: Mapping[str, Release]) -> dict[str, str]:
    return {release.name: alias for alias, release in named.items()}


def _is_whole(release: Release, models: Path) -> bool:
    return all(
        fit.family in FAMILIES and is_artifact_stored(models, fit.artifact, fit.sha256)
        for fit in release.fits
    )


def _made(client: "MlflowClient", parent: "Run", release: Release, models: Path) -> RegistryEntry:
    from mlflow.entities import Param

    members = _members(client, release)
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


def _members(client: "MlflowClient", release: Release) -> dict[str, dict[str, Any]]:
    """Return, by family, the release's fit and its version; None where MLflow lacks the fit."""
    members = {}
    for fit in release.fits:
        record = find_versions(client, fit.family, "fingerprint").get(fit.fingerprint)
        members[fit.family] = {
            "fit_as_of": str(fit.fit_as_of),
            "fingerprint": fit.fingerprint,
            "version": record.version if record else None,
            "pinned": fit.pinned,
            "weight": fit.weight,
        }
    return members

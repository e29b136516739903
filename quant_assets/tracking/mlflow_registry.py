"""MLflow's runs, versions and aliases, for fits as well as releases.

Fits and releases are recorded by ``tracking.fit_runs`` and ``tracking.release_runs``. Models are
stored and loaded by ``tracking.fit_model`` and ``tracking.release_model``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

CHAMPION, CHALLENGER = "champion", "challenger"
_OURS = {"fingerprint", "release", "dagster_run_id"}
_PAGE = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class RegistryEntry:
    """The run of a fit or a release in MLflow, and its version if it has a model."""

    run: str
    version: int | None


def find_runs(client: "MlflowClient", parent: "Run", condition: str) -> Iterator["Run"]:
    """Yield the runs of the parent's experiment that meet a condition.

    Args:
        client: client of the MLflow store.
        parent: a run of the experiment.
        condition: filter in MLflow's language.
    """
    here = [parent.info.experiment_id]
    return _all_pages(partial(client.search_runs, here, condition, max_results=_PAGE))


def close_interrupted(client: "MlflowClient", parent: "Run") -> None:
    """End the runs of this package, other than the parent, that were interrupted."""
    for run in find_runs(client, parent, "attributes.status = 'RUNNING'"):
        if _OURS & set(run.data.tags) and run.info.run_id != parent.info.run_id:
            client.set_terminated(run.info.run_id, "KILLED")


def find_versions(client: "MlflowClient", model: str, tag: str) -> dict[str, RegistryEntry]:
    """Find the versions of a registered model that have a tag, by the tag's value.

    Args:
        client: client of the MLflow store.
        model: name of the registered model.
        tag: name of the tag.
    """
    search = partial(client.search_model_versions, f"name = '{model}'", max_results=_PAGE)
    return {
        version.tags[tag]: RegistryEntry(str(version.run_id), int(version.version))
        for version in _all_pages(search)
        if tag in version.tags
    }


def add_version(
    client: "MlflowClient", run: "Run", model: str, about: str, tags: Mapping[str, str]
) -> RegistryEntry:
    """Register a run's model as the newest version of a model.

    Args:
        client: client of the MLflow store.
        run: the run with the model; it is ended.
        model: name of the registered model, which is created if it is missing.
        about: description of the registered model.
        tags: tags of the version.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(model)
    except MlflowException:
        client.create_registered_model(model, description=about)
    run_id = run.info.run_id
    version = client.create_model_version(
        model, source=f"runs:/{run_id}/model", run_id=run_id, tags=dict(tags)
    )
    # The run ends last, so that an interrupted run is recognised by its status RUNNING.
    client.set_terminated(run_id)
    return RegistryEntry(run_id, int(version.version))


def set_aliases(client: "MlflowClient", model: str, wanted: Mapping[str, str]) -> None:
    """Set champion and challenger of a registered model, and delete an alias without a version.

    Args:
        client: client of the MLflow store.
        model: name of the registered model.
        wanted: version by alias.
    """
    models = client.search_registered_models(f"name = '{model}'")
    held = {
        alias: str(version)
        for registered in models
        for alias, version in registered.aliases.items()
    }
    for alias in (CHAMPION, CHALLENGER):
        if alias in wanted and wanted[alias] != held.get(alias):
            client.set_registered_model_alias(model, alias, wanted[alias])
        elif alias in held and alias not in wanted:
            client.delete_registered_model_alias(model, alias)


def _all_pages(search: "Callable[..., PagedList[T]]") -> Iterator[T]:
    page = search()
    yield from page
    while page.token:
        page = search(page_token=page.token)
        yield from page

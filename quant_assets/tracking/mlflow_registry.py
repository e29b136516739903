"""MLflow's runs, versions and aliases, alike for fits and releases.

What is recorded is decided in ``tracking.fits`` and ``tracking.releases``; how a model is loaded,
in ``tracking.served`` and ``tracking.blended``.
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
    """Where MLflow keeps a fit or a release: its run, and its version if it has a model."""

    run: str
    version: int | None


def find_runs(client: "MlflowClient", parent: "Run", condition: str) -> Iterator["Run"]:
    """Runs of the parent's experiment that meet a condition."""
    here = [parent.info.experiment_id]
    return _all_pages(partial(client.search_runs, here, condition, max_results=_PAGE))


def close_interrupted(client: "MlflowClient", parent: "Run") -> None:
    """Close runs of ours, other than the parent, that were begun and never ended."""
    for run in find_runs(client, parent, "attributes.status = 'RUNNING'"):
        if _OURS & set(run.data.tags) and run.info.run_id != parent.info.run_id:
            client.set_terminated(run.info.run_id, "KILLED")


def find_versions(client: "MlflowClient", model: str, tag: str) -> dict[str, RegistryEntry]:
    """Versions of a registered model by the value of a tag; those without it are left out."""
    search = partial(client.search_model_versions, f"name = '{model}'", max_results=_PAGE)
    return {
        version.tags[tag]: RegistryEntry(str(version.run_id), int(version.version))
        for version in _all_pages(search)
        if tag in version.tags
    }


def add_version(
    client: "MlflowClient", run: "Run", model: str, about: str, tags: Mapping[str, str]
) -> RegistryEntry:
    """The run's model as the newest version of a registered one, which ``about`` describes."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(model)
    except MlflowException:
        client.create_registered_model(model, description=about)
    run_id = run.info.run_id
    version = client.create_model_version(
        model, source=f"runs:/{run_id}/model", run_id=run_id, tags=dict(tags)
    )
    # Ended last: one that was interrupted before is still running, and known by that.
    client.set_terminated(run_id)
    return RegistryEntry(run_id, int(version.version))


def set_aliases(client: "MlflowClient", model: str, wanted: Mapping[str, str]) -> None:
    """Make these the champion and the challenger of a registered model: version by alias."""
    models = client.search_registered_models(f"name = '{model}'")
    held = {alias: str(version) for one in models for alias, version in one.aliases.items()}
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

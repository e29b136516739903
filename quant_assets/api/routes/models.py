"""Model families and releases: which there are, how good they are, and whether they are loaded."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.accept import JSON
from quant_assets.api.context import Context, Shared
from quant_assets.api.days import require_name
from quant_assets.api.encoding import Content
from quant_assets.api.openapi import documented, object_schema
from quant_assets.api.parameters import ModelName
from quant_assets.api.security import Reader
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.model_list import FAMILY_COLUMNS, describe_releases, read_families

router = APIRouter(tags=["Models"])
_LOADED = ("boolean", "whether the model is in this server's memory")
_FAMILY_EXAMPLE = {
    "name": "ridge",
    "as_of": "2023-12-04",
    "sha256": "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a",
    "fingerprint": "0f3c9a",
    "features_version": "7f21c04d",
    "library": "numpy 2.3.5",
    "code": "9d4e1e23",
    "seconds": 0.41,
    "failure": None,
    "score": 0.31,
    "low": 0.12,
    "high": 0.51,
    "days": 267,
    "loaded": False,
}
_RELEASE_EXAMPLE = {
    "name": "2023-12-04-1f09ab",
    "as_of": "2023-12-04",
    "stage": "champion",
    "share": 1.0,
    "live_days": 18,
    "live_score": 0.37,
    "walk_forward": 0.41,
    "reason": "the first release",
    "recipe": "51d2c07b",
    "families": [
        {
            "family": "ridge",
            "fit_as_of": "2023-12-04",
            "sha256": "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a",
            "pinned": True,
            "weight": 0.4,
            "features_version": "7f21c04d",
        }
    ],
    "loaded": True,
}
_FAMILY = object_schema(
    {
        **{column.name: (f"{column.type}?", column.description) for column in FAMILY_COLUMNS},
        "loaded": _LOADED,
    },
    _FAMILY_EXAMPLE,
)
_FIT = object_schema(
    {
        "family": ("string", "name of the family"),
        "fit_as_of": ("date", "as-of day of the family's fit"),
        "sha256": ("string?", "digest of the fitted model's file"),
        "pinned": ("boolean", "whether this fit forecasts; otherwise the family's newest"),
        "weight": ("number?", "weight as of the release's as-of day"),
        "features_version": ("string?", "version of the features that the fit was made on"),
    }
)
_RELEASE = object_schema(
    {
        "name": ("string", "as-of day and six digits of the digest of its content"),
        "as_of": ("date", "as-of day of its fits"),
        "stage": ("string", "champion, shadow, a share, last good, waiting, or how it ended"),
        "share": ("number", "share of the submitted forecast, 0 to 1"),
        "live_days": ("integer", "judged days of forecasts of the release itself"),
        "live_score": ("number?", "score over these days"),
        "walk_forward": ("number?", "score of its recipe by walk-forward"),
        "reason": ("string", "reason of the newest decision about it"),
        "recipe": ("string", "digest of families, parameters and code"),
        "families": ("array", "fit of each family"),
        "loaded": _LOADED,
    },
    _RELEASE_EXAMPLE,
)
_RELEASE["properties"]["families"]["items"] = _FIT
_LIST = {
    **object_schema(
        {"families": ("array", "model families"), "releases": ("array", "releases, oldest first")},
        {"families": [_FAMILY_EXAMPLE], "releases": [_RELEASE_EXAMPLE]},
    )
}
_LIST["properties"]["families"]["items"] = _FAMILY
_LIST["properties"]["releases"]["items"] = _RELEASE
_EITHER = {"oneOf": [_FAMILY, _RELEASE], "example": _FAMILY["example"]}


@router.get(
    "/models",
    operation_id="list_models",
    summary="Families and releases",
    responses=documented(_LIST, 406, description="All families and releases."),
)
async def list_models(request: Request, context: Shared, _: Reader) -> Response:
    """List the newest fit of each family, and all releases, with their scores."""
    loaded = tuple(sorted(context.models.names()))

    def compute(lake: Lake) -> Content:
        families, releases = _mark(read_families(lake), loaded), describe_releases(lake)
        return Content({"families": families, "releases": _mark(releases, loaded)})

    return await context.answers.respond(request, "models", compute, loaded, formats=(JSON,))


@router.get(
    "/models/{name}",
    operation_id="get_model",
    summary="A family or a release",
    responses=documented(_EITHER, 404, 406, 422, description="The family or the release."),
)
async def get_model(request: Request, context: Shared, _: Reader, name: ModelName) -> Response:
    """Return the newest fit of a family, or a release, as in the list."""
    models = await context.answers.value("models by name", _read_by_name)
    require_name("model", name, list(models), "path.name")
    return await _answer_model(request, context, name)


async def _answer_model(request: Request, context: Context, name: str) -> Response:
    loaded = tuple(sorted(context.models.names()))

    def compute(lake: Lake) -> Content:
        models = _read_by_name(lake)
        require_name("model", name, list(models), "path.name")
        return Content(_mark([models[name]], loaded)[0])

    return await context.answers.respond(request, "model", compute, name, loaded, formats=(JSON,))


def _read_by_name(lake: Lake) -> dict[str, dict[str, Any]]:
    models = [*read_families(lake), *describe_releases(lake)]
    return {model["name"]: model for model in models}


def _mark(models: Sequence[dict[str, Any]], loaded: Sequence[str]) -> list[dict[str, Any]]:
    """Add to each model whether it is loaded."""
    return [{**model, "loaded": model["name"] in loaded} for model in models]

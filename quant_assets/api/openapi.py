"""The description of the routes: schemas of answers, made from the declared columns of tables.

What a route does is described at the route.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from quant_assets.api.accept import ARROW, CSV, JSON
from quant_assets.api.problems import MEDIA as PROBLEM
from quant_assets.lake.schemas.table import Column

VERSION = version("quant-assets")
DESCRIPTION = """
Forecasts of one market, the releases that made them, and what the tables of the lake say about
them. Answers with rows come as JSON, CSV or an Arrow stream, as the header `Accept` asks. Every
answer from the lake has an `ETag`, and `If-None-Match` with it gets 304 while nothing has changed.
What is wrong with a request is said by a problem document (RFC 9457). A number that the lake does
not have is null.
"""
TAGS = [
    {"name": "State", "description": "Whether the server lives and can answer; its measures."},
    {"name": "Market", "description": "Targets and series."},
    {"name": "Models", "description": "Model families and releases."},
    {"name": "Forecasts", "description": "Submitted forecasts, and forecasts of releases."},
    {"name": "Predictions", "description": "Forecasts from sent prices; models in memory."},
    {"name": "Tables", "description": "Scores, drift, alerts and attribution."},
    {"name": "Stream", "description": "Events as they happen."},
    {"name": "Operations", "description": "Asking for a retraining; runs."},
]
_BEARER, _BEARER_TEXT = "HTTPBearer", "The same key, as a bearer token."
_NULL = "<null>"
"""What stands for null in the examples of a document that FastAPI builds."""
_KINDS: dict[str, dict[str, Any]] = {
    "VARCHAR": {"type": "string"},
    "DATE": {"type": "string", "format": "date"},
    "TIMESTAMP": {"type": "string", "format": "date-time"},
    "DOUBLE": {"type": "number"},
    "BIGINT": {"type": "integer"},
    "BOOLEAN": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
}
_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "What is wrong with a request, or why the server cannot answer it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "kind of the problem"},
        "title": {"type": "string", "description": "one sentence: what is wrong"},
        "status": {"type": "integer", "description": "status of the answer"},
        "detail": {"type": "string", "description": "all parts in one line"},
        "where": {"type": "string", "description": "parameter, header or part of the body"},
        "expected": {"type": "string", "description": "what would have been right"},
        "found": {"type": "string", "description": "what was received"},
        "hint": {"type": "string", "description": "what the caller can do"},
        "request": {"type": "string", "description": "id of the request in the server's log"},
        "errors": {
            "type": "array",
            "description": "each part of the request that does not have the expected form",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
_REFUSALS = {
    400: "The request cannot be read.",
    401: "A key is missing, wrong or revoked.",
    403: "The key's role does not allow this.",
    404: "The day, target, model or page is unknown; the nearest known names are given.",
    406: "The answer has none of the accepted formats.",
    408: "The body came too slowly.",
    409: "The state of the platform does not allow this now.",
    413: "The body is too large.",
    422: "A parameter or the body does not have the expected form.",
    429: "Too many requests by this key.",
    500: "The server failed to answer.",
    503: "The lake or a model cannot be read now.",
}
Members = Mapping[str, tuple[str, str]]
"""Members of a JSON object: name to kind and description. A kind ends with ? if it may be null."""


class Api(FastAPI):
    """The application, whose OpenAPI document also has the schema of problems."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if not self.openapi_schema:
            document: dict[str, Any] = _with_nulls(super().openapi())
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = _PROBLEM_SCHEMA
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemes = document["components"].setdefault("securitySchemes", {})
            schemes[_BEARER] = {"type": "http", "scheme": "bearer", "description": _BEARER_TEXT}
            for path, methods in document["paths"].items():
                for operation in methods.values():
                    _complete(operation, has_names="{" in path)
            self.openapi_schema = document
        return self.openapi_schema


def object_schema(members: Members, example: Any = None) -> dict[str, Any]:
    """Build the schema of a JSON object; every member is required."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": list(members),
        "properties": {name: _member_schema(kind, text) for name, (kind, text) in members.items()},
    }
    return schema if example is None else {**schema, "example": _without_nulls(example)}


def rows_schema(
    members: Members, name: str, columns: Sequence[Column], example: Any = None
) -> dict[str, Any]:
    """Build the schema of a JSON object with rows.

    Args:
        members: members beside the rows.
        name: name of the member that holds the rows.
        columns: columns of the rows, any of which may be null.
        example: an example of the whole object.
    """
    row = object_schema(
        {column.name: (f"{column.type}?", column.description) for column in columns}
    )
    schema = object_schema(members, example)
    schema["required"].append(name)
    schema["properties"][name] = {"type": "array", "items": row}
    return schema


def documented(
    schema: Mapping[str, Any],
    *refusals: int,
    tables: bool = False,
    limited: bool = True,
    description: str = "The answer.",
) -> dict[int | str, dict[str, Any]]:
    """Build the ``responses`` of a route.

    Args:
        schema: schema of the JSON answer, with an example.
        refusals: statuses of problems that the route may answer, beside those of every route.
        tables: whether the answer has rows, and so may be CSV or an Arrow stream.
        limited: whether a key and a rate limit may refuse the request.
        description: what the answer is.
    """
    content: dict[str, Any] = {JSON: {"schema": dict(schema)}}
    every = [500, 503]
    if tables:
        content[CSV] = {"schema": {"type": "string"}}
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
        every.append(406)
    if limited:
        every += [400, 401, 403, 429]
    responses: dict[int | str, dict[str, Any]] = {
        200: {"description": description, "content": content}
    }
    if tables:
        responses[304] = {"description": "The answer that `If-None-Match` names is still right."}
    for status in sorted({*every, *refusals}):
        responses[status] = refusal(status)
    return responses


def refusal(status: int) -> dict[str, Any]:
    """Describe the problem document that a route may answer with a status."""
    content: dict[str, Any] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if status == 400:
        # What is no HTTP at all, or has a head beyond the limit, is refused before any route.
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"description": _REFUSALS[status], "content": content}


def _complete(operation: dict[str, Any], *, has_names: bool) -> None:
    """Add what a route leaves out: the other way to send a key, and refusals and their form.

    Args:
        operation: the route's part of the document.
        has_names: whether its path names something that may be unknown.
    """
    responses = operation["responses"]
    statuses = [500, 503]
    if "security" in operation:
        operation["security"].append({_BEARER: []})
        statuses += [400, 401, 403, 429]
    statuses += [404] if has_names else []
    statuses += [408, 413] if "requestBody" in operation else []
    for status in statuses:
        responses.setdefault(str(status), refusal(status))
    for status, response in responses.items():
        # FastAPI describes a 422 of its own, with a schema that no answer here has.
        is_own = "HTTPValidationError" in str(response)
        if int(status) >= 400 and (is_own or "content" not in response):
            kept = {} if is_own else response
            responses[status] = {**refusal(int(status)), **kept}


def _member_schema(kind: str, text: str) -> dict[str, Any]:
    nullable, name = kind.endswith("?"), kind.removesuffix("?")
    schema: dict[str, Any]
    if name.endswith("[]"):
        schema = {"type": "array", "items": _kind_schema(name.removesuffix("[]"))}
    else:
        schema = _kind_schema(name)
    if nullable:
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": text}


def _without_nulls(example: Any) -> Any:
    """Replace None, which FastAPI would leave out of the document, by a mark."""
    if isinstance(example, dict):
        return {name: _without_nulls(value) for name, value in example.items()}
    if isinstance(example, list):
        return [_without_nulls(value) for value in example]
    return _NULL if example is None else example


def _with_nulls(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _with_nulls(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_with_nulls(value) for value in part]
    return None if part == _NULL else part


def _kind_schema(name: str) -> dict[str, Any]:
    return dict(_KINDS.get(name, {"type": name}))

"""The OpenAPI document: every route is described, with an example, and refuses by problems."""

from html import escape
from typing import Any

import pytest

from quant_assets.api.app import create_app
from quant_assets.api.reference import list_routes, reference_page, routes_by_tag
from quant_assets_tests.support.api_lake import settings_of


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(settings_of(tmp_path_factory.mktemp("data"))).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for route, operation in operations(document):
        assert operation["summary"], route
        assert operation["description"], route
        assert set(operation["tags"]) <= tags, route
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (route, parameter["name"])


def test_refusals_are_problem_documents(document: dict[str, Any]) -> None:
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for route, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and route != "GET /ready":
                assert "application/problem+json" in response["content"], (route, status)


def test_examples_have_the_members_of_their_schema(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {"$ref": ""})
        if "$ref" in schema:
            continue
        example = schema["example"]
        if "oneOf" in schema:
            schema = schema["oneOf"][0]
        assert set(schema["required"]) == set(example), route
        for name, member in schema["properties"].items():
            if member.get("type") == "array" and "required" in member["items"] and example[name]:
                assert set(member["items"]["required"]) == set(example[name][0]), (route, name)


def test_routes_with_rows_offer_tables(document: dict[str, Any]) -> None:
    latest = document["paths"]["/forecasts/latest"]["get"]
    assert set(latest["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
        "application/vnd.apache.arrow.stream",
    }
    assert latest["security"]


def test_the_reference_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    page = reference_page(document)
    for outside in ("http://", "https://", "<script"):
        assert outside not in page
    table = "\n".join(routes_by_tag(document))
    for route in list_routes(document):
        assert escape(route.path) in page
        assert f"`{route.method} {route.path}` | {route.summary}" in table

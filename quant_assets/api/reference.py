"""The routes for people: a page at ``/docs`` without files from elsewhere, and tables in Markdown.

FastAPI's own page loads its scripts from a server of a third party, so that a machine without the
internet would show nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem;
       color: #1b1f24; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } summary { cursor: pointer; padding: .4rem 0 }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { overflow: auto; padding: .8rem;
       background: #8881; border-radius: 6px } details { border-top: 1px solid #8884 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
       padding: .25rem .8rem .25rem 0 } .method { display: inline-block; min-width: 4rem;
       font-weight: 600 } a { color: #0b62c4 }
@media (prefers-color-scheme: dark) { body { color: #dde3ea; background: #14181d }
       a { color: #6cb2ff } }
"""


@dataclass(frozen=True)
class RouteDescription:
    """A route of an OpenAPI document."""

    method: str
    path: str
    content: dict[str, Any]

    @property
    def summary(self) -> str:
        """What the route gives, in a few words."""
        return str(self.content.get("summary", ""))

    @property
    def tag(self) -> str:
        """The subject under which the route is listed."""
        return str(next(iter(self.content.get("tags", ())), "Others"))

    @property
    def example(self) -> Any:
        """An example of the JSON answer; None if the document has none."""
        for status, response in self.content["responses"].items():
            media = response.get("content", {}).get("application/json", {})
            if status.startswith("2") and media:
                return media.get("example", media.get("schema", {}).get("example"))
        return None


def list_routes(document: dict[str, Any]) -> list[RouteDescription]:
    """List the routes of an OpenAPI document, in its order."""
    return [
        RouteDescription(method.upper(), path, content)
        for path, methods in document["paths"].items()
        for method, content in methods.items()
    ]


def routes_by_tag(document: dict[str, Any]) -> Iterator[str]:
    """Yield the routes of an OpenAPI document in Markdown, with a table for each subject."""
    routes = list_routes(document)
    for tag in document["tags"]:
        yield f"## {tag['name']}\n\n{tag['description']}\n"
        yield "| route | answer | parameters |\n|---|---|---|"
        for route in routes:
            if route.tag == tag["name"]:
                names = [f"`{each['name']}`" for each in route.content.get("parameters", ())]
                yield f"| `{route.method} {route.path}` | {route.summary} | {', '.join(names)} |"
        yield ""


def reference_page(document: dict[str, Any]) -> str:
    """Write an OpenAPI document as one HTML page without scripts."""
    info, routes = document["info"], list_routes(document)
    tags = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{escape(info['title'])}: routes</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', '')).replace('`', '')}</p>",
        "<p><a href=openapi.json>openapi.json</a> has all of this for programs.</p>",
    ]
    for name in dict.fromkeys([*tags, *(route.tag for route in routes)]):
        of_tag = [route for route in routes if route.tag == name]
        if of_tag:
            parts.append(f"<h2>{escape(name)}</h2><p>{escape(tags.get(name, ''))}</p>")
            parts += [_route_block(route) for route in of_tag]
    return "\n".join(parts)


def _route_block(route: RouteDescription) -> str:
    """Write one route: description, parameters, an example, and the statuses."""
    return "".join(
        [
            f"<details id={escape(route.content.get('operationId', ''), quote=True)}><summary>"
            f"<span class=method>{route.method}</span> <code>{escape(route.path)}</code>"
            f" {escape(route.summary)}</summary>",
            f"<p>{escape(route.content.get('description', '')).replace('`', '')}</p>",
            *_parameter_rows(route),
            *_example_block(route),
            "<table><tr><th>status<th>meaning",
            *(
                f"<tr><td>{escape(status)}<td>{escape(response.get('description', ''))}"
                for status, response in route.content["responses"].items()
            ),
            "</table></details>",
        ]
    )


def _parameter_rows(route: RouteDescription) -> Iterator[str]:
    parameters = route.content.get("parameters", ())
    if parameters:
        yield "<table><tr><th>parameter<th>in<th>meaning"
    for each in parameters:
        yield (
            f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}"
            f"<td>{escape(each.get('description', ''))}"
        )
    if parameters:
        yield "</table>"


def _example_block(route: RouteDescription) -> Iterator[str]:
    body = route.content.get("requestBody", {}).get("content", {}).get("application/json", {})
    sent = body.get("example", body.get("schema", {}).get("example"))
    for title, example in (("Body", sent), ("Answer", route.example)):
        if example is not None:
            yield f"<p>{title}:<pre>{escape(json.dumps(example, indent=2))}</pre>"

"""Parameters of several routes: their form, description and examples."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator
from starlette.requests import HTTPConnection

from quant_assets.core.errors import RequestError, suggest_names

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EXAMPLE = "2023-12-29"


def _read_day(value: Any) -> date:
    """Read a day in its one form; pydantic would also take moments and numbers of seconds."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("a day as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_read_day)]
DayInPath = Annotated[Day, Path(description="a trading day, as YYYY-MM-DD", examples=[_EXAMPLE])]
FromDay = Annotated[
    Day | None, Query(alias="from", description="first day", examples=["2023-12-01"])
]
ToDay = Annotated[Day | None, Query(alias="to", description="last day", examples=[_EXAMPLE])]
Targets = Annotated[
    tuple[str, ...],
    Query(
        alias="target",
        description="a target; repeat it for several",
        max_length=1000,
    ),
]
Families = Annotated[
    tuple[str, ...],
    Query(
        alias="family",
        description="a family, ensemble, or published for the submitted forecast; repeatable",
        max_length=100,
    ),
]
Limit = Annotated[int, Query(ge=1, le=10_000, description="largest number of rows of the page")]
Cursor = Annotated[
    str | None,
    Query(max_length=500, description="member next of the page before; left out for the first"),
]

ModelName = Annotated[
    str, Path(description="name of a family or a release", max_length=100, examples=["ridge"])
]


async def refuse_unknown_parameters(connection: HTTPConnection) -> None:
    """Refuse a request with a parameter that its route does not have: a misspelt filter is none.

    Raises:
        RequestError: there is no such parameter.
    """
    scope = connection.scope
    if scope["type"] != "http" or not scope["query_string"]:
        return
    operations = connection.app.openapi()["paths"].get(scope["route"].path, {})
    operation = operations.get(scope["method"].lower())
    if operation is None:
        return
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    for name in connection.query_params:
        if name not in known:
            raise RequestError(
                "unknown parameter",
                where=f"query.{name}",
                expected=f"one of {', '.join(known)}" if known else "no parameter",
                found=name,
                hint=suggest_names(name, known),
            )

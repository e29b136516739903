"""Parameters of several routes: their form, description and examples."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

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

"""What there is to ask about: the targets with their legs, and the series with their names."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.context import Context, Shared
from quant_assets.api.encoding import Content
from quant_assets.api.openapi import documented, rows_schema
from quant_assets.api.security import Reader
from quant_assets.lake.schemas.price_tables import RAW_SERIES, RAW_TARGET_PAIRS
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

router = APIRouter(tags=["Market"])
_TARGET = {"target": "spread_0", "position": 0, "lag": 1, "leg_a": "copper", "leg_b": "usdjpy"}
_SERIES = {
    "instrument": "copper",
    "field": "close",
    "column": "copper_close",
    "instrument_group": "metals",
}


def _document(table: Table, example: dict[str, Any], what: str) -> dict[int | str, dict[str, Any]]:
    schema = rows_schema({}, "rows", table.columns, {"rows": [example]})
    return documented(schema, tables=True, description=f"A row for each {what}.")


@router.get(
    "/targets",
    operation_id="list_targets",
    summary="The targets and their legs",
    responses=_document(RAW_TARGET_PAIRS, _TARGET, "target"),
)
async def list_targets(request: Request, context: Shared, _: Reader) -> Response:
    """List the targets in the order of a submission, with their legs and horizons."""
    return await _answer(request, context, RAW_TARGET_PAIRS, "position")


@router.get(
    "/series",
    operation_id="list_series",
    summary="The series and their names",
    responses=_document(RAW_SERIES, _SERIES, "series"),
)
async def list_series(request: Request, context: Shared, _: Reader) -> Response:
    """List the series of the source. `column` is the name under which `POST /predict` takes one."""
    return await _answer(request, context, RAW_SERIES, "instrument, field")


async def _answer(request: Request, context: Context, table: Table, order: str) -> Response:
    names = ", ".join(f'"{column.name}"' for column in table.columns)

    def compute(lake: Lake) -> Content:
        sql = f"SELECT {names} FROM {table.quoted} ORDER BY {order}"
        return Content({}, lake.arrow(sql, needs=table))

    return await context.answers.respond(request, table.name, compute)

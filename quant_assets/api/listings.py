"""Answers with pages of rows, and their description."""

from collections.abc import Hashable, Mapping
from typing import Any

from fastapi import Request
from starlette.responses import Response

from quant_assets.api.context import Context
from quant_assets.api.encoding import Content
from quant_assets.api.openapi import documented, rows_schema
from quant_assets.lake.readers.pages import Listing, PageRequest, read_page
from quant_assets.lake.store.lake import Lake

_NEXT = {"next": ("string?", "cursor of the page that follows; null on the last page")}


async def answer_page(
    request: Request, context: Context, name: str, listing: Listing, page: PageRequest
) -> Response:
    """Answer with one page of a listing.

    Args:
        request: the request.
        context: what the routes share.
        name: name of the question.
        listing: the rows.
        page: which of them.

    Raises:
        UnknownNameError: the cursor is not one of this listing.
    """

    def compute(lake: Lake) -> Content:
        result = read_page(lake, listing, page)
        return Content({"next": result.cursor}, result.rows, next_page=result.cursor)

    return await context.answers.respond(request, name, compute, *_key_of(page))


def document_page(
    listing: Listing, example: Mapping[str, Any], *refusals: int
) -> dict[int | str, dict[str, Any]]:
    """Build the ``responses`` of a route that answers with pages of a listing."""
    schema = rows_schema(_NEXT, "rows", listing.columns, {"next": None, "rows": [dict(example)]})
    return documented(
        schema, 404, 422, *refusals, tables=True, description="A page of rows, the newest first."
    )


def _key_of(page: PageRequest) -> tuple[Hashable, ...]:
    return page.start, page.end, tuple(page.filters.items()), page.cursor, page.limit

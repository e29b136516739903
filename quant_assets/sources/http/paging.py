"""Answers that come in pages. What a page holds belongs in the module of its vendor."""

from collections.abc import Callable, Iterator

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.client import Asker
from quant_assets.sources.http.requests import Answer, Request

MOST_PAGES = 1000


def fetch_pages(
    client: Asker, first: Request, find_next: Callable[[Answer], Request | None]
) -> Iterator[Answer]:
    """Ask for page after page.

    Args:
        client: asks the vendor.
        first: asks for the first page.
        find_next: returns the request of the page after an answer; None after the last.

    Yields:
        The answers in order.

    Raises:
        SourceError: a page cannot be had, or pages repeat.
    """
    request: Request | None = first
    asked: set[str] = set()
    bodies: set[bytes] = set()
    while request is not None:
        if request.address in asked or len(asked) >= MOST_PAGES:
            raise _endless(request.address, "the address of a page that came before", len(asked))
        answer = client.fetch(request)
        if answer.body in bodies:
            raise _endless(answer.url, "a page that came before", len(asked))
        asked.add(request.address)
        bodies.add(answer.body)
        yield answer
        request = find_next(answer)


def _endless(where: str, found: str, pages: int) -> SourceError:
    return SourceError(
        "the pages of an answer do not end",
        where=where,
        expected=f"at most {MOST_PAGES:,} pages, each of them once",
        found=f"{found}, after {pages:,} pages",
        hint="the vendor's paging may be at fault; try again later",
    )

"""The page at the root: the newest forecast, scores and state, for people.

What it shows comes from the other routes; here is only the file.
"""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter(tags=["Page"])
_PAGE = files("quant_assets.api").joinpath("page.html").read_bytes()


def _digests(tag: str) -> str:
    """Return the digests of the page's own elements with a tag, as a policy names them."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), _PAGE, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(x).digest()).decode()}'" for x in contents)


_HEADERS = {
    # Neither other sites nor text from the lake can make the page run or load anything.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:;"
    f" script-src {_digests('script')}; style-src {_digests('style')};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "ETag": f'"{sha256(_PAGE).hexdigest()[:16]}"',
}


@router.get("/", include_in_schema=False)
async def show_page() -> Response:
    """Return the page, which asks the other routes for what it shows."""
    return Response(_PAGE, headers=_HEADERS, media_type="text/html; charset=utf-8")


@router.get("/favicon.ico", include_in_schema=False)
async def show_no_icon() -> Response:
    """Say that there is no such file: browsers ask for it where a page names no icon."""
    return Response(status_code=204, headers={"Cache-Control": "max-age=86400"})

"""Problem documents (RFC 9457): every refusal and failure in the same form, without a traceback.

What is wrong is decided elsewhere. Here it gets a status and a body.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from secrets import token_hex
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from quant_assets.core import errors
from quant_assets.core.errors import QuantAssetsError

_LOG = logging.getLogger(__name__)
MEDIA = "application/problem+json"
_LONGEST = 300
"""Characters of a received value that a problem repeats."""
_STATUS: dict[type[QuantAssetsError], HTTPStatus] = {
    errors.UnknownNameError: HTTPStatus.NOT_FOUND,
    errors.CalendarError: HTTPStatus.NOT_FOUND,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.PromotionError: HTTPStatus.CONFLICT,
    errors.ReviewError: HTTPStatus.CONFLICT,
    errors.NotEnoughHistoryError: HTTPStatus.CONFLICT,
    errors.LakeError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ArtifactError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Status of an error; errors of other classes are the server's own, with status 500."""


class Refusal(HTTPException):
    """A refusal whose status only HTTP has, such as a missing key or an unknown format.

    Args:
        status: the status of the answer.
        problem: one sentence, what is wrong.
        where: the header, parameter or part of the body.
        expected: what would have been right.
        found: what was received.
        hint: what the caller can do.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        where: str | None = None,
        expected: Any = None,
        found: Any = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, problem, dict(headers or {}))
        self.document = describe_problem(
            status, problem, where=where, expected=expected, found=found, hint=hint
        )


def describe_problem(status: int, title: str, kind: str = "", **parts: Any) -> dict[str, Any]:
    """Build a problem document.

    Args:
        status: the status of the answer.
        title: one sentence, what is wrong.
        kind: kind of the problem, the end of its URN; empty for the name of the status.
        parts: where, expected, found, hint and other members; those that are None are left out.
    """
    name = kind or HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")
    texts = {key: _shorten(value) for key, value in parts.items() if value is not None}
    named = [
        f"{key}: {texts[key]}" for key in ("where", "expected", "found", "hint") if key in texts
    ]
    return {
        "type": f"urn:quant-assets:{name}",
        "title": title,
        "status": int(status),
        "detail": "; ".join([title, *named]),
        **texts,
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Have every error of an application answered by a problem document."""
    app.add_exception_handler(QuantAssetsError, _answer_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_failure)


def problem_response(
    document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Build the answer that carries a problem document."""
    status = int(document["status"])
    return Response(msgspec.json.encode(document), status, dict(headers or {}), MEDIA)


def status_of(error: QuantAssetsError) -> HTTPStatus:
    """Return the status of an error's answer, by the nearest class that has one."""
    known = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: QuantAssetsError) -> dict[str, Any]:
    """Build the problem document of an error; its URN ends with the name of the class."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    return describe_problem(
        status_of(error),
        error.problem,
        kind,
        where=error.where,
        expected=error.expected,
        found=error.found,
        hint=error.hint,
    )


async def _answer_error(connection: HTTPConnection, error: Any) -> Response | None:
    status, document = status_of(error), problem_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        document["request"] = _log_failure(connection, error)
    answer = problem_response(document, _headers_of(error, status))
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(answer)
        return None
    return answer


def _headers_of(error: Any, status: HTTPStatus) -> dict[str, str]:
    if isinstance(error, errors.TooManyRequestsError):
        return {"Retry-After": str(error.retry_after)}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _answer_refusal(request: Request, error: Any) -> Response:
    if isinstance(error, Refusal):
        return problem_response(error.document, error.headers)
    phrase = HTTPStatus(error.status_code).phrase
    hint = "/openapi.json lists the routes" if error.status_code in {404, 405} else None
    document = describe_problem(
        error.status_code,
        phrase if error.detail == phrase else f"{phrase}: {error.detail}",
        where=f"{request.method} {request.url.path}",
        hint=hint,
    )
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _list_methods(request) or headers.get("Allow", "")
    return problem_response(document, headers)


def _list_methods(request: Request) -> str:
    """List the methods of all routes with the path of a request; Starlette names those of one."""
    path = getattr(request.scope.get("route"), "path", "")
    methods: dict[str, Any] = request.app.openapi()["paths"].get(path, {})
    return ", ".join(sorted(name.upper() for name in methods))


def _answer_invalid(request: Request, error: Any) -> Response:
    invalid = [_describe_invalid(item) for item in error.errors()[:20]]
    first = invalid[0] if invalid else {}
    document = describe_problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the request does not have the expected form",
        hint=None
        if "json" in request.headers.get("content-type", "json")
        else "send a JSON body with Content-Type: application/json",
        **first,
    )
    return problem_response({**document, "errors": invalid})


def _answer_failure(request: Request, error: Exception) -> Response:
    document = describe_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed to answer")
    return problem_response({**document, "request": _log_failure(request, error)})


def _log_failure(connection: HTTPConnection, error: Exception) -> str:
    """Log an error with an id of the request, which is returned for the answer."""
    name = token_hex(4)
    _LOG.error("request %s to %s failed", name, connection.url.path, exc_info=error)
    return name


def _describe_invalid(item: Mapping[str, Any]) -> dict[str, str]:
    place = ".".join(map(str, item.get("loc", ())))
    expected = str(item.get("msg", "")).removeprefix("Value error, ")
    return {
        "where": _shorten(place),
        "expected": _shorten(expected),
        "found": _shorten(repr(item.get("input"))),
    }


def _shorten(value: Any) -> str:
    """Return the text of a value without lone surrogates, which no JSON can carry; cut if long."""
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

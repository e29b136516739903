"""What a source asks of a vendor: address, kind of answer, credentials. Sending belongs in client.

No text that these records give contains a secret.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
from pydantic import SecretStr

from quant_assets.core.errors import SettingsError, SourceError

_SHORTEST_SECRET = 8
_LONGEST_SHOWN = 160
_HIDDEN = "***"


class Kind(Enum):
    """What the body of an answer should be."""

    JSON = "JSON"
    CSV = "CSV"
    ZIP = "a zip file"


@dataclass(frozen=True)
class Credentials:
    """Secrets that go with every request to the vendor's own host.

    Attributes:
        headers: secret values of headers, by name.
        parameters: secret values of parameters of the URL, by name.
    """

    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    parameters: Mapping[str, SecretStr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the secrets.

        Raises:
            SettingsError: a secret is too short to be one, or has a character that none has.
        """
        for name, secret in {**self.headers, **self.parameters}.items():
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", secret.get_secret_value()):
                raise SettingsError(
                    "a key cannot be sent",
                    where=name,
                    expected="printable ASCII characters without spaces at the ends",
                    found="a secret value, which is not shown",
                )
            if len(secret.get_secret_value()) < _SHORTEST_SECRET:
                raise SettingsError(
                    "a key is too short",
                    where=name,
                    expected=f"at least {_SHORTEST_SECRET} characters",
                    found="a secret value, which is not shown",
                )

    def __bool__(self) -> bool:
        return bool(self.headers or self.parameters)

    def hide(self, text: str) -> str:
        """Return a text without the secrets, as they are or as they are written in a URL."""
        for form in self._forms():
            text = text.replace(form, _HIDDEN)
        return text

    def remove_from(self, url: httpx.URL) -> httpx.URL:
        """Return a URL without the secret parameters, and without secrets elsewhere in it."""
        for name in self.parameters:
            url = url.copy_remove_param(name) if name in url.params else url
        return httpx.URL(self.hide(str(url)))

    def hide_bytes(self, body: bytes) -> bytes:
        """Return the body of an answer without the secrets, which some vendors repeat."""
        for form in self._forms():
            body = body.replace(form.encode(), _HIDDEN.encode())
        return body

    def _forms(self) -> list[str]:
        values = [
            part
            for secret in (*self.headers.values(), *self.parameters.values())
            for part in (secret.get_secret_value(), secret.get_secret_value().split(" ")[-1])
            if len(part) >= _SHORTEST_SECRET
        ]
        forms = {form for value in values for form in _write_forms(value)}
        return sorted(forms, key=len, reverse=True)


@dataclass(frozen=True)
class Request:
    """A question to a vendor, without credentials.

    Attributes:
        dataset: short name of what is asked for, under which answers are kept.
        url: the address.
        kind: what the answer should be.
        parameters: parameters of the URL, without secrets.
        empty_is_nothing: whether an empty body means that there is nothing new.
    """

    dataset: str
    url: str
    kind: Kind
    parameters: Mapping[str, str] = field(default_factory=dict)
    empty_is_nothing: bool = False

    @property
    def address(self) -> str:
        """The URL with its parameters."""
        return str(httpx.URL(self.url).copy_merge_params(self.parameters))


@dataclass(frozen=True)
class Answer:
    """What a vendor answered.

    Attributes:
        url: the address that was asked, without credentials.
        at: moment of the answer, UTC.
        status: HTTP status.
        media_type: the header ``Content-Type``; empty if it is missing.
        body: the body, decompressed, without the credentials.
    """

    url: str
    at: datetime
    status: int
    media_type: str
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text.

        Raises:
            SourceError: it is not UTF-8.
        """
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            place = error.start
        raise SourceError(
            "an answer is not text",
            where=self.url,
            expected="UTF-8",
            found=f"byte {self.body[place]:#04x} at place {place:,}",
        )

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            SourceError: it is not JSON.
        """
        try:
            return json.loads(self.text)
        except (json.JSONDecodeError, RecursionError) as error:
            problem = str(error)
        raise SourceError(
            "an answer is not JSON",
            where=self.url,
            expected="JSON",
            found=f"{problem}: {self.beginning}",
            hint="the answer may have been cut; try again later",
        )

    @property
    def beginning(self) -> str:
        """The first characters of the body, on one line and in quotes."""
        text = " ".join(self.body[: 4 * _LONGEST_SHOWN].decode("utf-8", "replace").split())
        return repr(text) if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]!r} ..."


def in_path(name: str) -> str:
    """Return a name as one part of a URL's path.

    >>> in_path("^GSPC/x")
    '%5EGSPC%2Fx'
    """
    return quote(name, safe="")


def check_body(request: Request, answer: Answer) -> None:
    """Check that the body of an answer with status 200 is of the kind that was asked for.

    Raises:
        SourceError: it is empty though that means nothing, or HTML, or obviously of another kind.
    """
    start = answer.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    expected = request.kind.value
    if not start and request.empty_is_nothing:
        return
    if not start:
        problem, shown = "a vendor answered with an empty body", "an empty body"
    elif "html" in answer.media_type.lower() or start.lower().startswith((b"<!doctype", b"<html")):
        problem, shown = "a vendor answered with a web page", answer.beginning
    elif not _begins_as(request.kind, start):
        problem, shown = "a vendor answered with something else", answer.beginning
    else:
        return
    raise SourceError(
        problem,
        where=answer.url,
        expected=expected,
        found=f"status {answer.status} with {shown}",
        hint="open the URL in a browser: the vendor may ask for a key, or have moved the data",
    )


def _begins_as(kind: Kind, start: bytes) -> bool:
    match kind:
        case Kind.JSON:
            return start.startswith((b"{", b"["))
        case Kind.ZIP:
            return start.startswith(b"PK")
        case Kind.CSV:
            return not start.startswith((b"<", b"{", b"PK"))


def _write_forms(secret: str) -> set[str]:
    """Return a secret as it is, and as URLs and JSON may hold it."""
    escaped = {quote(secret), quote(secret, ""), quote_plus(secret)}
    lower = {re.sub("%..", lambda match: match.group().lower(), text) for text in escaped}
    in_json = json.dumps(secret)[1:-1]
    return {secret, *escaped, *lower, in_json, in_json.replace("/", "\\/")}

"""The HTTP client of all sources: retries, limits, and answers that are refused.

What an answer means belongs in the module of its vendor.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.requests import Answer, Credentials, Request, check_body
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.transport import KeyedTransport, origin_of
from quant_assets.sources.http.waiting import (
    Limits,
    Pace,
    PassingError,
    WaitingClock,
    parse_retry_after,
    pause_before_next,
)

Check = Callable[[Answer], object]

_MOST_REDIRECTIONS = 5
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {"User-Agent": "quant-assets", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
_HINTS = {
    400: "the vendor does not understand the question: its interface may have changed",
    401: "check the key",
    403: "check the key, and what the vendor's plan allows",
    404: "check the name that is asked for; the vendor may have moved the data",
}


class Asker(Protocol):
    """What gives a vendor's answers: a client, or answers that were kept."""

    @property
    def clock(self) -> WaitingClock:
        """The clock, which says the moment of asking."""

    def fetch(self, request: Request, check: Check | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            SourceError: there is no answer, or it cannot be used.
        """


class HttpClient:
    """A client that asks one vendor's host.

    A request is tried again after status 429 and 5xx, errors of the connection and timeouts. The
    credentials are sent to the host of the request only.

    Args:
        source: name of the source.
        store: keeps every answer, refused ones included; None keeps none.
        credentials: the vendor's key.
        limits: waiting times and sizes.
        clock: the clock, which can wait.
    """

    def __init__(
        self,
        source: str,
        store: ResponseStore | None = None,
        credentials: Credentials | None = None,
        limits: Limits | None = None,
        clock: WaitingClock | None = None,
    ) -> None:
        self.source = source
        self.store = store
        self.limits = limits or Limits()
        self.clock = clock or WaitingClock()
        self._credentials = credentials or Credentials()
        self._pace = Pace(self.limits.interval_s, self.clock)

    def __repr__(self) -> str:
        return f"HttpClient({self.source!r})"

    def fetch(self, request: Request, check: Check | None = None) -> Answer:
        """Ask a vendor, and return its answer after it has been checked and kept.

        Args:
            request: the question.
            check: raises SourceError if the answer cannot be used.

        Raises:
            SourceError: the vendor did not answer in time, or its answer cannot be used.
        """
        url = self._parse_address(request)
        retrying = Retrying(
            stop=stop_after_attempt(self.limits.attempts),
            wait=partial(pause_before_next, self.limits),
            retry=retry_if_exception_type(PassingError),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask, request, url, check)
        except PassingError as failure:
            final = failure.final(self.limits.attempts)
        # Outside the handler, so that the error's context shows nothing of the connection.
        raise final

    def _ask(self, request: Request, url: httpx.URL, check: Check | None) -> Answer:
        self._pace.wait()
        failure = ""
        began = self.clock.monotonic()
        try:
            answer, pause_s = self._send(url, began)
        except (httpx.TransportError, httpx.DecodingError) as error:
            failure = f"{type(error).__name__}: {error}"
        if failure:
            raise PassingError(self._show(url), self._credentials.hide(failure))
        problem = self._find_problem(request, answer, pause_s, check)
        if self.store:
            text = f"{problem.problem}: {problem.found}" if problem else ""
            self.store.keep(self.source, request.dataset, answer, text)
        if problem:
            raise problem
        return answer

    def _send(self, url: httpx.URL, began: float) -> tuple[Answer, float | None]:
        """Send a request, follow redirections, and return the answer and its ``Retry-After``."""
        limits = self.limits
        timeout = httpx.Timeout(limits.read_s, connect=limits.connect_s)
        transport = KeyedTransport(self._credentials, origin_of(url))
        asked = url
        with httpx.Client(transport=transport, timeout=timeout, headers=_HEADERS) as client:
            for _ in range(_MOST_REDIRECTIONS + 1):
                with client.stream("GET", url) as response:
                    target = response.headers.get("Location")
                    if response.status_code not in _REDIRECTING or not target:
                        return self._read(asked, response, began)
                url = self._redirect(asked, url, target)
        raise SourceError(
            "a vendor redirects without end",
            where=self._show(asked),
            expected=f"at most {_MOST_REDIRECTIONS} redirections",
            found=f"one more, to {self._show(url)}",
        )

    def _read(
        self, asked: httpx.URL, response: httpx.Response, began: float
    ) -> tuple[Answer, float | None]:
        limits, body = self.limits, bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > limits.most_bytes:
                raise SourceError(
                    "an answer is too large",
                    where=self._show(asked),
                    expected=f"at most {limits.most_bytes:,} bytes",
                    found="more",
                )
            if self.clock.monotonic() - began > limits.whole_s:
                received = f"{len(body):,} bytes in more than {limits.whole_s:g} s"
                raise PassingError(self._show(asked), received)
        now = self.clock.now()
        answer = Answer(
            self._show(asked),
            now,
            response.status_code,
            response.headers.get("Content-Type", ""),
            self._credentials.hide_bytes(bytes(body)),
        )
        return answer, parse_retry_after(response.headers.get("Retry-After"), now)

    def _redirect(self, asked: httpx.URL, url: httpx.URL, target: str) -> httpx.URL:
        """Return the URL that a redirection leads to.

        Raises:
            SourceError: it leads away from the host that has the key, or from HTTPS.
        """
        try:
            # The transport adds the key again: until then it may not stand in a URL.
            there = self._credentials.remove_from(url.join(target))
        except httpx.InvalidURL:
            there = httpx.URL("")
        insecure = there.scheme not in {"https", url.scheme}
        foreign = bool(self._credentials) and origin_of(there) != origin_of(asked)
        if there.host and not insecure and not foreign:
            return there
        raise SourceError(
            "a vendor redirects to an address that is not followed",
            where=self._show(asked),
            expected="the same host, since the key must not reach others"
            if foreign
            else "an address of the same security",
            found=self._show(there),
            hint="the vendor may have moved: look for its new address",
        )

    def _find_problem(
        self, request: Request, answer: Answer, pause_s: float | None, check: Check | None
    ) -> SourceError | None:
        """Return why an answer is refused; None if it can be used."""
        received = f"status {answer.status} with {answer.beginning}"
        if answer.status in _PASSING:
            return PassingError(answer.url, received, pause_s)
        if answer.status not in {200, 204}:
            return SourceError(
                "a vendor refused a request",
                where=answer.url,
                expected="an answer with status 200",
                found=received,
                hint=_HINTS.get(answer.status),
            )
        try:
            check_body(request, answer)
            if check:
                check(answer)
        except SourceError as error:
            return error
        return None

    def _parse_address(self, request: Request) -> httpx.URL:
        """Return the URL of a request.

        Raises:
            SourceError: it is none, or a key would be sent over it unencrypted.
        """
        try:
            url = httpx.URL(request.address)
        except httpx.InvalidURL as error:
            raise SourceError(
                "an address cannot be asked",
                where=request.url,
                expected="https://host/path",
                found=str(error),
            ) from None
        if url.scheme == "https" or not self._credentials or url.host in _LOOPBACK:
            return url
        raise SourceError(
            "a key would be sent unencrypted",
            where=self._show(url),
            expected="an address that begins with https://",
            found=url.scheme,
        )

    def _show(self, url: httpx.URL) -> str:
        return self._credentials.hide(str(url))

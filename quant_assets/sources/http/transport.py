"""Connections to a vendor's host, on which credentials are added to requests.

Credentials are added below ``httpx.Client``, whose log and exceptions show URLs as they came in.
"""

import logging
import ssl
from functools import cache
from urllib.request import getproxies, proxy_bypass

import httpx

from quant_assets.sources.http.requests import Credentials

# At level DEBUG it logs headers of answers, and a redirection may repeat the key in one.
logging.getLogger("httpcore").setLevel(logging.INFO)

Origin = tuple[str, str, int | None]


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port of a URL; the port is None if it is the scheme's own."""
    return url.scheme, url.host, url.port


class KeyedTransport(httpx.BaseTransport):
    """A transport that adds credentials to requests to one host, and to no others.

    Proxies are those of the environment.

    Args:
        credentials: the credentials.
        home: the host that may see them.
    """

    def __init__(self, credentials: Credentials, home: Origin) -> None:
        self._credentials = credentials
        self._home = home
        self._by_proxy: dict[str | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, see :class:`httpx.BaseTransport`."""
        return self._open(request.url).handle_request(self._add_credentials(request))

    def close(self) -> None:
        """Close all connections."""
        for transport in self._by_proxy.values():
            transport.close()

    def _open(self, url: httpx.URL) -> httpx.HTTPTransport:
        proxy = _find_proxy(url)
        if proxy not in self._by_proxy:
            self._by_proxy[proxy] = httpx.HTTPTransport(verify=_ssl_context(), proxy=proxy)
        return self._by_proxy[proxy]

    def _add_credentials(self, request: httpx.Request) -> httpx.Request:
        if origin_of(request.url) != self._home:
            return request
        parameters, headers = (
            {name: secret.get_secret_value() for name, secret in secrets.items()}
            for secrets in (self._credentials.parameters, self._credentials.headers)
        )
        # A URL whose parameters are merged with none would still be written anew.
        url = request.url.copy_merge_params(parameters) if parameters else request.url
        keyed = httpx.Request(
            request.method,
            url,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        keyed.headers.update(headers)
        return keyed


def _find_proxy(url: httpx.URL) -> str | None:
    if proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


@cache
def _ssl_context() -> ssl.SSLContext:
    """Load the certificates of authorities once a process: that takes tens of milliseconds."""
    return httpx.create_ssl_context()

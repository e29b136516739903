"""Calls of the evaluation service over gRPC: a server of one function, and its client.

What the calls hold is encoded in ``wire``; which days are sent belongs in ``gateway``.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from quant_assets.core.errors import SettingsError, SubmissionError
from quant_assets.kaggle.messages import CALL, METHOD, SERVICE, message_classes
from quant_assets.kaggle.needs import explain_missing_extra
from quant_assets.kaggle.wire import decode, encode

PORTS = (50051, *range(60053, 60063))
"""The ports of the competition's server, in the order in which they are tried."""
HOST = "127.0.0.1"
_ATTEMPT = 0.5
"""Seconds for which a client waits for one address before it tries the next."""
_UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
_RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


class InferenceServer:
    """A server whose endpoint is a function, which one thread calls.

    The port is bound at once, and requests are answered from :meth:`start` on.

    Args:
        function: the endpoint, keyed by its ``__name__``.
        ports: the ports to try in order; 0 for any free one.
        host: the address to bind.

    Raises:
        SettingsError: no port is free, or a library is missing.
    """

    def __init__(
        self, function: Callable[..., Any], ports: Sequence[int] = PORTS, host: str = HOST
    ) -> None:
        with explain_missing_extra():
            import grpc
        self._function = function
        # Two servers that share a port would both get requests.
        options = (*_UNLIMITED, ("grpc.so_reuseport", 0))
        self._server = grpc.server(ThreadPoolExecutor(max_workers=1), options=options)
        messages = message_classes()
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=messages["Request"].FromString,
            response_serializer=messages["Response"].SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
        )
        self.address = f"{host}:{self._bind(host, ports)}"

    def start(self) -> None:
        """Begin to answer requests, in a thread."""
        self._server.start()

    def wait(self) -> None:
        """Wait until the server is stopped."""
        self._server.wait_for_termination()

    def stop(self, grace: float | None = None) -> None:
        """End after the requests that are being answered, at most ``grace`` seconds later."""
        self._server.stop(grace).wait()

    def _bind(self, host: str, ports: Sequence[int]) -> int:
        for port in ports:
            try:
                return int(self._server.add_insecure_port(f"{host}:{port}"))
            except RuntimeError:
                continue
        raise SettingsError(
            "no port is free",
            where=host,
            expected="a free port for the server",
            found=f"all taken: {', '.join(map(str, ports))}",
            hint="end the other server, or name another port",
        )

    def _answer(self, request: Any, context: Any) -> Any:
        import grpc

        if request.name != self._function.__name__:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"there is no endpoint {request.name!r}; there is {self._function.__name__!r}",
            )
        arguments = [decode(payload) for payload in request.args]
        named = {key: decode(payload) for key, payload in request.kwargs.items()}
        payload = encode(self._function(*arguments, **named))
        return message_classes()["Response"](payload=payload)


class Client:
    """A connection to the inference server.

    Attributes:
        address: where the server answers.

    Args:
        addresses: addresses to try in order, again and again.
        patience: seconds for which a server is waited for.

    Raises:
        SubmissionError: no server answers in time.
        SettingsError: a library is missing.
    """

    def __init__(self, addresses: Sequence[str], patience: float = 900.0) -> None:
        with explain_missing_extra():
            import grpc
        self.address, self._channel = _connect(addresses, time.monotonic() + patience)
        messages = message_classes()
        self._request = messages["Request"]
        self._error = grpc.RpcError
        self._call = self._channel.unary_unary(
            CALL,
            request_serializer=messages["Request"].SerializeToString,
            response_deserializer=messages["Response"].FromString,
        )

    def send(self, name: str, *arguments: Any, seconds: float | None = None) -> Any:
        """Call an endpoint and return its answer.

        Args:
            name: name of the endpoint.
            arguments: its positional arguments.
            seconds: deadline of the answer; None waits for ever.

        Raises:
            SubmissionError: the server fails, is away, or does not answer in time.
        """
        request = self._request(name=name, args=[encode(each) for each in arguments])
        try:
            return decode(self._call(request, timeout=seconds).payload)
        except self._error as error:
            raise SubmissionError(
                "the inference server did not answer",
                where=f"{self.address}, endpoint {name}",
                expected="a frame" + ("" if seconds is None else f" within {seconds:g} seconds"),
                found=f"{error.code().name}: {error.details()}",
                hint="the log of the server says more",
            ) from error

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find_answering(addresses: Sequence[str]) -> str | None:
    """Return the first address at which something listens; None if nothing does."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), _ATTEMPT):
            return address
    return None


def _connect(addresses: Sequence[str], deadline: float) -> tuple[str, Any]:
    import grpc

    options = (*_UNLIMITED, ("grpc.service_config", _RETRIES))
    while True:
        for address in addresses:
            channel = grpc.insecure_channel(address, options=options)
            try:
                grpc.channel_ready_future(channel).result(timeout=_ATTEMPT)
            except grpc.FutureTimeoutError:
                channel.close()
            else:
                return address, channel
        if time.monotonic() >= deadline:
            raise SubmissionError(
                "no inference server answers",
                where=", ".join(addresses),
                expected="a server that `quant-assets kaggle serve` has started",
                hint="start the server first",
            )

"""The typed client of the prediction API. Every method is one route; ``docs/api.md`` shows them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import httpx
import msgspec

from quant_assets.core.errors import ApiError

JsonObject = dict[str, Any]


class TargetForecast(msgspec.Struct, frozen=True):
    """The forecast of a target, with the intervals of its label; None where there is none."""

    target: str
    value: float | None
    lower_80: float | None
    upper_80: float | None
    lower_95: float | None
    upper_95: float | None


class DayForecast(msgspec.Struct, frozen=True):
    """The forecast of a day; ``release`` says whose it is."""

    day: date
    date_id: int
    release: JsonObject
    fit_as_of: date
    origin: str
    stored_at: str
    regime: JsonObject | None
    forecasts: list[TargetForecast]


class Client:
    """Asks one server. Close it, or use it in a ``with`` block.

    Every method raises :class:`ApiError`, with the problem document, if the server refuses, and
    httpx's errors if it cannot be reached.

    Args:
        url: address of the server, such as ``http://127.0.0.1:8000``.
        key: API key; None where the server answers this machine without keys.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0) -> None:
        headers = {"X-API-Key": key} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, form: Any = JsonObject, **query: Any) -> Any:
        """Decode the answer of a path into a type; parameters that are None are left out."""
        answer = self._http.get(path, params=_given(query) or None)
        return msgspec.json.decode(_require_success(answer).content, type=form)

    def rows(self, path: str, **query: Any) -> Iterator[JsonObject]:
        """Yield the rows of a path, of all its pages; ``from_`` stands for ``from``."""
        while True:
            page = self.get(path, **query)
            yield from page["rows"]
            query["cursor"] = page.get("next")
            if query["cursor"] is None:
                return

    def ready(self) -> JsonObject:
        """Return what the server can answer from, also where it says that it cannot."""
        return dict(msgspec.json.decode(self._http.get("/ready").content))

    def models(self, name: str = "") -> JsonObject:
        """Return all families and releases, or the one of a name."""
        return dict(self.get(f"/models/{name}" if name else "/models"))

    def forecast(self, day: date | str = "latest", targets: Sequence[str] = ()) -> DayForecast:
        """Return the forecast of a day, of all targets or of some."""
        forecast: DayForecast = self.get(f"/forecasts/{day}", DayForecast, target=targets)
        return forecast

    def history(self, **query: Any) -> Iterator[JsonObject]:
        """Yield what was submitted, newest day first, by from_, to, target and release."""
        return self.rows("/predictions/history", **query)

    def predict(
        self,
        days: Sequence[Mapping[str, Any]],
        release: str | None = None,
        targets: Sequence[str] | None = None,
    ) -> JsonObject:
        """Return forecasts from days of ``{"day": …, "prices": {column: price or None}}``."""
        return self._post("/predict", {"days": days, "release": release, "targets": targets})

    def retrain(self, **options: Any) -> JsonObject:
        """Ask for a retraining; return the run's id."""
        return self._post("/retrain", options)

    def run(self, run_id: str) -> JsonObject:
        """Return the state of a run."""
        return dict(self.get(f"/runs/{run_id}"))

    def stream(self, after: str | None = None) -> Iterator[JsonObject]:
        """Yield events with ``id``, ``event`` and ``data``, those after an id if one is given."""
        headers = {"Last-Event-ID": after} if after else {}
        with self._http.stream("GET", "/stream", headers=headers, timeout=None) as answer:
            if answer.is_error:
                answer.read()
            event: dict[str, list[str]] = {}
            for line in _require_success(answer).iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event.setdefault(name, []).append(value)
                elif "data" in event:
                    texts = {name: "\n".join(parts) for name, parts in event.items()}
                    yield {**texts, "data": msgspec.json.decode(texts["data"])}
                    event = {}

    def _post(self, path: str, body: Mapping[str, Any]) -> JsonObject:
        headers = {"Content-Type": "application/json"}
        content = msgspec.json.encode(_given(body))
        answer = self._http.post(path, content=content, headers=headers)
        return dict(msgspec.json.decode(_require_success(answer).content))


def _given(values: Mapping[str, Any]) -> JsonObject:
    return {name.rstrip("_"): value for name, value in values.items() if value is not None}


def _require_success(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        document: JsonObject = {"title": f"{answer.status_code} {answer.reason_phrase}"}
        with suppress(msgspec.DecodeError, TypeError, ValueError):
            document = dict(msgspec.json.decode(answer.content))
        raise ApiError(answer.status_code, document)
    return answer

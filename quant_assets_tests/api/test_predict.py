"""Forecasts from sent prices through a running server: equal to sessions, and refused in words."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_assets.api.pool import MOST_WAITING
from quant_assets.core.errors import ApiError
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_raw
from quant_assets.lake.store.lake import Lake
from quant_assets.serving.sent_prices import MOST_DAYS, SentDay, build_table
from quant_assets.serving.session import Session, read_history
from quant_assets.sources.registry import open_market
from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.installation import Installation

NEW_DAYS = ("2024-01-02", "2024-01-03")
Day = dict[str, Any]


@pytest.fixture(scope="module")
def server(loaded: Installation) -> Iterator[ApiServer]:
    with serve(loaded.settings) as running:
        yield running


@pytest.fixture(scope="module")
def prices(loaded: Installation) -> dict[str, float | None]:
    """The newest stored prices, by series, for days after them."""
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        last = read_known_days(lake, date.max)[-1].item()
        table = read_raw(lake, last, last)
    rows = zip(table.columns, table.values[0].tolist(), strict=True)
    return {name: None if np.isnan(price) else price for name, price in rows}


def days_of(prices: dict[str, float | None], *days: str) -> list[Day]:
    return [{"day": day, "prices": prices} for day in days]


def values_of(answer: Day) -> list[list[float | None]]:
    return [list(forecast["values"].values()) for forecast in answer["forecasts"]]


def test_the_answer_is_that_of_a_session(
    server: ApiServer, loaded: Installation, prices: dict[str, float | None]
) -> None:
    answer = server.client.predict(days_of(prices, *NEW_DAYS))
    market = open_market(loaded.settings)
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        history = read_history(lake, loaded.settings, market)
        sent = [SentDay(date.fromisoformat(day), prices) for day in NEW_DAYS]
        table, _ = build_table(history.known, sent)
        served = Session(lake, loaded.settings, market, history).forecast(table)
    assert [forecast["day"] for forecast in answer["forecasts"]] == list(NEW_DAYS)
    assert tuple(answer["forecasts"][0]["values"]) == served.targets
    np.testing.assert_array_equal(np.array(values_of(answer)), served.values)
    assert answer["known_until"] == str(history.last_day)
    assert set(served.notes) <= set(answer["notes"])


def test_a_stored_day_is_forecast_on_top_of_the_days_before_it(
    server: ApiServer, loaded: Installation, prices: dict[str, float | None]
) -> None:
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        before, last = read_known_days(lake, date.max)[-2:].tolist()
        rows = lake.arrow(
            "SELECT target, value FROM submissions.daily WHERE trading_day = ?", [last]
        ).to_pylist()
    answer = server.client.predict(days_of(prices, str(last)))
    assert answer["known_until"] == str(before)
    assert answer["forecasts"][0]["values"] == {row["target"]: row["value"] for row in rows}


def test_some_targets_are_answered_in_the_order_asked(
    server: ApiServer, prices: dict[str, float | None]
) -> None:
    whole = server.client.predict(days_of(prices, NEW_DAYS[0]))["forecasts"][0]["values"]
    names = list(whole)[5:0:-2]
    part = server.client.predict(days_of(prices, NEW_DAYS[0]), targets=names)
    assert list(part["forecasts"][0]["values"].items()) == [(name, whole[name]) for name in names]


def test_a_series_that_is_left_out_counts_as_closed_and_is_said(
    server: ApiServer, prices: dict[str, float | None]
) -> None:
    few = dict(list(prices.items())[:10])
    answer = server.client.predict(days_of(few, NEW_DAYS[0]))
    assert np.isfinite(np.array(values_of(answer), dtype=float)).all()
    assert any(f"of {len(prices)} series have no price" in note for note in answer["notes"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"days": []}, "days"),
        ({"days": days_of({}, *NEW_DAYS[::-1])}, "days"),
        ({"days": days_of({}, *[NEW_DAYS[0]] * 2)}, "days"),
        ({"days": days_of({}, *[f"2024-{m:02}-{d:02}" for m in (3, 4) for d in range(1, 29)])}, ""),
        ({"days": days_of({}, "2024-01-06")}, "days.day"),
        ({"days": days_of({}, "9999-12-31")}, "days.day"),
        ({"days": days_of({}, "2024-13-01")}, "days"),
        ({"days": days_of({"no such series": 1.0}, NEW_DAYS[0])}, "prices"),
        ({"days": days_of({}, NEW_DAYS[0]), "targets": ["no such target"]}, "targets"),
        ({"days": days_of({}, NEW_DAYS[0]), "more": 1}, "body"),
        ({}, "body"),
        ([], "body"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_in_words(
    server: ApiServer, change: Any, where: str
) -> None:
    answer = server.http.post("/predict", json=change)
    document = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert where in document["where"]
    assert document["expected"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", '"1.0"', "[1]", "true"])
def test_a_price_is_a_finite_number_or_null(
    server: ApiServer, prices: dict[str, float | None], text: str
) -> None:
    body = f'{{"days": [{{"day": "{NEW_DAYS[0]}", "prices": {{"{next(iter(prices))}": {text}}}}}]}}'
    answer = server.http.post("/predict", content=body)
    assert answer.status_code == 422
    assert "prices" in answer.json()["where"] or "JSON" in answer.json()["found"]


def test_an_unknown_release_is_not_found(
    server: ApiServer, prices: dict[str, float | None]
) -> None:
    with pytest.raises(ApiError) as error:
        server.client.predict(days_of(prices, NEW_DAYS[0]), release="nobody")
    assert error.value.status == 404


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
any_price = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_sent_is_forecast_in_finite_numbers_or_refused(
    server: ApiServer, prices: dict[str, float | None], data: st.DataObject
) -> None:
    names = st.sampled_from(list(prices))
    body = data.draw(
        st.fixed_dictionaries(
            {
                "days": st.lists(
                    st.fixed_dictionaries(
                        {
                            "day": st.sampled_from([*NEW_DAYS, "2023-12-29", "1999-01-01"])
                            | st.text(max_size=10),
                            "prices": st.dictionaries(names | st.text(max_size=3), any_price),
                        }
                    ),
                    max_size=2,
                )
            },
            optional={"targets": json_values, "release": json_values},
        )
        | json_values
    )
    answer = server.http.post("/predict", content=json.dumps(body))
    document = answer.json()
    if answer.status_code == 200:
        values = np.array(values_of(document), dtype=float)
        assert np.isfinite(values).all()
    else:
        assert answer.status_code in {404, 409, 422}
        assert document["title"]


def test_a_killed_process_is_replaced_and_its_requests_are_answered(
    server: ApiServer, prices: dict[str, float | None]
) -> None:
    expected = server.client.predict(days_of(prices, NEW_DAYS[0]))
    # Python's own helper process for spawned processes is a child too.
    children = [
        child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())
    ]
    assert len(children) == 1

    def ask(_: int) -> Day:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:
            body = {"days": days_of(prices, NEW_DAYS[0])}
            return dict(http.post("/predict", json=body).raise_for_status().json())

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(ask, range(4))
        os.kill(children[0].pid, signal.SIGKILL)
        assert list(answers) == [expected] * 4
    assert server.client.predict(days_of(prices, NEW_DAYS[0])) == expected


def test_models_are_loaded_and_forgotten_by_name(server: ApiServer) -> None:
    assert "ridge" in server.http.post("/models/ridge/load").raise_for_status().json()["loaded"]
    assert server.client.models("ridge")["loaded"]
    assert "ridge" in server.client.ready()["loaded"]
    left = server.http.delete("/models/ridge").raise_for_status().json()["loaded"]
    assert "ridge" not in left
    assert not server.client.models("ridge")["loaded"]
    assert server.http.post("/models/nobody/load").status_code == 404


def test_more_requests_than_may_wait_are_refused_at_once(server: ApiServer) -> None:
    models = server.context.models
    before, models._waiting = models._waiting, MOST_WAITING
    try:
        answer = server.http.post("/predict", json={"days": days_of({}, NEW_DAYS[0])})
    finally:
        models._waiting = before
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


def test_the_most_days_are_answered(server: ApiServer, prices: dict[str, float | None]) -> None:
    days = [f"2024-02-{day:02}" for day in range(1, 30)]
    weekdays = [day for day in days if date.fromisoformat(day).weekday() < 5]
    assert len(weekdays) <= MOST_DAYS
    answer = server.client.predict(days_of(prices, *weekdays))
    assert len(answer["forecasts"]) == len(weekdays)
    assert "are neither stored nor sent" in answer["notes"][0]

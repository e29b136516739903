"""Answers from a lake with a champion, a challenger, alerts and drift, and from one that grows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_assets.access.keys import make_key
from quant_assets.api.accept import CSV
from quant_assets.client import Client
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.caller_share import ReleasesOfDay, choose_voice
from quant_assets_tests.support import api_lake
from quant_assets_tests.support.api_lake import (
    CHALLENGER,
    CHAMPION,
    DAYS,
    FURTHER_DAY,
    SHARE,
    TARGETS,
)
from quant_assets_tests.support.api_server import ApiServer, serve

LAST = DAYS[-1]
SHIFT = {"published": 0.0, "champion": 10.0, "challenger": 20.0}
NAMES = {"champion": CHAMPION, "challenger": CHALLENGER, "published": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def lake(folder: Path) -> Iterator[Lake]:
    """A lake that no test changes."""
    with filled(folder) as lake:
        yield lake


@pytest.fixture(scope="module")
def server(lake: Lake, folder: Path) -> Iterator[ApiServer]:
    with serve(api_lake.settings_of(folder)) as server:
        yield server


@contextmanager
def filled(folder: Path) -> Iterator[Lake]:
    with Lake(api_lake.settings_of(folder).lake_dir) as lake:
        api_lake.fill(lake)
        yield lake


def test_a_mixed_forecast_names_both_releases(server: ApiServer) -> None:
    forecast = server.client.forecast()
    assert forecast.release == {
        "answered_by": "published",
        "name": None,
        "champion": CHAMPION,
        "challenger": CHALLENGER,
        "share": SHARE,
    }
    assert [each.target for each in forecast.forecasts] == list(TARGETS)
    assert [each.value for each in forecast.forecasts] == [8.0, 8.1, 8.2, 8.3]
    assert forecast.regime is not None
    assert forecast.regime["name"] == "turbulent"


def test_what_the_lake_does_not_have_is_null(server: ApiServer) -> None:
    forecast = server.client.forecast()
    first, *_, last = forecast.forecasts
    assert (first.upper_80, first.upper_95) == (0.25, None)
    assert (last.lower_80, last.upper_95) == (None, None)
    assert forecast.regime is not None
    assert forecast.regime["correlation"] is None
    text = server.http.get("/forecasts/latest", headers={"Accept": CSV}).text
    assert "nan" not in text.lower()
    assert "inf" not in text.lower()


def test_each_key_is_answered_by_its_release_and_stays_with_it(tmp_path: Path) -> None:
    settings = api_lake.settings_of(tmp_path)
    voices = set()
    with filled(tmp_path) as lake:
        keys = [
            make_key(lake, settings.lake_dir, f"caller {number}", "read", datetime.now(UTC))
            for number in range(10)
        ]
        with serve(settings) as server:
            for key, token in keys:
                with Client(server.url, token) as client:
                    forecast = client.forecast(LAST, [TARGETS[1]])
                    assert client.forecast(LAST, [TARGETS[1]]) == forecast
                voice = choose_voice(key.id, ReleasesOfDay(CHAMPION, CHALLENGER, SHARE))
                voices.add(voice)
                assert forecast.release["answered_by"] == voice
                assert forecast.release["name"] == NAMES[voice]
                assert forecast.forecasts[0].value == pytest.approx(8.1 + SHIFT[voice])
    assert voices


def test_releases(server: ApiServer) -> None:
    releases = {each["name"]: each for each in server.client.models()["releases"]}
    assert releases[CHAMPION]["stage"] == "champion"
    assert releases[CHALLENGER]["stage"] == "30 %"
    assert releases[CHALLENGER]["share"] == SHARE
    assert releases[CHALLENGER] == server.client.models(CHALLENGER)
    assert releases[CHALLENGER]["families"][0]["sha256"] == "s"


def test_history_by_release(server: ApiServer) -> None:
    every = len(DAYS) * len(TARGETS)
    assert len(list(server.client.history())) == every
    assert len(list(server.client.history(release=[CHAMPION, "x"]))) == every
    assert len(list(server.client.history(release=CHALLENGER))) == every
    assert list(server.client.history(release="x")) == []


def test_a_new_day_moves_no_later_page(tmp_path: Path) -> None:
    with filled(tmp_path) as lake, serve(api_lake.settings_of(tmp_path)) as server:
        pages = server.client.history(limit=3)
        rows = [next(pages) for _ in range(3)]
        api_lake.add_forecasts(lake, [FURTHER_DAY])
        server.context.state.check()
        rows += list(pages)
        assert server.client.ready()["newest_day"] == str(FURTHER_DAY)
        assert next(server.client.history())["trading_day"] == str(FURTHER_DAY)
    keys = [(row["trading_day"], row["target"]) for row in rows]
    assert keys == [(str(day), target) for day in reversed(DAYS) for target in sorted(TARGETS)]


def test_the_link_to_the_next_page_keeps_the_question(server: ApiServer) -> None:
    answer = server.http.get("/predictions/history", params={"target": TARGETS[0], "limit": 2})
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    following = server.http.get(link[1 : link.index(">")])
    assert [row["trading_day"] for row in following.json()["rows"]] == [
        str(day) for day in DAYS[-4:-2][::-1]
    ]


def test_alerts(server: ApiServer, lake: Lake) -> None:
    sql = "SELECT id FROM monitoring.alerts {} ORDER BY opened_at DESC, id"
    conditions = {
        "": {},
        "WHERE closed_at IS NULL": {"open": True},
        "WHERE closed_at IS NOT NULL AND level = 'warning'": {"open": False, "level": "warning"},
        "WHERE key = 'condition/1'": {"key": "condition/1"},
        "WHERE opened_at::DATE > DATE '2023-12-01'": {"from_": "2023-12-02"},
    }
    for condition, query in conditions.items():
        ids = lake.query(sql.format(condition))["id"].tolist()
        assert [row["id"] for row in server.client.rows("/alerts", limit=2, **query)] == ids
    assert next(server.client.rows("/alerts"))["opened_at"] == "2023-12-01T03:00:00Z"


def test_drift(server: ApiServer) -> None:
    rows = list(server.client.rows("/drift", drifted=True, from_=str(DAYS[2]), limit=3))
    assert [row["trading_day"] for row in rows] == [str(day) for day in DAYS[:1:-1]]
    assert {row["name"] for row in rows} == {"volume"}
    assert rows[0]["ks"] is None
    assert list(server.client.rows("/drift", level="forecast")) == []

"""What the server notices of its lake: none, a new one, one it cannot read, and what changed."""

import logging
from pathlib import Path
from threading import Event

import pytest

from quant_assets.api.lake_state import LakeState
from quant_assets.core.errors import ApiError
from quant_assets.lake.schemas.access_tables import KEYS
from quant_assets.lake.schemas.monitoring_tables import REGIMES
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support import api_lake
from quant_assets_tests.support.api_server import serve


def write_key(lake: Lake, name: str) -> None:
    columns = {column.name: [None] for column in KEYS.columns}
    lake.replace_all(KEYS, {**columns, "id": [name]})


def write_regime(lake: Lake, turbulence: float) -> None:
    columns = {column.name: [None] for column in REGIMES.columns}
    row = {**columns, "trading_day": [api_lake.DAYS[0]], "turbulence": [turbulence]}
    lake.replace_days(REGIMES, api_lake.DAYS[0], api_lake.DAYS[0], row)


def test_only_changes_of_more_than_callers_count(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, Lake(tmp_path, read_only=True) as shown:
        write_regime(lake, 0.1)
        state, versions = LakeState(shown), []
        state.subscribe(versions.append)
        first = state.check()
        assert first == lake.snapshot_id()
        write_key(lake, "a")
        write_key(lake, "b")
        assert state.check() == first < lake.snapshot_id()
        write_regime(lake, 0.2)
        second = state.check()
        assert second == lake.snapshot_id()
        write_key(lake, "c")
        assert LakeState(shown).check() == second
        assert versions == [first, second]


def test_listeners_hear_of_changes_and_do_not_end_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Event()

    def fail(_: int) -> None:
        raise ValueError("a listener's mistake")

    with Lake(tmp_path) as lake, Lake(tmp_path, read_only=True) as shown:
        lake.snapshot_id()
        with caplog.at_level(logging.ERROR), LakeState(shown, seconds=0.01) as state:
            end = state.subscribe(fail)
            state.subscribe(lambda _: heard.set())
            write_regime(lake, 0.1)
            assert heard.wait(30)
            assert "a listener's mistake" in caplog.text
            end()
            heard.clear()
            write_regime(lake, 0.2)
            assert heard.wait(30)


def test_a_server_without_a_lake_begins_to_answer_when_there_is_one(tmp_path: Path) -> None:
    settings = api_lake.settings_of(tmp_path)
    with serve(settings) as server:
        ready = server.http.get("/ready")
        assert ready.status_code == 503
        assert "there is no lake yet" in ready.json()["problem"]["title"]
        with pytest.raises(ApiError) as refused:
            server.client.forecast()
        assert refused.value.status == 503
        assert server.client.get("/health")["status"] == "ok"
        with Lake(settings.lake_dir) as lake:
            lake.snapshot_id()
            server.context.state.check()
            empty = server.http.get("/ready")
            assert (empty.status_code, empty.json()["problem"]) == (503, None)
            with pytest.raises(ApiError) as missing:
                server.client.forecast()
            assert missing.value.status == 404
            assert list(server.client.history()) == []
            assert list(server.client.rows("/alerts")) == []
            assert server.client.models() == {"families": [], "releases": []}
            api_lake.fill(lake)
            server.context.state.check()
        assert server.http.get("/ready").status_code == 200
        assert str(server.client.forecast().day) == str(api_lake.DAYS[-1])

"""Every answer of a loaded market equals what SQL on its lake says."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv

from quant_assets.api.accept import ARROW, CSV
from quant_assets.core.errors import ApiError
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.snapshots import read_newest_change
from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.installation import Installation

BOUNDS = ["lower_80", "upper_80", "lower_95", "upper_95"]
FORECAST = (
    f"SELECT target, value, {', '.join(BOUNDS)} FROM forecasts.published"
    " LEFT JOIN forecasts.intervals USING (trading_day, target)"
    " JOIN raw.target_pairs USING (target) WHERE trading_day = ? ORDER BY position"
)


@pytest.fixture(scope="module")
def server(loaded: Installation) -> Iterator[ApiServer]:
    with serve(loaded.settings) as server:
        yield server


@pytest.fixture(scope="module")
def lake(loaded: Installation) -> Iterator[Lake]:
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        yield lake


def rows_of(lake: Lake, sql: str, *values: Any) -> list[dict[str, Any]]:
    """Rows of a statement as JSON has them."""
    frame = lake.query(sql, values)
    for name in frame.select_dtypes("datetime"):
        is_day = name.endswith(("day", "as_of", "_on", "_until"))
        form = "%Y-%m-%d" if is_day else "%Y-%m-%dT%H:%M:%S.%fZ"
        frame[name] = frame[name].dt.strftime(form)
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def newest(lake: Lake, table: str) -> str:
    return str(lake.query(f"SELECT max(trading_day)::VARCHAR AS day FROM {table}")["day"][0])


def test_the_newest_forecast(server: ApiServer, lake: Lake) -> None:
    day = newest(lake, "forecasts.published")
    latest = server.client.get("/forecasts/latest")
    assert latest == server.client.get(f"/forecasts/{day}")
    assert latest["forecasts"] == rows_of(lake, FORECAST, day)
    stored = rows_of(
        lake,
        "SELECT DISTINCT trading_day AS day, date_id, champion, challenger, share, origin,"
        " stored_at FROM forecasts.published WHERE trading_day = ?",
        day,
    )[0]
    assert {name: latest[name] for name in ("day", "date_id", "origin", "stored_at")} == {
        name: stored[name] for name in ("day", "date_id", "origin", "stored_at")
    }
    assert latest["release"] == {
        "answered_by": "published",
        "name": stored["champion"],
        "champion": stored["champion"],
        "challenger": stored["challenger"],
        "share": stored["share"],
    }
    typed = server.client.forecast()
    assert [each.value for each in typed.forecasts] == [row["value"] for row in latest["forecasts"]]


def test_a_forecast_as_csv_and_as_arrow(server: ApiServer, lake: Lake) -> None:
    day = newest(lake, "forecasts.published")
    expected = lake.query(FORECAST, [day])
    text = server.http.get("/forecasts/latest", headers={"Accept": CSV})
    assert text.headers["content-type"].startswith("text/csv")
    stream = server.http.get("/forecasts/latest", headers={"Accept": ARROW})
    with pa.ipc.open_stream(stream.content) as reader:
        arrow = reader.read_all()
    assert b'"answered_by":"published"' in arrow.schema.metadata[b"quant_assets"]
    for rows in (csv.read_csv(BytesIO(text.content)), arrow):
        frame = rows.to_pandas()
        assert set(frame.pop("day").astype(str)) == {day}
        pd.testing.assert_frame_equal(frame, expected, check_exact=True, check_dtype=False)


def test_some_targets_come_in_the_markets_order(server: ApiServer, lake: Lake) -> None:
    day = newest(lake, "forecasts.published")
    targets = [row["target"] for row in rows_of(lake, FORECAST, day)]
    asked = [targets[7], targets[2]]
    forecast = server.client.forecast(day, asked)
    assert [each.target for each in forecast.forecasts] == [targets[2], targets[7]]


def test_everything_that_was_submitted(server: ApiServer, lake: Lake) -> None:
    expected = rows_of(
        lake,
        "SELECT s.*, p.fit_as_of, champion, challenger, share FROM submissions.daily s"
        " JOIN forecasts.published p USING (trading_day, target)"
        " ORDER BY trading_day DESC, target",
    )
    assert list(server.client.history(limit=5000)) == expected
    day, target = expected[0]["trading_day"], expected[5]["target"]
    of_target = [row for row in expected if row["target"] == target]
    assert list(server.client.history(target=target, limit=3)) == of_target
    of_day = [row for row in expected if row["trading_day"] == day]
    assert list(server.client.history(from_=day, to=day)) == of_day
    assert list(server.client.history(release="2020-01-01-abcdef")) == []


@pytest.mark.parametrize(
    ("path", "sql", "limits"),
    [
        ("/scores", "FROM monitoring.scoreboard ORDER BY score DESC NULLS LAST, family", {}),
        (
            "/scores/daily",
            "FROM monitoring.performance ORDER BY trading_day DESC, family",
            {"limit": 2},
        ),
    ],
)
def test_tables_of_scores(
    server: ApiServer, lake: Lake, path: str, sql: str, limits: dict[str, int]
) -> None:
    assert list(server.client.rows(path)) == rows_of(lake, sql)
    pages = list(server.client.rows(path, family="ridge", **limits))
    assert pages == [row for row in rows_of(lake, sql) if row["family"] == "ridge"]


def test_attribution(server: ApiServer, lake: Lake) -> None:
    day = newest(lake, "monitoring.attribution")
    sql = (
        "SELECT family, inputs, share FROM monitoring.attribution WHERE trading_day = ?"
        " ORDER BY family, inputs"
    )
    assert list(server.client.rows(f"/attribution/{day}")) == rows_of(lake, sql, day)


def test_families(server: ApiServer, lake: Lake) -> None:
    models = server.client.models()
    assert models["releases"] == []
    for family in models["families"]:
        name = family["name"]
        fit = rows_of(
            lake, f"SELECT *, trading_day AS as_of FROM fits.{name} ORDER BY as_of DESC LIMIT 1"
        )[0]
        board = rows_of(lake, "FROM monitoring.scoreboard WHERE family = ?", name)[0]
        for key in ("as_of", "sha256", "fingerprint", "features_version", "library"):
            assert family[key] == fit[key]
        for key in ("score", "low", "high", "days"):
            assert family[key] == board[key]
        assert server.client.models(name) == family
        assert family["loaded"] is False


def test_the_state_of_the_server(server: ApiServer, lake: Lake) -> None:
    ready = server.client.ready()
    assert ready["ready"] is True
    assert ready["newest_day"] == newest(lake, "forecasts.published")
    # Audits of other tests' servers, which come later, are no other state.
    assert ready["state_version"] == read_newest_change(lake) <= lake.snapshot_id()
    assert ready["age_seconds"] >= 0
    assert server.client.get("/health")["status"] == "ok"
    text = server.http.get("/metrics").text
    assert 'quant_assets_api_request_seconds_bucket{le="0.1",route="/health"}' in text
    assert 'quant_assets_api_requests_total{route="/health",status="2xx"}' in text
    assert "quant_assets_api_data_age_seconds " in text


def test_an_answer_is_kept_and_confirmed(server: ApiServer) -> None:
    first = server.http.get("/forecasts/latest")
    hits = server.context.answers.counts.hits
    again = server.http.get("/forecasts/latest")
    assert again.content == first.content
    assert server.context.answers.counts.hits == hits + 2
    tag = first.headers["etag"]
    known = server.http.get("/forecasts/latest", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    other = server.http.get("/forecasts/latest", headers={"If-None-Match": tag, "Accept": CSV})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/forecasts/2023-12-24", 404, ["no trading day", "2023-12-22 and 2023-12-25"]),
        ("/forecasts/1999-01-04", 404, ["no submitted forecast", "hint: the nearest"]),
        ("/forecasts/0001-01-01", 404, ["no submitted forecast"]),
        ("/forecasts/2023-13-01", 422, ["path.day", "month"]),
        ("/forecasts/1703808000", 422, ["YYYY-MM-DD"]),
        ("/forecasts/latest?target=target_9999", 404, ["unknown target", "did you mean"]),
        ("/forecasts/latest?target=", 404, ["unknown target"]),
        ("/attribution/2023-12-24", 404, ["no trading day"]),
        ("/scores?family=rigde", 404, ["did you mean ridge"]),
        ("/models/rigde", 404, ["did you mean ridge"]),
        ("/predictions/history?limit=0", 422, ["query.limit"]),
        ("/predictions/history?cursor=abc", 404, ["the cursor is not one of this list"]),
        ("/predictions/history?target=x", 404, ["unknown target"]),
        ("/predictions/history?from=2023", 422, ["query.from"]),
        ("/nothing", 404, ["GET /nothing"]),
    ],
)
def test_refusals_say_what_is_wrong(
    server: ApiServer, path: str, status: int, words: list[str]
) -> None:
    with pytest.raises(ApiError) as refused:
        server.client.get(path)
    assert refused.value.status == status
    document = refused.value.document
    assert document["status"] == status
    assert document["type"].startswith("urn:quant-assets:")
    for word in words:
        assert word in document["detail"]


def test_unknown_formats_and_methods_are_refused(server: ApiServer) -> None:
    image = server.http.get("/forecasts/latest", headers={"Accept": "image/png"})
    assert (image.status_code, image.json()["found"]) == (406, "image/png")
    assert server.http.get("/models", headers={"Accept": CSV}).status_code == 406
    posted = server.http.post("/forecasts/latest")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET")
    assert posted.headers["content-type"] == "application/problem+json"
    patched = server.http.patch("/models/ridge")
    assert (patched.status_code, patched.headers["allow"]) == (405, "DELETE, GET")


@pytest.mark.parametrize(
    "path",
    ["/scores?famly=ensemble", "/forecasts/latest?targt=target_0", "/models?x=", "/health?a"],
)
def test_a_misspelt_parameter_is_refused(server: ApiServer, path: str) -> None:
    answer = server.http.get(path)
    assert answer.status_code == 422
    assert answer.json()["where"].startswith("query.")


def test_targets_and_series_are_those_of_the_lake(server: ApiServer, loaded: Installation) -> None:
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        pairs = lake.arrow("FROM raw.target_pairs ORDER BY position").to_pylist()
        series = lake.arrow("FROM raw.series ORDER BY instrument, field").to_pylist()
    assert server.client.get("/targets")["rows"] == pairs
    assert server.client.get("/series")["rows"] == series

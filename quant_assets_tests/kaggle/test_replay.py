"""Days of a loaded market through real gRPC: server and gateway in processes of their own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.kaggle.batches import Served, read_served_days
from quant_assets.kaggle.gateway import replay_days
from quant_assets.kaggle.market import LoadedMarket, open_loaded_market
from quant_assets.kaggle.predictor import Predictor
from quant_assets.kaggle.transport import Client, InferenceServer
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets_tests.support.installation import Command, Installation
from quant_assets_tests.support.served_days import write_served_days
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY

STORED, SERVED = 110, 12
"""The days of the loaded market, of which the last four and eight more are served."""
FIRST = STORED - 4
LATER = LAST_DAY + timedelta(days=30)
Send = Callable[[Served], pl.DataFrame]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = SimulatedMarket(seed=7, first_day=FIRST_DAY, last_day=LATER)
    columns = market.prices(FIRST_DAY, FIRST_DAY).columns
    empty = [name for name in columns if "GOLD_adj" in name]
    return write_served_days(
        tmp_path_factory.mktemp("competition"), market, FIRST, SERVED, empty=empty
    )


@pytest.fixture(scope="module")
def send(
    loaded: Installation, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Send]:
    """Send days to a server in this process, which answers all tests one after the other."""
    predictor = Predictor(lambda: open_loaded_market(loaded.settings, folder))

    def predict(*frames: pl.DataFrame) -> pl.DataFrame:
        answer: pl.DataFrame = predictor.answer(frames[0], frames[1:])
        return answer

    server = InferenceServer(predict, [0])
    server.start()
    file = tmp_path_factory.mktemp("sent") / "submission.parquet"
    with Client([server.address], 10) as client:

        def send_days(served: Served) -> pl.DataFrame:
            return pl.read_parquet(replay_days(served, client, file).file)

        yield send_days
    server.stop()


@pytest.fixture(scope="module")
def rows(send: Send, folder: Path) -> pl.DataFrame:
    return send(read_served_days(folder))


def test_stored_and_later_days_are_answered(rows: pl.DataFrame, loaded: Installation) -> None:
    assert rows["date_id"].to_list() == list(range(FIRST, FIRST + SERVED))
    assert rows.drop("date_id").n_unique() == SERVED
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        stored = lake.arrow(
            f"SELECT date_id, target, value FROM {SUBMISSIONS.quoted} WHERE date_id >= {FIRST}"
        ).to_pylist()
    assert len({row["date_id"] for row in stored}) == STORED - FIRST
    answered = {row["date_id"]: row for row in rows.to_dicts()}
    for row in stored:
        assert answered[row["date_id"]][row["target"]] == row["value"]


def test_the_day_of_a_fit_is_answered_by_that_fit(
    send: Send, loaded: Installation, tmp_path: Path
) -> None:
    table = forecasts_table("ridge")
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        day = lake.arrow(
            f"SELECT max(date_id) AS day FROM {table.quoted} WHERE fit_as_of = trading_day"
        ).to_pylist()[0]["day"]
        stored = lake.arrow(
            f"SELECT date_id, target, value FROM {SUBMISSIONS.quoted}"
            " WHERE date_id BETWEEN ? AND ?",
            [day - 1, day + 1],
        ).to_pylist()
    market = SimulatedMarket(seed=7, first_day=FIRST_DAY, last_day=LAST_DAY)
    rows = send(read_served_days(write_served_days(tmp_path / "days", market, day - 1, 3)))
    answered = {row["date_id"]: row for row in rows.to_dicts()}
    assert all(answered[row["date_id"]][row["target"]] == row["value"] for row in stored)


def test_without_a_session_the_stored_prior_of_the_day_is_answered(
    loaded: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: LoadedMarket) -> None:
        raise LakeError("no session")

    monkeypatch.setattr(LoadedMarket, "open_session", fail)
    predictor = Predictor(lambda: open_loaded_market(loaded.settings, folder))
    frames = [batch.frames for batch in read_served_days(folder).batches()]
    first, last = (predictor.answer(each[0], each[1:]).row(0) for each in (frames[0], frames[-1]))
    market = open_loaded_market(loaded.settings)
    assert first == tuple(market.prior.on(market.numbers.days[[FIRST]])[0])
    assert last == tuple(market.prior.values[-1])
    assert market.prior_before(0) is None
    market.lake.close()


def test_the_command_replays_with_a_server_of_its_own(
    loaded: Installation, folder: Path, rows: pl.DataFrame, tmp_path: Path, command: Command
) -> None:
    file = tmp_path / "submission.parquet"
    result = command(loaded, "kaggle", "replay", str(folder), "--output", str(file), "--days", "3")
    assert result.status == 0, result.err
    assert "3 days; the first call took" in result.out
    assert pl.read_parquet(file).equals(rows.head(3))
    assert command(loaded, "kaggle", "check", str(file)).status == 0


def test_what_comes_later_changes_no_earlier_answer(
    send: Send, folder: Path, rows: pl.DataFrame
) -> None:
    served = read_served_days(folder)
    day, random = FIRST + 6, np.random.default_rng(1)
    price = pl.selectors.float()
    later = pl.col("date_id") > day

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        factors = pl.Series(np.exp(random.normal(0, 0.05, frame.height)))
        return frame.with_columns(pl.when(later).then(price * factors).otherwise(price))

    changed = replace(served, test=change(served.test), lagged=tuple(map(change, served.lagged)))
    again = send(changed)
    assert again.filter(~later).equals(rows.filter(~later))
    differ = (again.to_numpy() != rows.to_numpy()).any(axis=1)
    assert differ.tolist() == [False] * 7 + [True] * 5


def test_the_ids_may_start_again(send: Send, folder: Path, rows: pl.DataFrame) -> None:
    served = read_served_days(folder)
    head = replace(served, test=served.test.head(6))
    assert send(head).equals(rows.head(6))
    assert send(served).equals(rows)
    tail = replace(served, test=served.test.tail(3))
    assert send(tail).equals(rows.tail(3))


def test_the_day_after_the_stored_ones_is_the_next_trading_day(loaded: Installation) -> None:
    market = open_loaded_market(loaded.settings)
    assert market.numbers.find_day(STORED - 1) == LAST_DAY
    # Both London and Tokyo are closed on the first of January.
    assert market.numbers.find_day(STORED) == date(2024, 1, 2)
    market.lake.close()

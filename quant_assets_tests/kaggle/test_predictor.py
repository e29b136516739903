"""Answers to a gateway: from whatever batch comes, and whatever fails behind it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from quant_assets.core.errors import LakeError, SubmissionError
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.kaggle import predict
from quant_assets.kaggle.answers import check_answer
from quant_assets.kaggle.batches import Batch, read_served_days
from quant_assets.kaggle.day_numbers import DayNumbers
from quant_assets.kaggle.frames import PriceFrame, read_prices
from quant_assets.kaggle.predictor import Predictor
from quant_assets.kaggle.transport import InferenceServer
from quant_assets.market.description.reading import competition_description
from quant_assets.market.instruments import list_competition_series
from quant_assets.sources.deliveries import PriceTable
from quant_assets_tests.support.competition_market import PAIRS, SERIES, make_folder

NAMES = tuple(f"target_{i}" for i in range(len(PAIRS)))
PRIOR = np.array([4.0, 1.0, 3.0, 2.0])
FIRST = date(2018, 1, 2)
Fault = Callable[[PriceTable], FloatArray | None]


@dataclass(frozen=True)
class Forecast:
    days: DayArray
    values: FloatArray
    targets: tuple[str, ...] = NAMES
    release: str | None = "first"
    notes: tuple[str, ...] = ()


@dataclass
class Engine:
    """A session whose forecast is what the closes have moved since the day before."""

    fault: Fault
    tables: list[PriceTable] = field(default_factory=list)
    history: dict[int, FloatArray] = field(default_factory=dict)

    def forecast(self, table: PriceTable) -> Forecast:
        self.tables.append(table)
        for number, row in zip(table.date_ids.tolist(), table.values, strict=True):
            self.history = {day: each for day, each in self.history.items() if day < number}
            self.history[number] = row
        if (values := self.fault(table)) is None:
            rows = np.nan_to_num(np.array(list(self.history.values())))
            values = rows.sum(axis=0)[: len(NAMES)]
        return Forecast(table.days, np.tile(values, (len(table.days), 1)))


@dataclass
class Market:
    """A market of the four targets of the small folder."""

    fault: Fault = lambda _: None
    prior: FloatArray | None = field(default_factory=PRIOR.copy)
    columns: tuple[str, ...] = NAMES
    sessions: list[Engine] = field(default_factory=list)

    def read_table(self, prices: PriceFrame) -> tuple[PriceTable, Sequence[str]]:
        days = np.datetime64(FIRST) + prices.date_ids
        series = list_competition_series(prices.columns)
        table = PriceTable(days, prices.date_ids, series, prices.values, prices.unread)
        return table, ()

    def column_of(self, target: str) -> str:
        return target

    def prior_before(self, date_id: int) -> FloatArray | None:
        return self.prior

    def open_session(self) -> Engine:
        self.sessions.append(Engine(self.fault))
        return self.sessions[-1]


@pytest.fixture
def batches(tmp_path: Path) -> list[Batch]:
    return list(read_served_days(make_folder(tmp_path)).batches())


def answer(predictor: Predictor, batch: Batch) -> pl.DataFrame:
    frame = predictor.answer(batch.frames[0], batch.frames[1:])
    assert isinstance(frame, pl.DataFrame)
    return check_answer(frame, NAMES, batch.date_id)


def test_every_day_is_answered_in_order_by_one_session(batches: list[Batch]) -> None:
    market = Market()
    predictor = Predictor(lambda: market)
    rows = [answer(predictor, batch) for batch in batches]
    assert len({row.row(0) for row in rows}) == len(batches)
    assert len(market.sessions) == 1
    tables = market.sessions[0].tables
    assert [table.date_ids.tolist() for table in tables] == [[b.date_id] for b in batches]
    assert tables[0].columns == SERIES
    # The column without a price holds texts, and is read as empty.
    assert batches[0].frames[0]["US_Stock_GOLD_adj_close"].dtype == pl.String
    assert np.isnan(tables[0].values[0, SERIES.index("US_Stock_GOLD_adj_close")])
    assert np.isfinite(np.delete(tables[0].values, 5)).all()


def test_frames_of_pandas_are_answered_with_frames_of_pandas(batches: list[Batch]) -> None:
    predictor = Predictor(Market)
    of_polars = answer(Predictor(Market), batches[0])
    frames = [frame.to_pandas() for frame in batches[0].frames]
    of_pandas = predictor.answer(frames[0], frames[1:])
    assert isinstance(of_pandas, pd.DataFrame)
    assert check_answer(of_pandas, NAMES, 0).equals(of_polars)


def test_the_ids_may_start_again(batches: list[Batch]) -> None:
    """The forecasting phase sends days again that were sent before, and goes on after them."""
    market = Market()
    predictor = Predictor(lambda: market)
    first = [answer(predictor, batch) for batch in batches[:6]]
    second = [answer(predictor, batch) for batch in batches]
    assert [row.row(0) for row in second[:6]] == [row.row(0) for row in first]
    assert len(market.sessions) == 1


@pytest.mark.parametrize("names", [True, False], ids=["with names", "without"])
def test_targets_are_named_by_the_labels_or_by_the_market(
    batches: list[Batch], names: bool
) -> None:
    labels = [frame.clear() for frame in batches[0].frames[1:]] if names else [None, 1, "x", []]
    frame = Predictor(Market).answer(batches[0].frames[0], labels)
    assert check_answer(frame, NAMES, 0).height == 1


def test_a_failed_day_is_answered_by_the_prior_and_the_next_session_gets_all_days(
    batches: list[Batch], caplog: pytest.LogCaptureFixture
) -> None:
    failing = batches[3].date_id

    def fail_once(table: PriceTable) -> FloatArray | None:
        if table.date_ids.tolist() == [failing]:
            raise LakeError("the lake is away", where="the disk")
        return None

    market, whole = Market(fail_once), Market()
    predictor, other = Predictor(lambda: market), Predictor(lambda: whole)
    rows = [answer(predictor, batch).row(0) for batch in batches]
    expected = [answer(other, batch).row(0) for batch in batches]
    assert rows[3] == tuple(PRIOR)
    assert rows[:3] + rows[4:] == expected[:3] + expected[4:]
    assert "no forecast of the day: LakeError: the lake is away; where: the disk" in caplog.text
    assert len(market.sessions) == 2
    again = market.sessions[1].tables[0].date_ids.tolist()
    assert again == [batch.date_id for batch in batches[:5]]


def give(values: Sequence[float]) -> Fault:
    return lambda _: np.array(values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1.0, 1.0, 1.0, 1.0], "the forecasts do not differ"),
        ([np.nan] * 4, "the forecasts do not differ"),
        ([np.nan, 2.0, 2.0, 2.0], "the forecasts do not differ"),
        ([np.inf, 2.0, 2.0, 2.0], "a forecast is infinite"),
        ([1.0, 2.0, 3.0], "ValueError"),
    ],
)
def test_useless_forecasts_are_replaced(
    batches: list[Batch], caplog: pytest.LogCaptureFixture, values: list[float], reason: str
) -> None:
    row = answer(Predictor(lambda: Market(give(values))), batches[0])
    assert row.row(0) == tuple(PRIOR)
    assert reason in caplog.text


def test_a_target_without_forecast_gets_the_median(
    batches: list[Batch], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    row = answer(Predictor(lambda: Market(give([5.0, np.nan, 1.0, 2.0]))), batches[0])
    assert row.row(0) == (5.0, 2.0, 1.0, 2.0)
    assert "1 of 4 targets get the median of the others" in caplog.text
    assert f"date_id {batches[0].date_id}: forecast by release first in 0.0" in caplog.text


def refuse() -> Market:
    raise SubmissionError("no market is loaded")


@pytest.mark.parametrize(
    "open_market", [refuse, lambda: Market(give([0.0] * 4), prior=None)], ids=["closed", "no prior"]
)
def test_without_any_forecast_numbers_that_ascend_are_answered(
    batches: list[Batch], caplog: pytest.LogCaptureFixture, open_market: Callable[[], Market]
) -> None:
    row = answer(Predictor(open_market), batches[0]).row(0)
    assert list(row) == sorted(set(row))
    assert "numbers that ascend" in caplog.text


@pytest.mark.parametrize("junk", [None, 1, "x", pl.DataFrame(), pl.DataFrame({"date_id": ["a"]})])
def test_whatever_comes_is_answered(junk: Any) -> None:
    """Without names anywhere they are those of the competition."""
    names = competition_description().submission.columns(8)
    answered = Predictor(refuse).answer(junk, [])
    assert answered.columns[:8] == list(names)
    assert check_answer(answered, answered.columns, 0).height == 1


def test_cells_are_read_as_numbers_empty_or_text() -> None:
    frame = pl.DataFrame(
        {
            "date_id": [1],
            "texts": ["12.5"],
            "empty": [""],
            "null": [None],
            "words": ["n/a"],
            "whole": [3],
            "flag": [None],
            "is_scored": [True],
        },
        schema_overrides={"flag": pl.Boolean, "null": pl.Null},
    )
    for read in (read_prices(frame), read_prices(frame.to_pandas())):
        assert read.columns == ("texts", "empty", "null", "words", "whole", "flag")
        np.testing.assert_array_equal(read.values, [[12.5, np.nan, np.nan, np.nan, 3.0, np.nan]])
        assert [(cell.column, cell.text) for cell in read.unread] == [("words", "n/a")]


@pytest.mark.parametrize("ids", [[], [None], [1.5], [2, 1], [1, 1]])
def test_batches_without_days_that_ascend_are_refused(ids: list[float]) -> None:
    with pytest.raises(SubmissionError, match="batch"):
        read_prices(pl.DataFrame({"date_id": ids, "x": [1.0] * len(ids)}))


def test_days_after_the_stored_ones_are_counted_on(tmp_path: Path) -> None:
    calendar = competition_description().calendar
    days = calendar.trading_days(date(2024, 12, 2), date(2025, 1, 31))
    numbers = DayNumbers(np.arange(50, 60), days[:10], calendar)
    found = [numbers.find_day(number) for number in range(50, 50 + len(days))]
    assert found == days.tolist()
    with pytest.raises(SubmissionError, match=r"(?s)no trading day.*50 to 59"):
        numbers.find_day(49)
    with pytest.raises(SubmissionError, match="beyond the calendar"):
        numbers.find_day(10**6)
    # A calendar.csv comes before counting, where it has the id.
    (tmp_path / "calendar.csv").write_text(f"date_id,date\n60,{days[12]}\n")
    dated = DayNumbers(numbers.stored, numbers.days, calendar, tmp_path)
    assert [dated.find_day(60), dated.find_day(61)] == [days[12].item(), days[11].item()]


def test_predict_is_a_plain_function_of_five_frames() -> None:
    assert predict.__name__ == "predict"
    assert predict.__code__.co_argcount == 5
    InferenceServer(predict, [0]).stop()

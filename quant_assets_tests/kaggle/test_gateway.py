"""The gateway for testing: what it sends, in which order, and which answers it refuses."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quant_assets.core.errors import SettingsError, SourceError, SubmissionError
from quant_assets.kaggle.answers import check_answer
from quant_assets.kaggle.batches import read_served_days
from quant_assets.kaggle.gateway import Replay, replay_days
from quant_assets.kaggle.transport import Client, InferenceServer, find_answering
from quant_assets_tests.support.competition_market import DAYS, PAIRS, make_folder

TARGETS = tuple(f"target_{i}" for i in range(len(PAIRS)))
ROW = dict(zip(TARGETS, (0.1, 0.4, 0.2, 0.3), strict=True))
GOOD = pl.DataFrame(ROW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("market").mkdir()
    return make_folder(tmp_path / "market")


@contextmanager
def serving(function: Callable[..., Any]) -> Iterator[Client]:
    function.__name__ = "predict"
    server = InferenceServer(function, [0])
    server.start()
    try:
        with Client([server.address], patience=10) as client:
            yield client
    finally:
        server.stop()


def replay(folder: Path, function: Callable[..., Any], **options: Any) -> Replay:
    with serving(function) as client:
        file = folder / "submission.parquet"
        return replay_days(read_served_days(folder), client, file, **options)


def test_days_are_sent_in_the_order_of_the_file_with_what_is_known(folder: Path) -> None:
    sent: list[tuple[pl.DataFrame, ...]] = []

    def predict(*frames: pl.DataFrame) -> pl.DataFrame:
        sent.append(frames)
        return GOOD.select(pl.all() + len(sent))

    result = replay(folder, predict)
    assert result.days == len(sent) == 10
    assert [frames[0]["date_id"][0] for frames in sent] == list(range(DAYS - 10, DAYS))
    first = sent[0]
    assert [frame.shape for frame in first] == [(1, 9), *[(0, 3)] * 4]
    test = first[0]
    assert test.columns[0] == "date_id"
    assert test.columns[-1] == "is_scored"
    kinds = [test["date_id"].dtype, test["FX_USDJPY"].dtype, test["is_scored"].dtype]
    assert kinds == [pl.Int64, pl.Float64, pl.Boolean]
    assert test["US_Stock_GOLD_adj_close"].dtype == pl.String
    # A label of lag 1 becomes known on the third day, of lag 4 on the sixth.
    for lag in (1, 2, 3, 4):
        filled = [row for row, frames in enumerate(sent, start=1) if frames[lag].height]
        assert filled[0] == lag + 2
        assert {frames[lag].schema == first[lag].schema for frames in sent} == {True}
        assert sent[lag + 1][lag]["label_date_id"][0] == DAYS - 10
    written = pl.read_parquet(result.file)
    assert written.columns == ["date_id", *TARGETS]
    assert written["date_id"].to_list() == list(range(DAYS - 10, DAYS))
    assert written["target_0"].to_list() == [0.1 + n for n in range(1, 11)]
    assert "10 days" in result.describe()


def test_the_first_days_alone_may_be_sent(folder: Path) -> None:
    assert replay(folder, lambda *_: GOOD.to_pandas(), days=3).days == 3


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (None, "found: NoneType"),
    "a dictionary": (ROW, "found: dict"),
    "a list": ([1.0], "found: list"),
    "a number": (1.0, "found: float"),
    "a series": (GOOD["target_0"], "found: Series"),
    "an array": (np.zeros((1, 4)), "found: ndarray"),
    "no row": (GOOD.clear(), "found: 0 rows"),
    "two rows": (pl.concat([GOOD, GOOD]), "found: 2 rows"),
    "the day": (GOOD.with_columns(date_id=1), "no column date_id"),
    "a target less": (GOOD.drop("target_2"), "found: no target_2"),
    "another name": (GOOD.rename({"target_2": "prediction_2"}), "found: no target_2"),
    "a target more": (GOOD.with_columns(target_4=1.0), "found: also target_4"),
    "another order": (GOOD.select(reversed(TARGETS)), "target_0 in place 1"),
    "32 bits": (GOOD.cast(pl.Float32), "Float32 in target_0"),
    "whole numbers": (GOOD.cast(pl.Int64), "Int64 in target_0"),
    "texts": (GOOD.cast(pl.String), "String in target_0"),
    "null": (GOOD.with_columns(target_1=pl.lit(None, pl.Float64)), "None in target_1"),
    "NaN": (GOOD.with_columns(target_1=float("nan")), "nan in target_1"),
    "infinite": (GOOD.with_columns(target_1=float("-inf")), "-inf in target_1"),
    "equal": (GOOD.select(pl.all() * 0), "0.0 for all targets"),
    "32 bits of pandas": (GOOD.to_pandas().astype("float32"), "float32 in target_0"),
    "NaN of pandas": (GOOD.to_pandas() * np.nan, "nan in target_0"),
}


@pytest.mark.parametrize(("answer", "message"), WRONG.values(), ids=WRONG)
def test_wrong_answers_are_refused_with_day_expectation_and_finding(
    answer: Any, message: str
) -> None:
    with pytest.raises(SubmissionError) as caught:
        check_answer(answer, TARGETS, 1827)
    assert "date_id 1827" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("answer", [GOOD, GOOD.to_pandas()], ids=["polars", "pandas"])
def test_good_answers_of_both_kinds_pass(answer: Any) -> None:
    assert check_answer(answer, TARGETS, 1827).equals(GOOD)


def test_a_failure_leaves_no_file(folder: Path) -> None:
    answers = iter([GOOD, GOOD.to_pandas()])
    with pytest.raises(SubmissionError, match="the kind of the answers changes"):
        replay(folder, lambda *_: next(answers))
    assert not (folder / "submission.parquet").exists()


def test_an_error_of_the_server_names_the_endpoint_and_the_reason(folder: Path) -> None:
    def predict(*_: pl.DataFrame) -> pl.DataFrame:
        raise ValueError("no such price")

    with pytest.raises(SubmissionError, match=r"(?s)endpoint predict.*UNKNOWN.*no such price"):
        replay(folder, predict)


def test_the_first_call_has_no_deadline_and_later_ones_do(folder: Path) -> None:
    pauses = iter([0.5, 0.0, 5.0])
    ended = threading.Event()

    def predict(*_: pl.DataFrame) -> pl.DataFrame:
        ended.wait(next(pauses))
        return GOOD

    with serving(predict) as client:
        with pytest.raises(SubmissionError, match=r"(?s)within 0.2 seconds.*DEADLINE_EXCEEDED"):
            replay_days(read_served_days(folder), client, folder / "x.parquet", seconds=0.2)
        ended.set()
    assert next(pauses, None) is None


def test_calls_are_tried_again_while_the_server_is_unavailable(folder: Path) -> None:
    import grpc

    calls: list[int] = []

    def predict(*_: pl.DataFrame) -> pl.DataFrame:
        calls.append(1)
        return GOOD

    class Busy(InferenceServer):
        """A server that refuses the first three requests."""

        def _answer(self, request: Any, context: Any) -> Any:
            calls.append(0)
            if calls.count(0) <= 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
            return super()._answer(request, context)

    server = Busy(predict, [0])
    server.start()
    with Client([server.address], patience=10) as client:
        assert client.send("predict", 1).equals(GOOD)
        with pytest.raises(SubmissionError, match="no endpoint 'other'"):
            client.send("other", 1)
    server.stop()
    assert calls == [0, 0, 0, 0, 1, 0]


def test_an_absent_server_is_waited_for_and_then_named() -> None:
    with pytest.raises(SubmissionError, match=r"(?s)no inference server answers.*127.0.0.1:1\b"):
        Client(["127.0.0.1:1"], patience=0.1)


def test_a_taken_port_is_not_shared() -> None:
    with serving(lambda *_: None) as client:
        port = int(client.address.rpartition(":")[2])
        with pytest.raises(SettingsError, match="no port is free"):
            InferenceServer(print, [port])
        other = InferenceServer(print, [port, 0])
        assert not other.address.endswith(f":{port}")
        assert find_answering(["127.0.0.1:1", client.address]) == client.address
        other.stop()


def test_a_folder_without_its_files_is_refused(folder: Path) -> None:
    (folder / "lagged_test_labels" / "test_labels_lag_3.csv").unlink()
    with pytest.raises(SourceError, match=r"test_labels_lag_3\.csv"):
        read_served_days(folder)
    (folder / "test.csv").write_text("date_id,x\na,1\n")
    make_lag = folder / "lagged_test_labels" / "test_labels_lag_3.csv"
    make_lag.write_text("date_id,target_2,label_date_id\n1,1,1\n")
    with pytest.raises(SourceError, match=r"(?s)whole number date_id.*String"):
        read_served_days(folder)

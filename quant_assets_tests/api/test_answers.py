"""Answers are computed once for a state of the lake, and kept as long as it stays."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import URL

from quant_assets.api.accept import ARROW, CSV, FORMATS, JSON, choose_format
from quant_assets.api.answers import Answers
from quant_assets.api.encoding import Content, encode
from quant_assets.api.lake_state import LakeState
from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake

PATIENCE = 30.0


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as lake:
        write(lake, 1)
        yield lake


def write(lake: Lake, lag: int) -> None:
    names = {column.name: [None] for column in RAW_TARGET_PAIRS.columns}
    lake.replace_all(RAW_TARGET_PAIRS, {**names, "target": ["a"], "lag": [lag]})


def read(lake: Lake) -> int:
    return int(lake.query(f"SELECT lag FROM {RAW_TARGET_PAIRS.quoted}")["lag"][0])


def run(lake: Lake, work: Callable[[Answers, LakeState], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine with answers from a lake that nobody watches."""

    async def within() -> None:
        state = LakeState(lake)
        state.check()
        answers = Answers(lake, state, most_bytes=100_000)
        try:
            await asyncio.wait_for(work(answers, state), PATIENCE)
        finally:
            answers.close()

    asyncio.run(within())


def test_callers_who_ask_at_once_wait_for_one_computation(lake: Lake) -> None:
    async def work(answers: Answers, state: LakeState) -> None:
        calls, may_end = [], Event()

        def compute(lake: Lake) -> int:
            calls.append(1)
            assert may_end.wait(PATIENCE)
            return read(lake)

        waiting = [asyncio.create_task(answers.value("lag", compute)) for _ in range(20)]
        await asyncio.sleep(0.05)
        # One who goes away takes nothing from the others.
        waiting.pop(0).cancel()
        may_end.set()
        assert await asyncio.gather(*waiting) == [1] * 19
        assert await answers.value("lag", compute) == 1
        assert len(calls) == 1

    run(lake, work)


def test_a_change_of_the_lake_drops_what_was_kept(lake: Lake) -> None:
    async def work(answers: Answers, state: LakeState) -> None:
        assert await answers.value("lag", read) == 1
        write(lake, 2)
        assert await answers.value("lag", read) == 1
        state.check()
        assert await answers.value("lag", read) == 2
        write(lake, 3)
        # A question that is new reads the newest state, and the server knows it from then on.
        assert await answers.value("another", read) == 3
        assert await answers.value("lag", read) == 3

    run(lake, work)


def test_failures_are_not_kept(lake: Lake) -> None:
    async def work(answers: Answers, state: LakeState) -> None:
        failures = [LakeError("locked")]

        def compute(lake: Lake) -> int:
            if failures:
                raise failures.pop()
            return read(lake)

        with pytest.raises(LakeError):
            await answers.value("lag", compute)
        assert await answers.value("lag", compute) == 1

    run(lake, work)


def test_the_answers_that_were_used_last_are_kept(lake: Lake) -> None:
    def content(number: int) -> Callable[[Lake], Any]:
        url = URL("http://a/b")
        return lambda _: encode(Content({"text": str(number) * 20_000}), JSON, url)

    async def work(answers: Answers, state: LakeState) -> None:
        for number in (1, 2, 3, 4, 1, 5):
            await answers.value("text", content(number), number)
        hits = answers.counts.hits
        for number in (1, 3, 4, 5):
            await answers.value("text", content(number), number)
        assert answers.counts.hits == hits + 4
        await answers.value("text", content(2), 2)
        assert answers.counts.hits == hits + 4

    run(lake, work)


def test_no_format_has_a_number_that_is_not_finite() -> None:
    numbers = [1.5, float("nan"), float("inf"), float("-inf"), None]
    rows = pa.table({"value": pa.array(numbers, pa.float64())})
    content = Content({"day": date(2024, 1, 2)}, rows, repeated=("day",))
    answers = {media: encode(content, media, URL("http://a/b")) for media in FORMATS}
    assert answers[JSON].body == (
        b'{"day":"2024-01-02","rows":[{"value":1.5},{"value":null},{"value":null},'
        b'{"value":null},{"value":null}]}'
    )
    assert answers[CSV].body.splitlines()[1:] == [b"2024-01-02,1.5", *[b"2024-01-02,"] * 4]
    with pa.ipc.open_stream(answers[ARROW].body) as reader:
        assert reader.read_all()["value"].to_pylist() == [1.5, None, None, None, None]
    assert len({answer.headers["ETag"] for answer in answers.values()}) == 3


@given(st.text(max_size=60))
def test_any_accept_header_is_understood(header: str) -> None:
    assert choose_format(header) in {*FORMATS, None}


@pytest.mark.parametrize(
    ("header", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/*", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("application/json;q=0, */*", CSV),
        ("TEXT/CSV ; Q=1", CSV),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/csv;q=0", None),
        ("application/xml", None),
    ],
)
def test_the_format_that_a_caller_prefers(header: str | None, media: str | None) -> None:
    assert choose_format(header) == media

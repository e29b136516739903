"""The records of a vendor's answers are stored once, whatever runs store prices."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import create_autospec

from quant_assets.lake.schemas.source_tables import RESPONSES
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.responses import list_new_responses
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.http.ecb import EcbSource
from quant_assets.sources.http.responses import ResponseRecord

MOMENT = datetime(2026, 1, 6, 18, tzinfo=UTC)


def record(number: int, hours: int) -> ResponseRecord:
    at = MOMENT + timedelta(hours=hours)
    return ResponseRecord(number, "ecb", "history", "https://bank/zip", at, 200, "ab", 9, "")


def test_an_answer_is_stored_once(tmp_path: Path) -> None:
    source = create_autospec(EcbSource, instance=True)
    with Lake(tmp_path) as lake:
        source.responses.return_value = (record(1, 0),)
        lake.change(*list_new_responses(lake, source))
        assert list_new_responses(lake, source) == []
        source.responses.return_value = (record(1, 0), record(2, 1))
        lake.change(*list_new_responses(lake, source))
        # The kept answers were deleted: numbers begin anew.
        source.responses.return_value = (record(1, 2),)
        lake.change(*list_new_responses(lake, source))
        rows = lake.arrow(f"FROM {RESPONSES.quoted} ORDER BY answered_at").to_pylist()
    assert [(row["id"], row["answered_at"].hour) for row in rows] == [(1, 18), (2, 19), (1, 20)]
    assert {row["problem"] for row in rows} == {""}


def test_a_source_that_keeps_no_answers_has_no_rows(tmp_path: Path) -> None:
    source = create_autospec(CompetitionFolder, instance=True)
    with Lake(tmp_path) as lake:
        assert list_new_responses(lake, source) == []
        assert not lake.has(RESPONSES)

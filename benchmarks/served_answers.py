"""Comparing answers of the prediction API with what the lake held when they were given."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.load_client import Seen
from quant_assets.lake.schemas.forecast_tables import INTERVALS
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake

STALE = 1.5
"""Seconds for which an answer may be older than the lake: it is looked at every half second."""
_NUMBERS = ("value", "lower_80", "upper_80", "lower_95", "upper_95")


def find_wrong_answers(data: Path, answers: Iterable[Seen]) -> list[str]:
    """Compare answers with what the lake held when they were given; return what is wrong.

    Args:
        data: the data directory.
        answers: different answers to the question for the newest forecast.
    """
    with Lake(data / "lake", read_only=True) as lake:
        stored = lake.query(
            "SELECT snapshot_id AS id, epoch_us(snapshot_time) / 1e6 AS moment"
            " FROM ducklake_snapshots('lake') ORDER BY id"
        )
        snapshots = list(zip(stored["id"].astype(int), stored["moment"], strict=True))
        contents: dict[int, object] = {}
        wrong = []
        for seen in answers:
            for asked, came in {seen.first, seen.last}:
                until = [number for number, moment in snapshots if moment <= came]
                since = [number for number, moment in snapshots if moment <= asked - STALE]
                allowed = [number for number in until if number >= max(since, default=0)]
                for number in reversed(allowed):
                    if number not in contents:
                        contents[number] = _read_newest(lake, number)
                    if contents[number] == _content_of(seen):
                        break
                else:
                    at = datetime.fromtimestamp(came, UTC)
                    wrong.append(
                        f"{seen.count} x status {seen.status} at {at}: {seen.body[:200]!r}"
                    )
    return wrong


def _read_newest(lake: Lake, snapshot: int) -> object:
    """Read the newest submitted forecast at a snapshot: its day, and numbers by target."""
    with lake.as_of(snapshot) as past:
        if not past.has(SUBMITTED_FORECASTS):
            return None
        rows = past.arrow(
            "SELECT trading_day::VARCHAR AS day, target, value,"
            " lower_80, upper_80, lower_95, upper_95"
            f" FROM {SUBMITTED_FORECASTS.quoted} LEFT JOIN {INTERVALS.quoted}"
            " USING (trading_day, target) WHERE trading_day ="
            f" (SELECT max(trading_day) FROM {SUBMITTED_FORECASTS.quoted})"
        ).to_pylist()
    numbers = {row["target"]: [row[name] for name in _NUMBERS] for row in rows}
    return (rows[0]["day"], numbers) if rows else None


def _content_of(seen: Seen) -> object:
    """Return day and numbers of an answer, as :func:`_read_newest` does."""
    if seen.status != 200:
        return seen.status
    answer = json.loads(seen.body)
    numbers = {row["target"]: [row[name] for name in _NUMBERS] for row in answer["forecasts"]}
    return answer["day"], numbers

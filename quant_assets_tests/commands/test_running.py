"""Which days a command runs over, and what it says of days that are not read."""

from datetime import timedelta
from pathlib import Path

import pytest

from quant_assets.commands.running import find_days_to_run
from quant_assets.core.errors import CalendarError
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.competition_market import change_lines, make_folder, source_of


def test_a_day_whose_row_is_not_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "market")
    before = source_of(folder).last_day
    (folder / "test.csv").unlink()

    def empty(lines: list[str]) -> list[str]:
        number, *cells = lines[-1].split(",")
        return [*lines[:-1], ",".join([number, *("" for _ in cells)])]

    change_lines("train.csv", empty)(folder)
    source = source_of(folder)
    newest = source.last_day
    assert newest < before
    missing = newest + timedelta(days=1), before
    with pytest.raises(CalendarError, match="no trading day of the source") as refused:
        find_days_to_run(source, LONDON_AND_TOKYO, *missing)
    assert source.waiting() in str(refused.value.hint)
    earlier = source.first_day - timedelta(days=9)
    with pytest.raises(CalendarError) as refused:
        find_days_to_run(source, LONDON_AND_TOKYO, earlier, earlier)
    assert refused.value.hint is None

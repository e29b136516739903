"""Days added one by one and a backfill write equal tables bit for bit, and changed prices of later
days do not change earlier rows."""

from datetime import date
from pathlib import Path

import pytest

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.market.calendar import trading_days
from quant_assets_tests.support.installation import Installation, digests
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    FIRST_FIT_AFTER,
    LAST_DAY,
    REFIT_EVERY,
    Rows,
    change_later_prices,
    change_train,
    write_small_market,
)

pytestmark = pytest.mark.slow(
    "two more loads, one of them followed by four days in real runs", seconds=90
)

DAYS: list[date] = trading_days(FIRST_DAY, LAST_DAY).tolist()
REPLAYED = 4
# The day of a fit: one that saw any later label would differ.
AS_OF = FIRST_FIT_AFTER + REFIT_EVERY


def test_replaying_day_by_day_gives_what_the_backfill_gave(
    loaded: Installation, tmp_path: Path
) -> None:
    live = Installation(tmp_path)
    write_small_market(live.folder)
    every_row: Rows = []

    def until(row: int) -> None:
        """Return the source as it was on the evening of a row's day."""
        change_train(live.folder, lambda rows: [*(every_row or rows)[: row + 2]])

    change_train(live.folder, every_row.extend)
    until(len(DAYS) - REPLAYED - 1)
    load_everything(live.settings)
    for row in range(len(DAYS) - REPLAYED, len(DAYS)):
        until(row)
        run_range(live.settings, "refresh_daily", DAYS[row], DAYS[row])
    run_range(live.settings, "watch_daily", DAYS[-REPLAYED], DAYS[-1])
    replayed, backfilled = digests(live.settings), digests(loaded.settings)
    # A range is attributed for its newest days: the load before the replay had earlier ones.
    earlier = replayed.keys() - backfilled.keys()
    assert {name for name, _ in earlier} == {"monitoring.attribution"}
    assert len(earlier) == REPLAYED
    assert {key: replayed[key] for key in backfilled} == backfilled


def test_what_comes_later_changes_nothing_before(loaded: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path)
    write_small_market(other.folder)
    change_train(other.folder, lambda rows: change_later_prices(rows, AS_OF))
    load_everything(other.settings)
    before = digests(loaded.settings, until=DAYS[AS_OF])
    assert digests(other.settings, until=DAYS[AS_OF]) == before
    assert {name for name, day in before if day == str(DAYS[AS_OF])} >= {
        "features.labels",
        "fits.lightgbm",
        "forecasts.ensemble",
        "monitoring.attribution",
        "monitoring.performance",
        "submissions.daily",
    }
    next_day = str(DAYS[AS_OF + 1])
    mine, theirs = digests(loaded.settings), digests(other.settings)
    same = {name for name, day in mine if day == next_day and mine[name, day] == theirs[name, day]}
    # A rank prior is set by its fit alone, until the next one; and how alike forecasts were whose
    # labels come out on that day was settled before.
    assert same == {"forecasts.rank_prior", "monitoring.agreement"}

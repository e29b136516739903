"""After a run that failed, was refused or left days out: stored as by a load from scratch."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.revising import run_revision
from quant_assets.core.errors import QuantAssetsError
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.revision_tables import OUTDATED, REVISIONS, SET_ASIDE
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.orchestration.assets import features
from quant_assets.orchestration.execution.runs import RunFailedError
from quant_assets_tests.support.installation import Installation, digests
from quant_assets_tests.support.scratch_load import find_deviations
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    LAST_DAY,
    Rows,
    change_train,
    write_small_market,
)

pytestmark = pytest.mark.slow("each case is real runs and a load from scratch", seconds=300)

DAYS: list[date] = trading_days(FIRST_DAY, LAST_DAY).tolist()
PRICE = "US_Stock_CVX_adj_close"


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Header and days of the small market, as a vendor has them in the end."""
    write_small_market(tmp_path / "market")
    text = (tmp_path / "market" / "train.csv").read_text()
    return [line.split(",") for line in text.splitlines()]


@pytest.fixture
def begun(tmp_path: Path, rows: Rows) -> Installation:
    """A lake of all days but the last three."""
    installation = Installation(tmp_path)
    deliver(installation, rows[:-3])
    load_everything(installation.settings)
    return installation


def deliver(installation: Installation, rows: Rows) -> None:
    change_train(installation.folder, lambda _: rows)


def read(installation: Installation, sql: str) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql)


def refresh(installation: Installation, day: date) -> None:
    run_range(installation.settings, "refresh_daily", day, day)


def fail_once(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> None:
    """Run with a disk that is full when labels are stored."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(features, "label_rows", fail)
        with pytest.raises(RunFailedError, match="No space left"):
            run()


def change(rows: Rows, day: int, column: str, factor: float) -> Rows:
    i = rows[0].index(column)
    changed = [list(cells) for cells in rows]
    changed[day + 1][i] = repr(float(changed[day + 1][i]) * factor)
    return changed


def test_days_withdrawn_after_a_refresh_of_an_older_day_are_found(
    begun: Installation, rows: Rows, tmp_path: Path
) -> None:
    refresh(begun, DAYS[-7])
    deliver(begun, rows[:-6])
    run_revision(begun.settings)
    kinds = read(begun, f"SELECT kind, trading_day FROM {REVISIONS.quoted}")
    assert set(kinds["kind"]) == {"withdrawn"}
    assert len(kinds) == 3
    assert find_deviations(begun, tmp_path / "scratch") == []


def test_a_refresh_after_one_that_failed_brings_its_day_along(
    begun: Installation, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(begun, rows[:-1])
    fail_once(monkeypatch, lambda: refresh(begun, DAYS[-3]))
    assert len(read(begun, f"FROM {OUTDATED.quoted}")) == 1
    refresh(begun, DAYS[-2])
    assert read(begun, f"FROM {OUTDATED.quoted}").empty
    submitted = read(begun, f"SELECT trading_day FROM {SUBMISSIONS.quoted}")["trading_day"]
    assert {DAYS[-3], DAYS[-2]} <= set(submitted.dt.date)
    assert find_deviations(begun, tmp_path / "scratch") == []


def test_a_run_that_failed_while_it_set_a_day_aside_is_done_again(
    begun: Installation, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [rows[-3][0], *("0" for _ in rows[-3][1:])]
    deliver(begun, [*rows[:-3], bad])
    settings = begun.settings
    fail_once(monkeypatch, lambda: run_range(settings, "revise_history", DAYS[-3], DAYS[-3]))
    assert len(read(begun, f"FROM {SET_ASIDE.quoted}")) == 1
    deliver(begun, [*rows[:-3], bad, rows[-2]])
    refresh(begun, DAYS[-2])
    deliver(begun, rows)
    refresh(begun, DAYS[-1])
    assert read(begun, f"FROM {SET_ASIDE.quoted}").empty
    assert find_deviations(begun, tmp_path / "scratch") == []


def test_other_targets_are_refused_by_a_refresh_and_taken_by_a_load(
    begun: Installation, rows: Rows, tmp_path: Path
) -> None:
    path = begun.folder / "target_pairs.csv"
    before, stored = path.read_text(), digests(begun.settings)
    lines = before.splitlines()
    path.write_text("\n".join([*lines[:1], lines[1].replace(",1,", ",2,", 1), *lines[2:]]) + "\n")
    deliver(begun, rows[:-2])
    for run in (lambda: refresh(begun, DAYS[-3]), lambda: run_revision(begun.settings)):
        with pytest.raises(QuantAssetsError, match="other targets"):
            run()
    assert digests(begun.settings) == stored
    load_everything(begun.settings)
    assert find_deviations(begun, tmp_path / "scratch") == []


def test_a_load_sees_that_a_revision_was_taken_back(
    begun: Installation, rows: Rows, tmp_path: Path
) -> None:
    deliver(begun, change(rows[:-3], 90, PRICE, 1.1))
    run_revision(begun.settings)
    deliver(begun, rows[:-3])
    load_everything(begun.settings)
    assert find_deviations(begun, tmp_path / "scratch") == []


def test_a_cut_off_file_with_another_series_is_refused(begun: Installation, rows: Rows) -> None:
    stored = digests(begun.settings)
    wider = [[*cells, "US_Stock_XYZ_adj_close" if i == 0 else "1"] for i, cells in enumerate(rows)]
    deliver(begun, wider[:-23])
    with pytest.raises(RunFailedError, match="20 days less"):
        load_everything(begun.settings)
    assert digests(begun.settings) == stored


def test_older_days_that_come_later_are_loaded(tmp_path: Path, rows: Rows) -> None:
    installation = Installation(tmp_path)
    calendar = "date_id,date\n" + "".join(f"{i},{day}\n" for i, day in enumerate(DAYS))
    (installation.folder / "calendar.csv").write_text(calendar)
    deliver(installation, [rows[0], *rows[6:]])
    load_everything(installation.settings)
    deliver(installation, rows)
    load_everything(installation.settings)
    first = read(installation, f"SELECT min(trading_day) AS day FROM {RAW_PRICES.quoted}")
    assert first["day"][0].date() == DAYS[0]
    assert find_deviations(installation, tmp_path / "scratch") == []


def test_a_bad_day_at_the_end_of_a_long_revision_is_set_aside(
    begun: Installation, rows: Rows
) -> None:
    corrected = change(rows[:-2], 50, PRICE, 1.1)
    corrected[-1] = [corrected[-1][0], *("0" for _ in corrected[-1][1:])]
    deliver(begun, corrected)
    run_range(begun.settings, "revise_history", DAYS[50], DAYS[-3])
    (aside,) = read(begun, f"FROM {SET_ASIDE.quoted}").itertuples()
    assert aside.trading_day.date() == DAYS[-3]

"""When the source changes the past, what is stored equals a load from scratch, and what was
submitted stays."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.revising import run_revision
from quant_assets.core.errors import QuantAssetsError, SourceError
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS
from quant_assets.lake.schemas.revision_tables import (
    OUTDATED,
    REJECTED_PRICES,
    REVISION_RUNS,
    REVISIONS,
    SET_ASIDE,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.orchestration.execution.runs import RunFailedError
from quant_assets_tests.support.installation import Digests, Installation, digests
from quant_assets_tests.support.scratch_load import find_deviations
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    LAST_DAY,
    Rows,
    change_train,
    write_small_market,
)

pytestmark = pytest.mark.slow(
    "each case is a revision in real runs and a load from scratch", seconds=300
)

DAYS: list[date] = trading_days(FIRST_DAY, LAST_DAY).tolist()
SPLIT = "US_Stock_CVX_adj_close"


def read(installation: Installation, sql: str) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql)


def live(installation: Installation) -> Digests:
    """Digests of the live submissions, by day."""
    rows = read(installation, f"SELECT trading_day FROM {SUBMISSIONS.quoted} WHERE origin = 'live'")
    days = {str(day.date()) for day in rows["trading_day"]}
    return {
        key: digest
        for key, digest in digests(installation.settings, [SUBMISSIONS]).items()
        if key[1] in days
    }


def multiply(column: str, factor: float, until: int | None = None) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        i = rows[0].index(column)
        for cells in rows[1:until]:
            cells[i] = cells[i] and repr(float(cells[i]) * factor)

    return change


def deliver(installation: Installation, rows: Rows, *, without: int = -1) -> None:
    """Write the rows but one as the source, numbered anew and dated by a calendar."""
    kept = [
        (day, cells)
        for i, (day, cells) in enumerate(zip(DAYS, rows[1:], strict=False))
        if i != without
    ]
    numbered = [[str(i), *cells[1:]] for i, (_, cells) in enumerate(kept)]
    change_train(installation.folder, lambda _: [rows[0], *numbered])
    calendar = "".join(f"{i},{day}\n" for i, (day, _) in enumerate(kept))
    (installation.folder / "calendar.csv").write_text("date_id,date\n" + calendar)


def read_rows(installation: Installation) -> Rows:
    text = (installation.folder / "train.csv").read_text()
    return [line.split(",") for line in text.splitlines()]


def test_a_split_is_one_restatement_and_moves_no_label(
    installation: Installation, tmp_path: Path
) -> None:
    submitted = live(installation)
    change_train(installation.folder, multiply(SPLIT, 0.5))
    run_revision(installation.settings)
    (revision,) = read(installation, f"FROM {REVISIONS.quoted}").itertuples()
    assert (revision.kind, revision.instrument, revision.factor) == (
        "restated",
        "US_Stock_CVX",
        0.5,
    )
    (run,) = read(installation, f"FROM {REVISION_RUNS.quoted}").itertuples()
    assert run.labels == 0
    assert read(installation, f"FROM {OUTDATED.quoted}").empty
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert live(installation) == submitted
    run_revision(installation.settings)
    assert len(read(installation, f"FROM {REVISION_RUNS.quoted}")) == 1


def test_a_restatement_of_part_of_the_past_moves_the_labels_across_its_end(
    installation: Installation,
) -> None:
    change_train(installation.folder, multiply(SPLIT, 0.5, until=90))
    run_revision(installation.settings)
    (run,) = read(installation, f"FROM {REVISION_RUNS.quoted}").itertuples()
    pairs = read(installation, f"FROM {RAW_TARGET_PAIRS.quoted}")
    of_leg = pairs[(pairs["leg_a"] == "US_Stock_CVX") | (pairs["leg_b"] == "US_Stock_CVX")]
    # A label whose other leg has no price is empty before and after.
    assert len(of_leg) <= run.labels <= of_leg["lag"].sum()
    assert run.worst == pytest.approx(0.693, abs=1e-3)


def test_a_file_that_was_cut_off_withdraws_nothing_until_a_person_says_so(
    installation: Installation, tmp_path: Path
) -> None:
    stored, rows = digests(installation.settings), read_rows(installation)
    change_train(installation.folder, lambda _: rows[:-20])
    for run in (run_revision, load_everything):
        with pytest.raises(QuantAssetsError, match="lacks days that are stored") as caught:
            run(installation.settings)
        assert "20 days less" in str(caught.value)
    assert digests(installation.settings) == stored
    lenient = installation.settings.model_copy(update={"withdrawn_days": 20})
    run_revision(lenient)
    assert find_deviations(installation, tmp_path / "cut") == []
    change_train(installation.folder, lambda _: rows)
    load_everything(installation.settings)
    assert find_deviations(installation, tmp_path / "whole") == []


def test_a_corrected_cell_moves_labels_and_is_redone_from_its_day(
    installation: Installation, tmp_path: Path
) -> None:
    submitted = live(installation)

    def correct(rows: Rows) -> None:
        i = rows[0].index(SPLIT)
        rows[91][i] = repr(float(rows[91][i]) * 1.1)

    change_train(installation.folder, correct)
    run_revision(installation.settings)
    (revision,) = read(installation, f"FROM {REVISIONS.quoted}").itertuples()
    assert (revision.kind, revision.trading_day.date()) == ("corrected", DAYS[90])
    (run,) = read(installation, f"FROM {REVISION_RUNS.quoted}").itertuples()
    assert run.labels > 0
    assert run.worst == pytest.approx(0.0953, abs=1e-3)
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert live(installation) == submitted


def test_a_withdrawn_newest_day_leaves_and_its_number_goes_to_another_date(
    installation: Installation, tmp_path: Path
) -> None:
    submitted, rows = live(installation), read_rows(installation)
    deliver(installation, rows[:-1])
    run_revision(installation.settings)
    assert (
        read(installation, f"SELECT max(trading_day) AS d FROM {RAW_PRICES.quoted}")["d"][0].date()
        == DAYS[-2]
    )
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert live(installation) == submitted
    exported = pd.read_csv(installation.settings.exports_dir / "submission.csv")
    assert exported["date_id"].is_unique


def test_days_after_a_withdrawn_day_that_was_submitted_live_are_loaded(tmp_path: Path) -> None:
    write_small_market(tmp_path / "market")
    installation = Installation(tmp_path)
    rows = read_rows(installation)
    deliver(installation, rows[:96])
    load_everything(installation.settings)
    submitted = live(installation)
    assert {day for _, day in submitted} == {str(DAYS[94])}
    deliver(installation, rows, without=94)
    load_everything(installation.settings)
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert submitted.items() <= live(installation).items()


def test_a_session_that_comes_late_renumbers_the_days_after_it(
    installation: Installation, tmp_path: Path
) -> None:
    rows = read_rows(installation)
    deliver(installation, rows, without=94)
    load_everything(installation.settings)
    submitted = live(installation)
    deliver(installation, rows)
    with pytest.raises(RunFailedError, match="changed days that are stored"):
        _refresh_without_revising(installation, DAYS[-1])
    run_revision(installation.settings)
    kinds = set(read(installation, f"SELECT DISTINCT kind FROM {REVISIONS.quoted}")["kind"])
    assert {"inserted", "renumbered"} <= kinds
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert live(installation) == submitted


def _refresh_without_revising(installation: Installation, day: date) -> None:
    from quant_assets.commands.running import run_on_console
    from quant_assets.orchestration.jobs.job_run import JobRun
    from quant_assets.sources.registry import open_source

    settings = installation.settings
    run_on_console(settings, open_source(settings), JobRun("refresh_daily", day, day))


def test_a_refresh_brings_along_the_days_before_it(
    installation: Installation, tmp_path: Path
) -> None:
    rows = read_rows(installation)
    change_train(installation.folder, lambda rows: rows[:-4])
    load_everything(installation.settings)
    change_train(installation.folder, lambda _: rows)
    with pytest.raises(RunFailedError, match="not stored yet"):
        _refresh_without_revising(installation, DAYS[-1])
    run_range(installation.settings, "refresh_daily", DAYS[-1], DAYS[-1])
    assert find_deviations(installation, tmp_path / "scratch") == []


def test_a_bad_day_is_rejected_set_aside_and_taken_in_once_repaired(
    installation: Installation, tmp_path: Path
) -> None:
    settings, rows = installation.settings, read_rows(installation)
    change_train(installation.folder, lambda rows: rows[:-3])
    load_everything(settings)
    stored = digests(settings, [RAW_PRICES])
    bad = [rows[-3][0], *("0" for _ in rows[-3][1:])]
    change_train(installation.folder, lambda _: [*rows[:-3], bad])
    with pytest.raises(RunFailedError, match="validated_prices"):
        run_range(settings, "refresh_daily", DAYS[-3], DAYS[-3])
    assert digests(settings, [RAW_PRICES]) == stored
    assert len(read(installation, f"FROM {REJECTED_PRICES.quoted}")) == len(rows[0]) - 1
    run_range(settings, "revise_history", DAYS[-3], DAYS[-3])
    (aside,) = read(installation, f"FROM {SET_ASIDE.quoted}").itertuples()
    assert aside.trading_day.date() == DAYS[-3]
    assert "at most 5 % of the cells are rejected" in aside.reason
    change_train(installation.folder, lambda _: [*rows[:-3], bad, rows[-2]])
    run_range(settings, "refresh_daily", DAYS[-2], DAYS[-2])
    values = f"SELECT count(value) AS n FROM {RAW_PRICES.quoted} WHERE trading_day = '{DAYS[-3]}'"
    assert read(installation, values)["n"][0] == 0
    submitted = live(installation)
    days = read(installation, f"SELECT trading_day FROM {SUBMISSIONS.quoted}")["trading_day"]
    assert DAYS[-2] in set(days.dt.date)
    change_train(installation.folder, lambda _: rows)
    run_range(settings, "refresh_daily", DAYS[-1], DAYS[-1])
    assert read(installation, f"FROM {SET_ASIDE.quoted}").empty
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert submitted.items() <= live(installation).items()


def test_a_load_that_its_checks_stop_leaves_what_was_stored(installation: Installation) -> None:
    before = digests(installation.settings)

    def spoil(rows: Rows) -> None:
        for cells in rows[1:]:
            cells[1:30] = ["0"] * 29

    change_train(installation.folder, spoil)
    with pytest.raises(RunFailedError, match="validated_prices"):
        load_everything(installation.settings)
    assert digests(installation.settings) == before


def test_another_series_is_refused_by_name(installation: Installation) -> None:
    def rename(rows: Rows) -> None:
        rows[0][rows[0].index("US_Stock_XOM_adj_close")] = "US_Stock_ZZZ_adj_close"

    change_train(installation.folder, rename)
    with pytest.raises(SourceError, match="US_Stock_XOM_adj_close"):
        run_revision(installation.settings)

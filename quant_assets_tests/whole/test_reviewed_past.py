"""A person's decision about a price changes the past as a correction by the source does."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.reviewing import decide_on_console, show_queue
from quant_assets.commands.revising import run_revision
from quant_assets.core.errors import ReviewError, UnknownNameError
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES, VALIDATED_REVIEW
from quant_assets.lake.schemas.revision_tables import OUTDATED, REVISION_RUNS, REVISIONS
from quant_assets.lake.store.changes import append
from quant_assets.lake.store.lake import Lake
from quant_assets.quality.review_decisions import ReviewAction, read_decisions
from quant_assets.review.deciding import ReviewRequest
from quant_assets.review.queue import list_queue
from quant_assets.simulation.history_checks import compare_histories, load_history_tables
from quant_assets_tests.support.installation import Digests
from quant_assets_tests.support.revised_vendor import (
    DAYS,
    DAYS_AT_FIRST,
    INSTRUMENTS,
    RevisedInstallation,
    RevisedVendor,
    copy_loaded_vendor,
)
from quant_assets_tests.support.revision_processes import digest_history, digest_live

pytestmark = pytest.mark.slow(
    "each case is some revisions in real runs and a load from scratch", seconds=120
)

ROW, COLUMN = 50, 7
DAY: date = DAYS[ROW].item()
NAME = INSTRUMENTS[COLUMN]
Start = tuple[RevisedInstallation, RevisedVendor]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A loaded market with a close that is wrong for a day."""
    installation, vendor = copy_loaded_vendor(tmp_path)
    vendor.values[ROW - 1 : ROW + 2, COLUMN] = [100.0, 150.0, 100.5]
    vendor.write()
    run_revision(installation.settings)
    return installation, vendor


def decide(
    installation: RevisedInstallation,
    action: ReviewAction,
    *,
    day: date = DAY,
    instrument: str = NAME,
    field: str = "close",
    reason: str = "a digit too many",
) -> None:
    request = ReviewRequest(action, day, instrument, field, reason, "Ada")
    decide_on_console(installation.settings, request)


def history(installation: RevisedInstallation) -> Digests:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return digest_history(lake)


def live(installation: RevisedInstallation) -> str:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return digest_live(lake)


def queue(installation: RevisedInstallation) -> list[tuple[date, str]]:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        rows = list_queue(lake, 1000)
    return list(zip(rows["trading_day"], rows["instrument"], strict=True)) if len(rows) else []


def flags(installation: RevisedInstallation) -> Sequence[str | None]:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        rows = lake.arrow(
            f"SELECT flag FROM {VALIDATED_PRICES.quoted} WHERE instrument = ? AND field = 'close'"
            " AND trading_day IN (?, ?) ORDER BY trading_day",
            [NAME, DAY, DAYS[ROW + 1].item()],
        )
    result: list[str | None] = rows["flag"].to_pylist()
    return result


def assert_as_from_scratch(installation: RevisedInstallation, name: str) -> None:
    """Assert that the history equals a load from scratch with the same decisions, bit for bit."""
    settings = installation.settings_of(installation.root / name)
    with Lake(installation.settings.lake_dir, read_only=True) as stored:
        decisions = read_decisions(stored)
        with Lake(settings.lake_dir) as scratch:
            rows = [asdict(each) for each in decisions]
            columns = {
                column.name: [row[column.name] for row in rows]
                for column in VALIDATED_REVIEW.columns
            }
            scratch.change(append(VALIDATED_REVIEW, columns))
        load_history_tables(settings)
        with Lake(settings.lake_dir, read_only=True) as scratch:
            assert list(compare_histories(stored, scratch)) == []
        assert not stored.query(f"FROM {OUTDATED.quoted}").size


def test_a_rejection_and_its_undoing_are_applied_by_the_next_revision(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    installation, _ = start
    before, submitted = history(installation), live(installation)
    assert queue(installation) == [(DAYS[ROW + 1].item(), NAME), (DAY, NAME)]

    decide(installation, "reject")
    assert history(installation) == before
    assert queue(installation) == [(DAYS[ROW + 1].item(), NAME)]
    capsys.readouterr()
    show_queue(installation.settings, 250)
    said = capsys.readouterr().out
    assert said.startswith(f"not applied yet, `quant-assets revise`: 1 cell reviewed: {NAME}")
    run_revision(installation.settings)
    said = capsys.readouterr().out
    assert f"1 cell reviewed: {NAME}_adj_close on {DAY}\n" in said
    assert "labels came or went" in said
    assert flags(installation) == ["filled,rejected,reviewed", None]
    show_queue(installation.settings, 250)
    said = capsys.readouterr().out
    assert said == "no flagged close of the newest 250 days waits for a decision\n"
    assert_as_from_scratch(installation, "rejected")
    run_revision(installation.settings)
    assert "the stored days are as the source has them" in capsys.readouterr().out

    changed = {key for key, digest in history(installation).items() if before.get(key) != digest}
    assert min(day for _, day in changed) == str(DAY)

    decide(installation, "undo", reason="it was right")
    assert queue(installation) == [(DAY, NAME)]
    run_revision(installation.settings)
    after = history(installation)
    assert after == before
    assert live(installation) == submitted
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        kinds = lake.query(f"FROM {REVISIONS.quoted} WHERE kind = 'reviewed' ORDER BY known_at")
        assert kinds["before"].isna().tolist() == [False, True]
        assert kinds["after"].isna().tolist() == [True, False]
        assert lake.query(f"FROM {REVISION_RUNS.quoted}")["labels"].tail(2).gt(0).all()


def test_an_accepted_price_is_not_flagged_and_the_next_day_still_is(start: Start) -> None:
    installation, _ = start
    before = history(installation)
    decide(installation, "accept")
    run_revision(installation.settings)
    assert flags(installation) == ["reviewed", "jump"]
    changed = {key for key, digest in history(installation).items() if before.get(key) != digest}
    assert changed == {(VALIDATED_PRICES.name, str(DAY))}
    assert_as_from_scratch(installation, "accepted")


def test_a_decision_lapses_when_the_source_corrects_the_price(start: Start) -> None:
    installation, vendor = start
    decide(installation, "reject")
    vendor.values[ROW, COLUMN] = 140.0
    vendor.write()
    run_revision(installation.settings)
    assert flags(installation) == ["jump", "jump"]
    assert_as_from_scratch(installation, "corrected")
    with pytest.raises(ReviewError, match=r"reject of 150\.0; the value is 140\.0 now"):
        decide(installation, "undo")
    vendor.values[ROW, COLUMN] = 150.0
    vendor.write()
    run_revision(installation.settings)
    assert flags(installation) == ["filled,rejected,reviewed", None]
    assert_as_from_scratch(installation, "again")


def test_a_decision_that_is_made_while_a_revision_runs_is_applied_by_the_next(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, _ = start
    decide(installation, "reject")
    from quant_assets.orchestration.assets import prices

    listed = prices.list_changes

    def decide_and_list(*arguments: object) -> object:
        monkeypatch.setattr(prices, "list_changes", listed)
        decide(installation, "undo", reason="meanwhile")
        return listed(*arguments)  # type: ignore[arg-type]

    before = history(installation)
    monkeypatch.setattr(prices, "list_changes", decide_and_list)
    run_revision(installation.settings)
    assert flags(installation) == ["filled,rejected,reviewed", None]
    run_revision(installation.settings)
    assert history(installation) == before


def test_a_load_and_a_refresh_apply_decisions_first(start: Start) -> None:
    installation, vendor = start
    load_everything(installation.settings)
    decide(installation, "reject")
    load_everything(installation.settings)
    assert flags(installation) == ["filled,rejected,reviewed", None]
    decide(installation, "undo")
    decide(installation, "reject", reason="another reason")
    vendor.visible[DAYS_AT_FIRST] = True
    vendor.write()
    newest = DAYS[DAYS_AT_FIRST].item()
    run_range(installation.settings, "refresh_daily", newest, newest)
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        rows = lake.query("SELECT reason FROM validated.quarantine WHERE trading_day = ?", [DAY])
    assert rows["reason"].tolist() == ["rejected by Ada: another reason"]
    assert_as_from_scratch(installation, "refreshed")


def test_what_cannot_be_decided_is_refused_and_stores_nothing(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    installation, _ = start
    show_queue(installation.settings, 250)
    assert f"{NAME}  " in capsys.readouterr().out
    with pytest.raises(UnknownNameError, match=f"did you mean {NAME}"):
        decide(installation, "reject", instrument=NAME[:-1])
    with pytest.raises(UnknownNameError, match="one of close"):
        decide(installation, "reject", field="clsoe")
    with pytest.raises(ReviewError, match="no such flagged price"):
        decide(installation, "accept", day=DAYS[ROW + 3].item())
    with pytest.raises(ReviewError, match="no prices are stored for this day"):
        decide(installation, "accept", day=date(2023, 7, 8))
    with pytest.raises(ReviewError, match="before the first day of the source"):
        decide(installation, "accept", day=date(2001, 1, 2))
    with pytest.raises(ReviewError, match="needs a reason"):
        decide(installation, "reject", reason=" ")
    with pytest.raises(ReviewError, match="no decision to undo"):
        decide(installation, "undo")
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        assert not lake.has(VALIDATED_REVIEW)
    began = datetime.now(UTC).replace(tzinfo=None)
    decide(installation, "reject")
    with pytest.raises(ReviewError, match=r"already(.|\n)*reject by Ada(.|\n)*a digit too many"):
        decide(installation, "accept")
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        (made,) = read_decisions(lake)
    assert made.decided_at >= began
    assert (made.value, made.made_by, made.reason) == (150.0, "Ada", "a digit too many")

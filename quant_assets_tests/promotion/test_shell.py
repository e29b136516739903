"""Releases of a small market in the real Dagster jobs: made, promoted by hand, mixed, replayed."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.loading import run_range
from quant_assets.core.errors import PromotionError, UnknownNameError
from quant_assets.definitions import build_definitions
from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, fits_table
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    PROMOTION_DAILY,
    RELEASES,
    SUBMITTED_FORECASTS,
)
from quant_assets.lake.store.changes import execute
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets.orchestration.execution.runs import find_root_cause
from quant_assets.promotion.listing import replay_stored
from quant_assets.promotion.manual_decisions import ManualDecision, decide_manually
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_store import lock_promotion, read_aliases
from quant_assets.promotion.submitted_days import find_open_parts
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.installation import PATIENCE, Command, Installation, digests
from quant_assets_tests.support.releases import (
    DAYS,
    FIRST_RELEASE,
    LAST,
    SECOND,
    SHARED,
    copy_promoted,
    decide,
    names,
    refresh,
    retrain,
    rows,
    scores,
)
from quant_assets_tests.support.small_market import (
    FIRST_FIT_AFTER,
    change_later_prices,
    change_train,
)

pytestmark = pytest.mark.slow(
    "two retrainings and a dozen refreshed days in real runs, and copies of them that go on",
    seconds=300,
)

TABLES = (*PROMOTION_DAILY, SUBMISSIONS)


@pytest.fixture(scope="module")
def with_releases(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two releases, the second refused by the gates and promoted by hand; some days later."""
    return copy_promoted(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def mine(with_releases: Installation, tmp_path: Path) -> Installation:
    """A copy to change."""
    return with_releases.copy(tmp_path)


def test_a_release_is_the_fits_of_its_day(with_releases: Installation) -> None:
    for row, name in zip((FIRST_RELEASE, SECOND), names(with_releases), strict=True):
        stored = rows(with_releases, "FROM promotion.releases WHERE release = ?", [name])
        assert set(stored["family"]) == set(FAST)
        assert stored.set_index("family")["pinned"].to_dict() == {
            family: family != "rank_prior" for family in FAST
        }
        assert name.startswith(f"{DAYS[row]}-")
        for family in FAST:
            fit = rows(
                with_releases,
                f"SELECT sha256 FROM fits.{family} WHERE trading_day = ?",
                [DAYS[row]],
            )
            assert fit["sha256"].tolist() == stored[stored["family"] == family]["sha256"].tolist()
        assert stored["registered_after"].dt.date.unique().tolist() == [DAYS[row]]
    assert stored["recipe"].nunique() == 1


def test_making_a_release_again_changes_nothing(mine: Installation) -> None:
    before = digests(mine.settings, (RELEASES, *PROMOTION_DAILY))
    retrain(mine, SECOND)
    assert digests(mine.settings, (RELEASES, *PROMOTION_DAILY)) == before


def test_before_the_first_release_the_ensemble_is_submitted(with_releases: Installation) -> None:
    days = DAYS[FIRST_RELEASE - 3 : FIRST_RELEASE + 1]
    for day in days:
        np.testing.assert_array_equal(
            scores(with_releases, "forecasts.published", day),
            scores(with_releases, "forecasts.ensemble", day),
        )
    stored = rows(
        with_releases, "FROM forecasts.published WHERE trading_day <= ?", [DAYS[FIRST_RELEASE]]
    )
    assert stored["champion"].isna().all()
    assert stored["challenger"].isna().all()
    assert (stored["share"] == 0).all()


def test_decisions_are_rows_with_their_numbers(with_releases: Installation) -> None:
    stored = rows(with_releases, "FROM promotion.decisions ORDER BY trading_day, sequence")
    first, second = names(with_releases)
    assert stored[["action", "release", "made_by"]].to_numpy().tolist() == [
        ["champion_by_default", first, "rules"],
        ["gates_refused", second, "rules"],
        ["challenge", second, "tester"],
    ]
    assert stored["trading_day"].dt.date.tolist() == [
        DAYS[FIRST_RELEASE + 1],
        DAYS[SECOND + 1],
        DAYS[SHARED],
    ]
    assert "reference window is too short" in stored["reason"][1]
    assert json.loads(stored["numbers"][1])["thresholds"]["min_days"] == 60
    assert (stored["share_before"][2], stored["share_after"][2]) == (0.0, 0.1)
    assert stored["reason"][2] == "a trial"
    with Lake(with_releases.settings.lake_dir, read_only=True) as lake:
        assert read_aliases(lake) == {"champion": first, "challenger": second}


def test_the_challenger_has_its_share_of_the_submitted_forecast(
    with_releases: Installation,
) -> None:
    first, second = names(with_releases)
    for row in range(FIRST_RELEASE + 1, LAST + 1):
        day = DAYS[row]
        champion = scores(with_releases, "forecasts.releases", day, first)
        published = scores(with_releases, "forecasts.published", day)
        if row < SHARED:
            np.testing.assert_array_equal(published, champion)
        else:
            beside = scores(with_releases, "forecasts.releases", day, second)
            mixed = rank_average([champion[None], beside[None]], np.array([[0.9, 0.1]]))
            np.testing.assert_allclose(published, mixed[0], rtol=0, atol=1e-15)
            assert np.corrcoef(champion, beside)[0, 1] < 0.9999
        submitted = scores(with_releases, "submissions.daily", day)
        np.testing.assert_array_equal(submitted, published)


def test_a_release_of_the_newest_fits_forecasts_what_the_ensemble_does(
    with_releases: Installation,
) -> None:
    """On the first day after it was made, both have equal fits and weights."""
    day = DAYS[FIRST_RELEASE + 1]
    np.testing.assert_array_equal(
        scores(with_releases, "forecasts.releases", day, names(with_releases)[0]),
        scores(with_releases, "forecasts.ensemble", day),
    )


def test_live_ics_are_recorded_when_their_labels_are_known(with_releases: Installation) -> None:
    live = rows(
        with_releases,
        "SELECT trading_day, released_on FROM promotion.records"
        " WHERE origin = 'live' AND release = ? ORDER BY 1",
        [names(with_releases)[0]],
    )
    count = LAST - FIRST_RELEASE - 5
    assert (
        live["trading_day"].dt.date.tolist() == DAYS[FIRST_RELEASE + 1 : FIRST_RELEASE + 1 + count]
    )
    assert live["released_on"].dt.date.tolist() == DAYS[FIRST_RELEASE + 6 : LAST + 1]
    walked = rows(
        with_releases,
        "SELECT p.ic = r.ic AS same, r.released_on <= ? AS known FROM promotion.records r"
        " JOIN monitoring.performance p USING (trading_day, released_on)"
        " WHERE r.origin = 'walk_forward' AND release = ? AND family = 'ensemble'",
        [DAYS[FIRST_RELEASE], names(with_releases)[0]],
    )
    assert len(walked)
    assert walked.all(axis=None)


def test_days_done_again_alone_come_out_the_same(mine: Installation) -> None:
    before = digests(mine.settings, TABLES)
    for row in (FIRST_RELEASE + 1, SHARED, LAST):
        refresh(mine, row, row)
        assert digests(mine.settings, TABLES) == before
    # The families were fitted as of these days after they were forecast.
    refresh(mine, SECOND + 1, LAST)
    assert digests(mine.settings, TABLES) == before


def test_a_day_done_again_after_its_daily_fits_comes_out_the_same(mine: Installation) -> None:
    run_range(mine.settings, "update_daily", DAYS[LAST], DAYS[LAST])
    before = digests(mine.settings, TABLES)
    refresh(mine, LAST, LAST)
    assert digests(mine.settings, TABLES) == before


def test_what_comes_later_changes_nothing_before(
    mine: Installation, with_releases: Installation
) -> None:
    row = LAST - 2
    change_train(mine.folder, lambda lines: change_later_prices(lines, row))
    refresh(mine, SECOND + 1, LAST)
    until = DAYS[row]
    assert digests(mine.settings, TABLES, until) == digests(with_releases.settings, TABLES, until)
    day = str(DAYS[LAST])
    changed, before = (
        digests(installation.settings, TABLES) for installation in (mine, with_releases)
    )
    assert changed["forecasts.published", day] != before["forecasts.published", day]


def test_decisions_replayed_are_the_same(with_releases: Installation, command: Command) -> None:
    said = command(with_releases, "releases", "replay").succeeded().out
    assert "2 decisions on 2 days: all agree" in said


def test_replaying_shows_what_differs(mine: Installation, command: Command) -> None:
    with Lake(mine.settings.lake_dir) as lake:
        stored = lake.query("FROM promotion.decisions WHERE action = 'gates_refused'")
        stored["reason"] = "no reason"
        columns = {str(name): column.tolist() for name, column in stored.items()}
        lake.replace_matching(DECISIONS, "decision", columns)
        assert [day.agrees for day in replay_stored(lake)] == [True, False]
    done = command(mine, "releases", "replay")
    assert done.status == 1
    assert str(DAYS[SECOND + 1]) in done.out


def test_a_champion_that_cannot_forecast_costs_an_error_and_not_the_submission(
    mine: Installation, command: Command
) -> None:
    first = names(mine)[0]
    decide(mine, action="roll_back", reason="no challenger to take the place")
    artifact = rows(
        mine,
        "SELECT artifact FROM promotion.releases WHERE release = ? AND family = 'lightgbm'",
        [first],
    )["artifact"][0]
    (mine.settings.artifacts_dir / artifact).write_bytes(b"something else")
    day = DAYS[LAST + 1]
    days = ("--from", str(day), "--to", str(day))
    done = command(mine, "backfill", "--job", "refresh_daily", *days).succeeded()
    assert "check champion_forecasts of forecasts/published did not pass" in done.out
    published = scores(mine, "forecasts.published", day)
    np.testing.assert_array_equal(published, scores(mine, "forecasts.ensemble", day))
    np.testing.assert_array_equal(scores(mine, "submissions.daily", day), published)
    made = rows(mine, "FROM promotion.decisions WHERE trading_day = ? ORDER BY sequence", [day])
    assert made["action"].tolist() == ["withdrawn", "failed", "fallback"]
    assert "not the one recorded" in made["reason"][1]
    assert (made["champion"] == first).all()
    assert command(mine, "releases", "replay").status == 0


def test_a_challenger_that_cannot_forecast_goes_with_a_warning(
    mine: Installation, command: Command
) -> None:
    second = names(mine)[1]
    artifact = rows(
        mine,
        "SELECT artifact FROM promotion.releases WHERE release = ? AND family = 'ridge'",
        [second],
    )["artifact"][0]
    (mine.settings.artifacts_dir / artifact).unlink()
    day = DAYS[LAST + 1]
    days = ("--from", str(day), "--to", str(day))
    done = command(mine, "backfill", "--job", "refresh_daily", *days).succeeded()
    assert "check others_forecast of forecasts/releases did not pass" in done.out
    made = rows(mine, "FROM promotion.decisions WHERE trading_day = ? ORDER BY sequence", [day])
    assert made["action"].tolist() == ["failed", "rolled_back"]
    np.testing.assert_array_equal(
        scores(mine, "forecasts.published", day),
        scores(mine, "forecasts.releases", day, names(mine)[0]),
    )


def test_a_release_that_lacks_a_family_is_refused(
    mine: Installation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("quant_assets.models.families.ridge.fit", singular)
    before = names(mine)
    days = ("--from", str(DAYS[LAST]), "--to", str(DAYS[LAST]))
    done = command(mine, "backfill", "--job", "retrain_models", *days).succeeded()
    assert "check complete of promotion/releases did not pass" in done.out
    assert names(mine) == before
    refresh(mine, LAST + 1, LAST + 1)
    stored = rows(mine, "SELECT DISTINCT champion FROM forecasts.published ORDER BY 1 DESC LIMIT 1")
    assert stored["champion"].tolist() == before[:1]


def change_fit(lake: Lake, **changed: str) -> None:
    """Change the stored fit of ridge in the second release."""
    fit = lake.query("FROM fits.ridge WHERE trading_day = ?", [DAYS[SECOND]]).assign(**changed)
    columns = {str(name): column.tolist() for name, column in fit.items()}
    lake.replace_days(fits_table("ridge"), DAYS[SECOND], DAYS[SECOND], columns)


def test_parameters_unlike_those_of_the_walk_forward_are_named(mine: Installation) -> None:
    with Lake(mine.settings.lake_dir) as lake:
        change_fit(lake, by_hand="shrinkage")
        made = register_release(lake, mine.settings, FAST, DAYS[SECOND])
        assert made.no_record
        assert "ridge had other parameters set by hand" in made.no_record
        fewer = register_release(lake, mine.settings, FAST[:2], DAYS[SECOND])
        assert fewer.no_record
        assert "it had lightgbm, rank_prior, ridge" in fewer.no_record
    refresh(mine, LAST + 1, LAST + 1)
    newest = rows(mine, "FROM promotion.decisions ORDER BY trading_day DESC, sequence DESC LIMIT 1")
    assert newest["trading_day"][0].date() < DAYS[LAST + 1], "they wait: a challenger has a share"


def test_code_unlike_that_of_the_walk_forward_is_named(mine: Installation) -> None:
    with Lake(mine.settings.lake_dir) as lake:
        change_fit(lake, code="changed")
        made = register_release(lake, mine.settings, FAST, DAYS[SECOND])
    assert made.no_record
    assert "ridge had other code" in made.no_record


def test_a_release_that_takes_part_later_cannot_be_promoted_yet(mine: Installation) -> None:
    retrain(mine, LAST + 1)
    newest = names(mine)[-1]
    for request in ({"action": "promote", "share": 0.1}, {"action": "pin"}):
        with pytest.raises(PromotionError, match="does not take part yet"):
            decide(mine, release=newest, **request)
    refresh(mine, LAST + 1, LAST + 1)
    decide(mine, action="pin", release=newest)
    refresh(mine, LAST + 2, LAST + 2)
    stored = rows(mine, "FROM forecasts.published WHERE trading_day = ?", [DAYS[LAST + 2]])
    assert set(stored["champion"]) == {newest}


def test_a_day_between_without_a_submitted_forecast_is_an_open_part(mine: Installation) -> None:
    delete = f"DELETE FROM {SUBMITTED_FORECASTS.quoted} WHERE trading_day = ?"
    with Lake(mine.settings.lake_dir) as lake:
        before = find_open_parts(lake, DAYS[0], DAYS[LAST], history=True)
        lake.change(execute(SUBMITTED_FORECASTS, delete, [DAYS[SHARED]]))
        after = find_open_parts(lake, DAYS[0], DAYS[LAST], history=True)
    assert [part for part in after if part not in before] == [(DAYS[SHARED], DAYS[SHARED])]
    assert sorted(after) == after


def test_decisions_by_hand_through_the_command_line(mine: Installation, command: Command) -> None:
    first, second = names(mine)
    listed = command(mine, "releases").succeeded().out
    assert first in listed
    assert "10 %" in listed
    newest = rows(mine, "FROM promotion.decisions ORDER BY trading_day, sequence")["decision"][2]
    assert f"newest decision {newest}" in listed
    command(mine, "releases", "promote", first).refused_with("under way", second, "10 %")
    command(mine, "releases", "promote", "2023-12-13-abcdef").refused_with("unknown release", first)
    command(mine, "releases", "unpin").refused_with("not pinned")
    done = command(mine, "releases", "rollback", "--reason", "enough", "--by", "ana").succeeded()
    assert f"from {DAYS[LAST + 1]} on: withdrawn {second}, 10 % -> none" in done.out
    command(mine, "releases", "pin", second, "--seen", newest).refused_with("meanwhile", "ana")
    command(mine, "releases", "rollback").refused_with("nothing to roll back to")
    command(mine, "releases", "pin", second, "--by", "ana").succeeded()
    command(mine, "releases", "promote", first).refused_with("under way", "pinned")
    refresh(mine, LAST + 1, LAST + 1)
    day = DAYS[LAST + 1]
    np.testing.assert_array_equal(
        scores(mine, "forecasts.published", day), scores(mine, "forecasts.releases", day, second)
    )
    command(mine, "releases", "unpin", "--by", "ana").succeeded()
    done = command(mine, "releases", "rollback", "--by", "ana").succeeded()
    assert f"from {DAYS[LAST + 2]} on: rolled_back {second}" in done.out
    refresh(mine, LAST + 2, LAST + 2)
    np.testing.assert_array_equal(
        scores(mine, "forecasts.published", DAYS[LAST + 2]),
        scores(mine, "forecasts.releases", DAYS[LAST + 2], first),
    )
    assert command(mine, "releases", "replay").status == 0


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"action": "promote", "made_by": "rules"}, "needs a name"),
        ({"action": "promote"}, "name the release"),
        ({"action": "promote", "share": 0.2}, "no such share"),
        ({"action": "promote", "release": "x"}, "unknown release"),
    ],
)
def test_requests_that_cannot_be_done_are_refused(
    mine: Installation, request_: dict[str, object], words: str
) -> None:
    second = names(mine)[1]
    decide(mine, action="roll_back")
    before = digests(mine.settings, PROMOTION_DAILY)
    given = {"made_by": "tester", "release": second if "share" in request_ else "", **request_}
    request = ManualDecision(**given)  # type: ignore[arg-type]
    with (
        Lake(mine.settings.lake_dir) as lake,
        pytest.raises((PromotionError, UnknownNameError), match=words),
    ):
        decide_manually(lake, mine.settings, LONDON_AND_TOKYO, request)
    assert digests(mine.settings, PROMOTION_DAILY) == before


def launch(installation: Installation, **config: object) -> dg.ExecuteInProcessResult:
    """Run the job as the launchpad starts it."""
    job = build_definitions(installation.settings).resolve_job_def("decide_promotion")
    run_config = {"ops": {"decide_about_release": {"config": config}}}
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def test_the_launchpad_decides_alike(mine: Installation) -> None:
    first = names(mine)[0]
    refused = launch(mine, action="promote", release=first, made_by="ana")
    assert not refused.success
    (failure,) = [event for event in refused.all_events if event.is_step_failure]
    assert "another promotion is under way" in find_root_cause(failure)
    assert launch(mine, action="roll_back", made_by="ana", reason="enough").success
    newest = rows(mine, "FROM promotion.decisions ORDER BY trading_day DESC, sequence DESC LIMIT 1")
    assert newest[["action", "made_by", "reason"]].to_numpy().tolist() == [
        ["withdrawn", "ana", "enough"]
    ]
    wrong = build_definitions(mine.settings).resolve_job_def("decide_promotion")
    with pytest.raises(dg.DagsterInvalidConfigError, match="action"):
        wrong.execute_in_process(
            run_config={"ops": {"decide_about_release": {"config": {"action": "x"}}}}
        )


def test_simultaneous_decisions_are_made_one_after_the_other(mine: Installation) -> None:
    """The second process waits for the lock and reads the decision of the first."""
    with (
        lock_promotion(mine.settings),
        pytest.raises(PromotionError, match="another process is deciding"),
        lock_promotion(mine.settings, timeout=0.05),
    ):
        pass
    first = names(mine)[0]
    decide(mine, action="roll_back")
    command = ("releases", "promote", names(mine)[1], "--by")
    with mine.start(*command, "ana") as ana, mine.start(*command, "bob") as bob:
        outputs = [process.communicate(timeout=PATIENCE) for process in (ana, bob)]
    assert sorted([ana.returncode, bob.returncode]) == [0, 1], outputs
    (error,) = [err for (_, err), p in zip(outputs, (ana, bob), strict=True) if p.returncode]
    assert "another promotion is under way" in error
    made = rows(mine, "FROM promotion.decisions WHERE action = 'challenge' ORDER BY sequence")
    assert (made["release"] != first).all()
    assert len(made) == 2, "the trial before, and one of the two processes"


def test_before_any_label_is_known_a_release_has_no_record(mine: Installation) -> None:
    with Lake(mine.settings.lake_dir) as lake:
        made = register_release(lake, mine.settings, FAST, DAYS[FIRST_FIT_AFTER])
        assert made.no_record
        assert made.no_record.startswith("no labels are known yet")
        with pytest.raises(PromotionError, match=r"a family is missing[\s\S]*no fit"):
            register_release(lake, mine.settings, FAST, DAYS[FIRST_FIT_AFTER + 1])


def test_history_done_again_keeps_what_a_release_submitted(
    mine: Installation, command: Command
) -> None:
    """Other families are walked forward, whose ensemble forecasts something else."""
    query = "FROM forecasts.published ORDER BY trading_day, target"
    others = "FROM forecasts.track_record WHERE family = 'lightgbm' ORDER BY trading_day"
    before, weighed_by = rows(mine, query), rows(mine, others)
    command(mine, "walk-forward", "--families", "ridge").succeeded()
    after = rows(mine, query)
    assert len(weighed_by)
    pd.testing.assert_frame_equal(rows(mine, others), weighed_by)
    of_release = before[before["champion"].notna()].reset_index(drop=True)
    again = after[after["trading_day"].isin(of_release["trading_day"])].reset_index(drop=True)
    assert len(of_release)
    pd.testing.assert_frame_equal(again, of_release)
    earlier = [x[x["trading_day"] < of_release["trading_day"].min()] for x in (before, after)]
    assert (
        not earlier[0]["value"]
        .reset_index(drop=True)
        .equals(earlier[1]["value"].reset_index(drop=True))
    )

"""Triggers of retraining in the lake, and the runs that the sensor requests for them."""

import re
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from quant_assets.features.catalogue import CATALOGUE_VERSION, EQUAL_VERSIONS
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.monitoring_tables import DRIFT, ROLLING
from quant_assets.models.registry import FAST
from quant_assets.orchestration.run_requests import retrain_triggers as module
from quant_assets.orchestration.run_requests.attempts import (
    ATTEMPT_TAG,
    KIND_TAG,
    REASON_TAG,
    TRIGGER_TAG,
    build_request_tags,
    read_attempts,
)
from quant_assets.orchestration.run_requests.retrain_triggers import (
    DRIFTED_DAYS,
    current_episode,
    find_triggers,
)
from quant_assets.orchestration.sensors.retrain_sensor import JOB
from quant_assets.training.fitting import code_digest
from quant_assets_tests.support.scheduler import DAYS, Scheduler, TickResult, evening

NEWEST = DAYS[-1]


@pytest.fixture
def fitted(scheduler: Scheduler) -> Scheduler:
    """Every family has a good fit by the present code, so that there is no trigger."""
    scheduler.submit(*DAYS[-8:])
    for name in FAST:
        fit(scheduler, name, DAYS[-8])
    return scheduler


def fit(
    scheduler: Scheduler,
    name: str,
    day: date,
    failure: str | None = None,
    code: str = "",
    features: str = CATALOGUE_VERSION,
) -> None:
    scheduler.store(
        fits_table(name),
        day,
        failure=failure,
        code=code or code_digest(name),
        features_version=features,
    )


def drift(scheduler: Scheduler, day: date, share: float) -> None:
    """Store a day on which a share of ten features, and all forecasts, have drifted."""
    rows = [("market", f"feature_{i}", i < round(10 * share)) for i in range(10)]
    rows += [("forecast", f"family_{i}", True) for i in range(10)]
    count = len(rows)
    data = {
        **{column.name: [0] * count for column in DRIFT.columns},
        "trading_day": [day] * count,
        "level": [level for level, _, _ in rows],
        "name": [name for _, name, _ in rows],
        "drifted": [drifted for _, _, drifted in rows],
        "reason": [None] * count,
        "reference_until": [DAYS[0]] * count,
    }
    scheduler.lake.replace_days(DRIFT, day, day, data)


def judge(scheduler: Scheduler, day: date, level: str | None, family: str = "ensemble") -> None:
    data = {
        **{column.name: [None, None] for column in ROLLING.columns},
        "trading_day": [day, day],
        "family": [family, family],
        "by": ["all", "lag"],
        "part": ["", "1"],
        "window": [20, 60],
        "score": [-0.1, -0.2],
        "expected": [0.2, 0.2],
        "shortfall": [1.5, 2.0],
        "level": [level, "critical"],
    }
    scheduler.lake.replace_days(ROLLING, day, day, data)


def tick(scheduler: Scheduler) -> TickResult:
    return scheduler.tick("retrain_for_cause")


def read_reasons(scheduler: Scheduler) -> dict[str, str]:
    triggers = find_triggers(scheduler.lake, scheduler.settings, NEWEST)
    return {trigger.id: trigger.reason for trigger in triggers}


def test_without_a_trigger_no_run_is_requested(fitted: Scheduler) -> None:
    assert tick(fitted).reason == "there is no trigger to retrain"


def test_before_the_first_load_it_says_what_to_do(scheduler: Scheduler) -> None:
    assert tick(scheduler).reason.startswith("nothing is loaded yet")


def test_an_episode_is_what_lasts_until_now() -> None:
    days = list(zip(DAYS[:5], [True, False, True, True, True], strict=True))
    assert current_episode(days) == DAYS[2:5]
    assert current_episode([*days, (DAYS[5], False)]) == []
    assert current_episode([]) == []


def test_drift_on_three_days_in_a_row_is_a_trigger(fitted: Scheduler) -> None:
    drift(fitted, DAYS[-5], 0.3)
    for day in DAYS[-4 : -4 + DRIFTED_DAYS - 1]:
        drift(fitted, day, 0.4)
    assert read_reasons(fitted) == {}
    drift(fitted, DAYS[-2], 0.4)
    (request,) = tick(fitted).requests
    assert request.partition_key == str(NEWEST)
    assert (request.tags[KIND_TAG], request.tags[TRIGGER_TAG]) == ("drift", f"drift/{DAYS[-4]}")
    assert request.tags[REASON_TAG] == (
        f"40% of the features have drifted, and more than 30% on each of 3 days since {DAYS[-4]}"
    )
    # The trigger keeps its id as long as it lasts, and ends with the drift.
    drift(fitted, DAYS[-1], 0.9)
    assert list(read_reasons(fitted)) == [f"drift/{DAYS[-4]}"]
    drift(fitted, DAYS[-1], 0.3)
    assert read_reasons(fitted) == {}


def test_critical_performance_is_a_trigger_and_a_warning_is_none(fitted: Scheduler) -> None:
    judge(fitted, DAYS[-3], "warning")
    assert read_reasons(fitted) == {}
    judge(fitted, DAYS[-2], "critical")
    judge(fitted, DAYS[-1], "critical")
    assert read_reasons(fitted) == {
        f"performance/{DAYS[-2]}": f"the performance of the ensemble has been critical "
        f"since {DAYS[-2]}: the score over 20 days is -0.100, expected was 0.200"
    }
    (trigger,) = find_triggers(fitted.lake, fitted.settings, NEWEST)
    assert trigger.urgent


def test_the_submitted_forecast_counts_before_the_ensemble(fitted: Scheduler) -> None:
    judge(fitted, DAYS[-2], "critical")
    judge(fitted, DAYS[-1], "ok", "published")
    assert read_reasons(fitted) == {}
    judge(fitted, DAYS[-1], None, "published")
    assert read_reasons(fitted) == {}


def test_a_family_without_a_fit_or_with_a_failed_one_is_a_trigger(fitted: Scheduler) -> None:
    fit(fitted, "ridge", DAYS[-3], "singular matrix\n  where: ridge")
    fit(fitted, "ridge", DAYS[-2], "singular matrix")
    assert read_reasons(fitted) == {
        f"fits/failed/ridge/{DAYS[-3]}": f"every fit of ridge since {DAYS[-3]} has failed: "
        "singular matrix"
    }
    fit(fitted, "ridge", DAYS[-1])
    assert read_reasons(fitted) == {}
    fitted.settings = fitted.settings.model_copy(update={"families": "fast,autoregressive"})
    assert read_reasons(fitted) == {
        "fits/none/autoregressive": "autoregressive was never fitted",
    }


def test_a_fit_that_is_old_is_a_trigger(fitted: Scheduler) -> None:
    day = DAYS[-8]
    later = day + timedelta(days=fitted.settings.fit_max_age_days)
    assert find_triggers(fitted.lake, fitted.settings, later) == []
    (old,) = find_triggers(fitted.lake, fitted.settings, later + timedelta(days=1))
    assert (old.id, old.kind) == (f"fits/old/{day}", "fits")
    assert "the fits of rank_prior, ridge, lightgbm are too old: the oldest is as of" in old.reason


@pytest.mark.parametrize(("code", "features"), [("other", CATALOGUE_VERSION), ("", "other")])
def test_other_code_or_features_are_a_trigger(fitted: Scheduler, code: str, features: str) -> None:
    fit(fitted, "lightgbm", DAYS[-1], code=code, features=features)
    (trigger,) = find_triggers(fitted.lake, fitted.settings, NEWEST)
    assert trigger.kind == "code"
    assert re.fullmatch(rf"code/{CATALOGUE_VERSION}/[0-9a-f]{{8}}/{DAYS[-1]}", trigger.id)
    if features == "other":
        assert "quant-assets load" in trigger.reason
    else:
        assert trigger.reason == "the code of these families has changed since their fits: lightgbm"


def test_fits_from_before_only_arithmetic_was_digested_are_no_trigger(
    fitted: Scheduler,
) -> None:
    fit(fitted, "lightgbm", DAYS[-1], features=EQUAL_VERSIONS[0])
    assert read_reasons(fitted) == {}


def test_a_trigger_is_retrained_for_once(fitted: Scheduler) -> None:
    judge(fitted, DAYS[-1], "critical")
    (request,) = tick(fitted).requests
    fitted.run(request, "retrain_models")
    fitted.clock.moment += timedelta(days=2)
    again = tick(fitted)
    assert not again.requests
    assert again.reason.endswith("models were already retrained for this trigger")
    for run in fitted.opened.get_runs():
        fitted.opened.delete_run(run.run_id)
    # Only the cursor knows that the trigger was handled.
    assert tick(fitted).reason.endswith("models were already retrained for this trigger")


def test_code_that_comes_back_is_a_trigger_again(fitted: Scheduler) -> None:
    for day in DAYS[-4:-2]:
        for name in FAST:
            fit(fitted, name, day, code="other")
        (request,) = tick(fitted).requests
        assert request.tags[KIND_TAG] == "code"
        fitted.run(request, "retrain_models")
        for name in FAST:
            fit(fitted, name, day)
        assert tick(fitted).reason == "there is no trigger to retrain"
        fitted.clock.moment += timedelta(days=2)


def test_a_run_executed_again_in_the_ui_was_requested_then(fitted: Scheduler) -> None:
    requested_at = fitted.clock.moment - timedelta(days=3)
    first = fitted.begin(
        JOB, **build_request_tags("drift/2023-12-20", "it drifted", 1, requested_at, "drift")
    )
    again = dg.DagsterRun(
        JOB, tags=first.tags, parent_run_id=first.run_id, root_run_id=first.run_id
    )
    fitted.opened.add_run(again)
    before, after = read_attempts(fitted.opened, JOB)
    assert before.requested_at == requested_at
    assert datetime.now(UTC) - after.requested_at < timedelta(minutes=5)


def test_an_urgent_trigger_comes_first_and_the_next_after_the_interval(fitted: Scheduler) -> None:
    for day in DAYS[-3:]:
        drift(fitted, day, 0.8)
    judge(fitted, DAYS[-1], "critical")
    (request,) = tick(fitted).requests
    assert request.tags[KIND_TAG] == "performance"
    fitted.run(request, "retrain_models")
    waiting = tick(fitted)
    assert not waiting.requests
    assert "the next retraining may begin at 2023-12-30 18:05 UTC" in waiting.reason
    fitted.clock.moment += timedelta(hours=20)
    (request,) = tick(fitted).requests
    assert request.tags[KIND_TAG] == "drift"


def test_a_failed_retraining_is_tried_again_and_then_given_up(fitted: Scheduler) -> None:
    judge(fitted, DAYS[-1], "critical")
    for attempt in range(1, 6):
        (request,) = tick(fitted).requests
        assert request.tags[ATTEMPT_TAG] == str(attempt)
        fitted.run(request, "retrain_models", fails=True)
        assert "the next is due" in tick(fitted).reason or attempt == 5
        fitted.clock.moment += timedelta(hours=2)
    assert not tick(fitted).requests


def test_a_weekly_retraining_that_failed_is_tried_again_by_the_sensor(fitted: Scheduler) -> None:
    (request,) = fitted.evaluate("weekly_retrain", fitted.clock.moment).requests
    fitted.run(request, "retrain_models", fails=True)
    fitted.clock.moment += timedelta(minutes=5)
    (again,) = tick(fitted).requests
    assert (again.tags[KIND_TAG], again.tags[ATTEMPT_TAG]) == ("weekly", "2")
    assert again.tags[TRIGGER_TAG] == request.tags[TRIGGER_TAG]


def test_a_clock_that_goes_back_starts_nothing_twice(fitted: Scheduler) -> None:
    judge(fitted, DAYS[-1], "critical")
    (request,) = tick(fitted).requests
    fitted.run(request, "retrain_models")
    fitted.clock.moment -= timedelta(days=30)
    assert tick(fitted).reason.startswith("the clock went back")
    fitted.clock.moment += timedelta(minutes=1)
    assert tick(fitted).reason.endswith("models were already retrained for this trigger")


@pytest.mark.parametrize("day", [date(2023, 12, 30), date(2023, 12, 31), date(2024, 1, 1)])
def test_on_days_of_rest_models_are_retrained_as_of_the_session_before(
    fitted: Scheduler, day: date
) -> None:
    judge(fitted, DAYS[-1], "critical")
    fitted.clock.moment = fitted.clock.moment.replace(year=day.year, month=day.month, day=day.day)
    (request,) = tick(fitted).requests
    assert request.partition_key == str(NEWEST)


def test_no_more_triggers_are_remembered_than_needed() -> None:
    from quant_assets.orchestration.sensors.retrain_sensor import RetrainCursor

    cursor = RetrainCursor()
    for number in range(300):
        cursor = RetrainCursor.parse(cursor.after(evening(DAYS[-1]), [f"drift/{number}"]))
    assert len(cursor.handled) == 100
    assert cursor.handled[-1] == "drift/299"
    assert module.DRIFTED_DAYS == 3

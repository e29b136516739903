"""Decisions about releases that cannot forecast a day.

Pure, as ``promotion.rules``, which holds the decisions that rest on track records.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.rules import drop_challenger, withdraw_challenger

_FAILED = "it failed to forecast"
T = TypeVar("T")


def forecast_releases(
    day_decisions: DayDecisions, forecast: Callable[[str], T | str]
) -> tuple[dict[str, T], dict[str, str]]:
    """Let every release in force forecast a day, and decide about those that cannot.

    If the champion cannot forecast, earlier champions are asked, newest first, until one can.

    Args:
        day_decisions: the decisions of the day, to which more are added.
        forecast: returns a release's forecast of the day, or in words why there is none.

    Returns:
        The forecasts by release, and the reasons of the failures by release.
    """
    state = day_decisions.state
    outcomes = {name: forecast(name) for name in state.forecasting}
    for name in reversed(state.earlier_champions):
        if state.pinned or not isinstance(outcomes.get(state.champion or ""), str):
            break
        outcomes.setdefault(name, forecast(name))
        if not isinstance(outcomes[name], str):
            break
    failures = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
    handle_failures(day_decisions, failures)
    forecasts = {
        name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, str)
    }
    return forecasts, failures


def handle_failures(day_decisions: DayDecisions, failures: Mapping[str, str]) -> None:
    """Decide about the releases that cannot forecast a day.

    A challenger that fails is dropped. A last good champion that fails is dismissed: a rollback
    no longer returns to it. A champion that fails is replaced by the newest earlier champion that
    can forecast, else by its challenger. If no release can forecast, or a pinned champion fails,
    all releases stay in force and the ensemble is submitted: a failure that all releases share is
    the fault of none of them.

    Args:
        day_decisions: the decisions of the day, to which these are added.
        failures: the reason of each failure, by release. Earlier champions are listed up to the
            first one that can forecast.
    """
    state = day_decisions.state
    champion, challenger, predecessor = state.champion, state.challenger, state.last_good
    for name, reason in failures.items():
        day_decisions.decide("failed", name, reason)
    able = (name for name in reversed(state.earlier_champions) if name not in failures)
    successor = None if state.pinned else next(able, None)
    if champion and champion in failures and not successor:
        if challenger and challenger not in failures:
            reason = "the champion cannot forecast"
            day_decisions.decide("promoted", challenger, reason, champion=challenger)
        else:
            reason = "the ensemble is published in its place"
            day_decisions.decide("fallback", champion, reason)
        return
    if challenger and challenger in failures:
        drop_challenger(day_decisions, challenger, _FAILED, {})
    elif champion in failures:
        withdraw_challenger(day_decisions, "what it was compared with failed to forecast")
    if champion and champion in failures:
        day_decisions.decide("rolled_back", champion, _FAILED, champion=successor)
    elif predecessor and predecessor in failures:
        day_decisions.decide("dismissed", predecessor, _FAILED, refused=True)

"""The state after decisions of people."""

from collections.abc import Sequence
from datetime import date

import pytest

from quant_assets.core.errors import PromotionError, UnknownNameError
from quant_assets.promotion.decision_log import DayDecisions, thresholds_from_json
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.manual_decisions import ManualDecision, apply_manual_decision
from quant_assets.promotion.promotion_state import PromotionState, fold_decisions

A, B, C = "a", "b", "c"
DAY = date(2023, 12, 29)


def day_decisions(state: PromotionState | None = None) -> DayDecisions:
    state = state or PromotionState(champion=A, decided_releases=frozenset({A}))
    return DayDecisions(DAY, state, Thresholds(), made_by="ana", first_sequence=1)


def decide(
    decisions: DayDecisions,
    action: str,
    release: str = "",
    share: float = 0.0,
    names: Sequence[str] = (A, B, C),
) -> PromotionState:
    request = ManualDecision(action, release, "", "ana", share)  # type: ignore[arg-type]
    apply_manual_decision(decisions, names, request)
    start = PromotionState(champion=A, decided_releases=frozenset({A}))
    assert fold_decisions(decisions.decisions, start) == decisions.state
    return decisions.state


def test_a_manual_promotion_begins_with_its_share() -> None:
    assert decide(day_decisions(), "promote", B).stage(B) == "shadow"
    state = decide(day_decisions(), "promote", B, 0.3)
    assert (state.stage(B), state.share_of(B), state.share_of(A)) == ("30 %", 0.3, 0.7)
    assert state.share_since == state.stage_since == DAY


def test_with_the_whole_share_a_release_is_champion_on_probation() -> None:
    state = decide(day_decisions(), "promote", B, 1.0)
    assert (state.champion, state.last_good, state.challenger) == (B, A, None)
    assert state.probation_since == DAY
    assert state.forecasting == (B, A)


def test_only_champion_and_challenger_forecast_after_probation() -> None:
    assert PromotionState(champion=B, earlier_champions=(A,), challenger=C).forecasting == (B, C)


def test_rolling_back_takes_the_challenger_first_and_then_the_champion() -> None:
    decisions = day_decisions()
    decide(decisions, "promote", B, 1.0)
    assert decide(decisions, "roll_back").champion == A
    with pytest.raises(PromotionError, match="nothing to roll back to"):
        decide(decisions, "roll_back")
    decide(decisions, "promote", C, 0.1)
    state = decide(decisions, "roll_back")
    assert (state.champion, state.challenger) == (A, None)
    assert [x.action for x in decisions.decisions] == [
        *("promoted", "rolled_back", "challenge", "withdrawn"),
    ]


def test_rolling_back_to_an_older_champion_forgets_the_champions_between() -> None:
    decisions = day_decisions(PromotionState(champion=C, earlier_champions=(A, B)))
    apply_manual_decision(decisions, [A, B, C], ManualDecision("roll_back", A, "", "ana"))
    assert (decisions.state.champion, decisions.state.earlier_champions) == (A, ())


def test_a_release_that_is_rolled_back_to_is_decided() -> None:
    assert decide(day_decisions(), "roll_back", C).decided_releases == {A, C}


def test_pinning_withdraws_the_challenger_and_stops_promotions() -> None:
    decisions = day_decisions()
    decide(decisions, "promote", B, 0.5)
    state = decide(decisions, "pin", C)
    assert (state.champion, state.last_good, state.challenger, state.pinned) == (C, A, None, True)
    with pytest.raises(PromotionError, match="c is pinned"):
        decide(decisions, "promote", B)
    with pytest.raises(PromotionError, match="unpin it first"):
        decide(decisions, "roll_back")
    assert not decide(decisions, "unpin").pinned


@pytest.mark.parametrize(
    ("action", "release", "share", "words"),
    [
        ("promote", A, 0.0, "it is the champion"),
        ("promote", B, 0.2, "0, 0.1, 0.3, 0.5, 0.7, 1"),
        ("promote", "", 0.0, "name the release"),
        ("pin", "", 0.0, "name the release"),
        ("unpin", "", 0.0, "not pinned"),
        ("roll_back", A, 0.0, "nothing to roll back to"),
        ("promote", "bb", 0.0, "unknown release"),
    ],
)
def test_a_request_that_cannot_be_done_is_refused(
    action: str, release: str, share: float, words: str
) -> None:
    decisions = day_decisions()
    with pytest.raises((PromotionError, UnknownNameError), match=words):
        decide(decisions, action, release, share)
    assert not decisions.decisions


def test_without_a_champion_nothing_can_challenge() -> None:
    with pytest.raises(PromotionError, match="first release becomes champion"):
        apply_manual_decision(
            day_decisions(PromotionState()), [A, B], ManualDecision("promote", B, "", "ana")
        )


def test_thresholds_are_read_back_from_a_decision() -> None:
    decisions = DayDecisions(
        DAY, PromotionState(champion=A), Thresholds(shares=(0.2, 1.0), tolerance=0.3)
    )
    decisions.decide("challenge", B, "why", {"low": float("nan"), "t": float("inf")})
    assert thresholds_from_json(decisions.decisions[0].numbers) == decisions.thresholds
    assert '"low": null' in decisions.decisions[0].numbers
    assert '"t": "inf"' in decisions.decisions[0].numbers


@pytest.mark.parametrize("action", ["promote", "pin", "unpin", "roll_back"])
def test_without_any_release_the_error_names_the_job_that_makes_one(action: str) -> None:
    with pytest.raises(PromotionError, match="no release yet") as caught:
        decide(day_decisions(PromotionState()), action, names=())
    assert "retrain_models" in str(caught.value)

"""What decisions leave, in their order."""

from datetime import date

import pytest

from quant_assets.core.errors import PromotionError, UnknownNameError
from quant_assets.promotion.decision_log import DayDecisions, thresholds_from_json
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.manual_decisions import ManualDecision, apply_manual_decision
from quant_assets.promotion.promotion_state import PromotionState, fold_decisions

A, B, C = "a", "b", "c"
DAY = date(2023, 12, 29)


def turn(state: PromotionState | None = None) -> DayDecisions:
    return DayDecisions(
        DAY, state or PromotionState(champion=A, done=frozenset({A})), Thresholds(), [], "ana", 1
    )


def wish(one: DayDecisions, action: str, release: str = "", share: float = 0.0) -> PromotionState:
    apply_manual_decision(one, [A, B, C], ManualDecision(action, release, "", "ana", share))  # type: ignore[arg-type]
    assert fold_decisions(one.made, PromotionState(champion=A, done=frozenset({A}))) == one.state
    return one.state


def test_a_release_promoted_by_hand_begins_where_it_is_told() -> None:
    assert wish(turn(), "promote", B).stage(B) == "shadow"
    state = wish(turn(), "promote", B, 0.3)
    assert (state.stage(B), state.share_of(B), state.share_of(A)) == ("30 %", 0.3, 0.7)
    assert state.share_since == state.since == DAY


def test_promoted_wholly_it_is_champion_on_probation() -> None:
    state = wish(turn(), "promote", B, 1.0)
    assert (state.champion, state.last_good, state.challenger) == (B, A, None)
    assert state.promoted_on == DAY
    assert state.forecasting == (B, A)


def test_only_champion_and_challenger_forecast_after_probation() -> None:
    assert PromotionState(champion=B, earlier=(A,), challenger=C).forecasting == (B, C)


def test_rolling_back_takes_the_challenger_first_and_then_the_champion() -> None:
    one = turn()
    wish(one, "promote", B, 1.0)
    assert wish(one, "roll_back").champion == A
    with pytest.raises(PromotionError, match="nothing to roll back to"):
        wish(one, "roll_back")
    wish(one, "promote", C, 0.1)
    state = wish(one, "roll_back")
    assert (state.champion, state.challenger) == (A, None)
    assert [x.action for x in one.made] == [
        *("promoted", "rolled_back", "challenge", "withdrawn"),
    ]


def test_rolling_back_to_an_older_champion_forgets_those_between() -> None:
    one = turn(PromotionState(champion=C, earlier=(A, B)))
    apply_manual_decision(one, [A, B, C], ManualDecision("roll_back", A, "", "ana"))
    assert (one.state.champion, one.state.earlier) == (A, ())


def test_rolled_back_to_a_release_is_no_longer_in_question() -> None:
    assert wish(turn(), "roll_back", C).done == {A, C}


def test_pinning_withdraws_the_challenger_and_stops_promotions() -> None:
    one = turn()
    wish(one, "promote", B, 0.5)
    state = wish(one, "pin", C)
    assert (state.champion, state.last_good, state.challenger, state.pinned) == (C, A, None, True)
    with pytest.raises(PromotionError, match="c is pinned"):
        wish(one, "promote", B)
    with pytest.raises(PromotionError, match="unpin it first"):
        wish(one, "roll_back")
    assert not wish(one, "unpin").pinned


@pytest.mark.parametrize(
    ("action", "release", "share", "words"),
    [
        ("promote", A, 0.0, "it is the champion"),
        ("promote", B, 0.2, "0, 0.1, 0.3, 0.5, 0.7, 1"),
        ("promote", "", 0.0, "which release"),
        ("pin", "", 0.0, "which release"),
        ("unpin", "", 0.0, "not pinned"),
        ("roll_back", A, 0.0, "nothing to roll back to"),
        ("promote", "bb", 0.0, "unknown release"),
    ],
)
def test_what_cannot_be_done_is_refused(
    action: str, release: str, share: float, words: str
) -> None:
    one = turn()
    with pytest.raises((PromotionError, UnknownNameError), match=words):
        wish(one, action, release, share)
    assert not one.made


def test_without_a_champion_nothing_can_challenge() -> None:
    with pytest.raises(PromotionError, match="first release becomes it"):
        apply_manual_decision(
            turn(PromotionState()), [A, B], ManualDecision("promote", B, "", "ana")
        )


def test_thresholds_are_read_back_from_a_decision() -> None:
    one = DayDecisions(
        DAY, PromotionState(champion=A), Thresholds(shares=(0.2, 1.0), tolerance=0.3)
    )
    one.decide("challenge", B, "why", {"low": float("nan"), "t": float("inf")})
    assert thresholds_from_json(one.made[0].numbers) == one.limits
    assert '"low": null' in one.made[0].numbers
    assert '"t": "inf"' in one.made[0].numbers


@pytest.mark.parametrize("action", ["promote", "pin", "unpin", "roll_back"])
def test_without_any_release_one_is_told_how_to_make_one(action: str) -> None:
    with pytest.raises(PromotionError, match="no release yet") as caught:
        apply_manual_decision(turn(PromotionState()), [], ManualDecision(action, "", "", "ana"))  # type: ignore[arg-type]
    assert "retrain_models" in str(caught.value)

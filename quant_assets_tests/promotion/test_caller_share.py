"""The choice between champion and challenger for a caller."""

from hypothesis import given
from hypothesis import strategies as st

from quant_assets.promotion.caller_share import ReleasesOfDay, choose_voice, place_caller

SHARES = st.floats(0, 1)
NAMES = st.text(min_size=1, max_size=30)


@given(caller=NAMES, challenger=NAMES, shares=st.tuples(SHARES, SHARES))
def test_a_caller_stays_with_a_challenger_while_its_share_rises(
    caller: str, challenger: str, shares: tuple[float, float]
) -> None:
    low, high = (
        choose_voice(caller, ReleasesOfDay("old", challenger, share)) for share in sorted(shares)
    )
    assert (low, high) != ("challenger", "champion")
    assert "published" not in {low, high}


@given(caller=NAMES, challenger=NAMES)
def test_in_shadow_nobody_and_at_the_full_share_everybody(caller: str, challenger: str) -> None:
    assert choose_voice(caller, ReleasesOfDay("old", challenger, 0.0)) == "champion"
    assert choose_voice(caller, ReleasesOfDay("old", challenger, 1.0)) == "challenger"


def test_callers_without_a_key_and_days_without_a_champion_get_what_was_submitted() -> None:
    assert choose_voice("", ReleasesOfDay("old", "new", 1.0)) == "published"
    assert choose_voice("k", ReleasesOfDay(None, "new", 1.0)) == "published"
    assert choose_voice("k", ReleasesOfDay("old", None, 0.0)) == "champion"


def test_the_share_of_callers_is_the_share_of_the_challenger() -> None:
    places = [place_caller(f"key-{i}", "2024-01-02-abcdef") for i in range(4000)]
    for share in (0.1, 0.3, 0.7):
        # Four standard deviations of a binomial share.
        assert abs(sum(place < share for place in places) / 4000 - share) < 0.03
    others = [place_caller(f"key-{i}", "2024-02-01-fedcba") for i in range(4000)]
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(places, others, strict=True))
    assert abs(both / 4000 - 0.25) < 0.03

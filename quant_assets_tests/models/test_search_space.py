"""Ranges, and the same ranges narrowed."""

import numpy as np
import pytest

from quant_assets.models.search_space import Choice, Float, Int, Range, narrow_space


@pytest.mark.parametrize("part", [Float(-2, 5), Float(1e-3, 10, log=True), Int(3, 900, log=True)])
def test_a_narrowed_range_lies_in_the_whole_one_and_holds_its_centre(part: Range) -> None:
    random, lowest, highest = np.random.default_rng(1), part.low, part.high
    drawn = (
        np.exp(random.uniform(np.log(lowest), np.log(highest), 200))
        if part.log
        else (random.uniform(lowest, highest, 200))
    )
    whole = isinstance(part, Int)
    for centre in [lowest, highest, *(int(x) if whole else float(x) for x in drawn)]:
        near = narrow_space({"x": part}, {"x": centre}, 0.4)["x"]
        assert type(near) is type(part)
        assert centre in near
        assert near.low in part
        assert near.high in part
        if not whole:
            ends = np.array([near.low, near.high, lowest, highest])
            ends = np.log(ends) if part.log else ends
            assert ends[1] - ends[0] == pytest.approx(0.4 * (ends[3] - ends[2]))


def test_a_choice_is_not_narrowed() -> None:
    part = Choice(("a", "b"))
    assert narrow_space({"x": part}, {"x": "b"}, 0.1) == {"x": part}

"""Spaces lie around the defaults, and what lies outside of them is refused."""

import json
from typing import Any

import numpy as np
import pytest

from quant_assets.errors import SettingsError, UnknownNameError
from quant_assets.models.base import Observations, Resources
from quant_assets.models.registry import FAMILIES, family
from quant_assets.models.space import (
    SPACES,
    Choice,
    Float,
    Int,
    Range,
    check_parameters,
    narrowed,
    space_of,
)

every_space = pytest.mark.parametrize("name", SPACES)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_defaults_of_every_family_are_in_range(name: str) -> None:
    check_parameters(name, family(name).defaults)
    check_parameters(name, json.loads(json.dumps(dict(family(name).defaults))))


@every_space
def test_a_space_names_parameters_of_its_family(name: str) -> None:
    assert set(space_of(name)) <= set(family(name).defaults)


@every_space
@pytest.mark.parametrize("end", ["low", "high"])
def test_both_ends_of_a_space_can_be_fitted(name: str, end: str, seen: Observations) -> None:
    at = {
        parameter: part.options[-1] if isinstance(part, Choice) else getattr(part, end)
        for parameter, part in space_of(name).items()
    }
    check_parameters(name, at)
    chosen = family(name)
    model = chosen.fit(seen, {**chosen.defaults, **at}, Resources())
    assert np.isfinite(model.forecast(seen, 3)).all()


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("lightgbm", {"learning_rate": 2.0}, ("lightgbm.learning_rate", "0.01 to 0.3", "2.0")),
        ("lightgbm", {"learning_rate": float("nan")}, ("learning_rate", "0.01 to 0.3", "nan")),
        ("lightgbm", {"num_leaves": 15.0}, ("num_leaves", "whole number from 4 to 63", "15.0")),
        ("lightgbm", {"num_leaves": True}, ("num_leaves", "4 to 63", "True")),
        ("rank_prior", {"window": 119}, ("rank_prior.window", "120 to 2500", "119")),
        ("rank_prior", {"shrinkage": "0.5"}, ("rank_prior.shrinkage", "0.05 to 1", "'0.5'")),
        ("ridge", {"returns": ["ret_2"]}, ("ridge.returns", "('ret_1', 'ret_5')", "['ret_2']")),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(
    name: str, parameters: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        check_parameters(name, parameters)
    assert all(part in str(caught.value) for part in said)


def test_an_unknown_parameter_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean learning_rate"):
        check_parameters("lightgbm", {"learning_rat": 0.1})


def test_a_family_without_a_space_cannot_be_tuned() -> None:
    with pytest.raises(UnknownNameError, match="did you mean lightgbm"):
        space_of("lightgmb")
    with pytest.raises(UnknownNameError, match="family to tune"):
        space_of("autoregressive")


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
        near = narrowed({"x": part}, {"x": centre}, 0.4)["x"]
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
    assert narrowed({"x": part}, {"x": "b"}, 0.1) == {"x": part}

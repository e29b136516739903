"""Search spaces contain the defaults, and values outside of them are refused."""

import json
from typing import Any

import numpy as np
import pytest

from quant_assets.core.errors import SettingsError, UnknownNameError
from quant_assets.models.parameters import (
    check_parameters,
    parse_assignments,
    restore_parameters,
    search_space_of,
    tunable_families,
)
from quant_assets.models.protocol import Observations, Resources
from quant_assets.models.registry import FAMILIES, load_family
from quant_assets.models.search_space import Choice

every_family = pytest.mark.parametrize("name", FAMILIES)
every_tunable = pytest.mark.parametrize("name", tunable_families())


@every_family
def test_the_defaults_of_every_family_are_in_range(name: str) -> None:
    check_parameters(name, load_family(name).defaults)
    check_parameters(name, json.loads(json.dumps(dict(load_family(name).defaults))))


@every_family
def test_defaults_read_back_are_the_defaults(name: str) -> None:
    defaults = dict(load_family(name).defaults)
    assert restore_parameters(json.loads(json.dumps(defaults))) == defaults


def test_every_family_can_be_tuned() -> None:
    assert tunable_families() == FAMILIES
    assert tunable_families(["ridge", "xgboost"]) == ("ridge", "xgboost")


@every_tunable
def test_a_space_names_parameters_of_its_family(name: str) -> None:
    assert 3 <= len(search_space_of(name)) <= 8
    assert set(search_space_of(name)) <= set(load_family(name).defaults)


@every_tunable
@pytest.mark.parametrize("end", ["low", "high"])
def test_both_ends_of_a_space_can_be_fitted(
    name: str, end: str, observations: Observations
) -> None:
    at = {
        parameter: part.options[-1] if isinstance(part, Choice) else getattr(part, end)
        for parameter, part in search_space_of(name).items()
    }
    check_parameters(name, at)
    chosen = load_family(name)
    model = chosen.fit(observations, {**chosen.defaults, **at}, Resources())
    assert np.isfinite(model.forecast(observations, 3)).all()


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
        ("lightgbm", {"seeds": "three"}, ("lightgbm.seeds", "whole number", "'three'")),
        ("lightgbm", {"seeds": -1}, ("lightgbm.seeds", "not below zero", "-1")),
        ("lightgbm", {"label_clip": "3"}, ("lightgbm.label_clip", "a number", "'3'")),
        ("lightgbm", {"label_clip": float("inf")}, ("lightgbm.label_clip", "a number", "inf")),
        ("lightgbm", {"label_clip": True}, ("lightgbm.label_clip", "a number", "True")),
        ("rank_prior", {"variant": 3}, ("rank_prior.variant", "text", "3")),
        ("ridge", {"rank": "few"}, ("ridge.rank", "a whole number, or null", "'few'")),
        ("ridge", {"penalties": []}, ("ridge.penalties", "a list, each element a number", "[]")),
        ("ridge", {"penalties": [1, "a"]}, ("ridge.penalties", "a list", "[1, 'a']")),
        ("autoregressive", {"arma_orders": [1]}, ("arma_orders", "a list, each element a list")),
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


def test_a_family_that_is_none_cannot_be_tuned() -> None:
    with pytest.raises(UnknownNameError, match=r"family to tune(?s:.*)did you mean lightgbm"):
        search_space_of("lightgmb")


def test_untuned_parameters_may_be_anything_of_their_kind() -> None:
    check_parameters("ridge", {"rank": 5, "penalties": [10, 100.0]})
    check_parameters("lightgbm", {"seeds": 1, "label_clip": 2, "bagging_freq": 0})
    check_parameters("autoregressive", {"arma_orders": [[1, 0]]})


def test_parameters_by_hand_are_json_or_text() -> None:
    given = ["ridge.shrinkage=0.7", "ridge.rank = null", "rank_prior.variant=mean"]
    given += ['ridge.returns=["ret_1", "ret_5"]', "rank_prior.variant=diagonal"]
    assert parse_assignments(given, FAMILIES) == {
        "ridge": {"shrinkage": 0.7, "rank": None, "returns": ("ret_1", "ret_5")},
        "rank_prior": {"variant": "diagonal"},
    }
    assert parse_assignments([], FAMILIES) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ridge.shrinkage", "FAMILY.PARAMETER=VALUE"),
        ("shrinkage=0.7", "FAMILY.PARAMETER=VALUE"),
        ("ridge.shrinkage=", "ridge.shrinkage"),
        ("ridge.shrinkage=7", "0.05 to 1"),
        ("rigde.shrinkage=0.7", "did you mean ridge"),
        ("ridge.shrinkag=0.7", "did you mean shrinkage"),
        ("xgboost.max_depth=3", "one of ridge, rank_prior"),
    ],
)
def test_parameters_by_hand_that_would_do_nothing_are_refused(text: str, said: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=said):
        parse_assignments([text], ["ridge", "rank_prior"])


def test_a_parameter_of_a_family_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(SettingsError, match="--families rank_prior,ridge,xgboost"):
        parse_assignments(["xgboost.max_depth=4"], ["rank_prior", "ridge"])
    with pytest.raises(UnknownNameError, match="did you mean xgboost"):
        parse_assignments(["xgbost.max_depth=4"], ["rank_prior", "ridge"])

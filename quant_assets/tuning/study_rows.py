"""The result of a search as rows of its family's study table, and as a table for people.

The search itself belongs in ``tuning.study``, the choice of parameters for a fit in
``training.parameter_selection``.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.forecast_tables import study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import restore_parameters
from quant_assets.models.registry import load_family
from quant_assets.tuning.study import TuningResult


def study_rows(result: TuningResult, as_of: date, date_id: int, seed: int) -> dict[str, list[Any]]:
    """Build the rows of a study, one for each trial in the order they were made, as columns.

    Args:
        result: the result of the search.
        as_of: as-of day of the study.
        date_id: the source's number of that day.
        seed: seed of the search.
    """
    defaults, count = load_family(result.family).defaults, len(result.trials)
    complete = [{**defaults, **trial.parameters} for trial in result.trials]
    first, last = result.days
    shared = {
        "trading_day": as_of,
        "date_id": date_id,
        "folds": len(result.folds),
        "first_judged": first,
        "last_judged": last,
        "seed": seed,
        "search": result.identity,
    }
    return {
        **{column: [value] * count for column, value in shared.items()},
        "trial": list(range(1, count + 1)),
        "stage": [trial.stage for trial in result.trials],
        "parameters": [json.dumps(parameters, sort_keys=True) for parameters in complete],
        "value": [trial.value for trial in result.trials],
        "metrics": [json.dumps(trial.metrics) for trial in result.trials],
        "best": [i == result.best for i in range(count)],
        "seconds": [trial.seconds for trial in result.trials],
    }


@dataclass(frozen=True)
class StudyResult:
    """The result of a stored study.

    Attributes:
        parameters: one row for each tuned parameter: its name, best value and default.
        value: value of the objective with the best parameters.
        default_value: value of the objective with the defaults.
        trials: number of trials.
        first: first forecast day that trials were judged on.
        last: last forecast day that trials were judged on.
    """

    parameters: pd.DataFrame
    value: float
    default_value: float
    trials: int
    first: date
    last: date


def read_study_result(lake: Lake, name: str, day: date) -> StudyResult:
    """Read the result of a family's study as of a day.

    Args:
        lake: the lake.
        name: name of the family.
        day: as-of day of the study.

    Raises:
        LakeError: there is no such study.
    """
    table = study_table(name)
    rows = lake.arrow(
        "SELECT parameters, value, best, first_judged, last_judged"
        f" FROM {table.quoted} WHERE trading_day = ? ORDER BY trial",
        [day],
        needs=table,
    ).to_pylist()
    if not rows:
        raise LakeError("there is no study as of this day", where=table.name, expected=day)
    best = next(row for row in rows if row["best"])
    best_parameters = restore_parameters(json.loads(best["parameters"]))
    family = load_family(name)
    parameters = [
        {
            "parameter": key,
            "best": _format_value(best_parameters[key]),
            "default": _format_value(family.defaults[key]),
        }
        for key in family.space
        if key in best_parameters
    ]
    return StudyResult(
        pd.DataFrame(parameters),
        best["value"],
        rows[0]["value"],
        len(rows),
        best["first_judged"],
        best["last_judged"],
    )


def best_parameters_table(result: TuningResult) -> pd.DataFrame:
    """Tabulate each tuned parameter: its best value, default, range and importance."""
    family = load_family(result.family)
    return pd.DataFrame(
        [
            {
                "parameter": name,
                "best": _format_value(result.parameters[name]),
                "default": _format_value(family.defaults[name]),
                "range": str(part),
                "importance": result.importance.get(name),
            }
            for name, part in family.space.items()
        ]
    )


def _format_value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)

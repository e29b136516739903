"""A search as rows of its family's study table, and in words.

How a search goes is decided in ``study``, which fits use its outcome in
``training.parameter_selection``.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.tables import study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import restore_parameters
from quant_assets.models.registry import load_family
from quant_assets.tuning.study import TuningResult


def study_rows(found: TuningResult, as_of: date, date_id: int, seed: int) -> dict[str, list[Any]]:
    """Columns of the study as of a day: one row per trial, in the order they were made."""
    defaults, count = load_family(found.family).defaults, len(found.trials)
    complete = [{**defaults, **trial.parameters} for trial in found.trials]
    first, last = found.days
    of_all = {
        "trading_day": as_of,
        "date_id": date_id,
        "folds": len(found.folds),
        "first_judged": first,
        "last_judged": last,
        "seed": seed,
        "search": found.identity,
    }
    return {
        **{column: [value] * count for column, value in of_all.items()},
        "trial": list(range(1, count + 1)),
        "stage": [trial.stage for trial in found.trials],
        "parameters": [json.dumps(one, sort_keys=True) for one in complete],
        "value": [trial.value for trial in found.trials],
        "metrics": [json.dumps(trial.metrics) for trial in found.trials],
        "best": [i == found.best for i in range(count)],
        "seconds": [trial.seconds for trial in found.trials],
    }


@dataclass(frozen=True)
class StudyResult:
    """What a stored study found.

    Attributes:
        parameters: one row per tuned parameter: its name, the best, the default.
        value: of the objective with the best.
        default_value: with the defaults.
        trials: how many there were.
        first: first forecast day judged.
        last: last one.
    """

    parameters: pd.DataFrame
    value: float
    default_value: float
    trials: int
    first: date
    last: date


def read_study_result(lake: Lake, name: str, day: date) -> StudyResult:
    """What the study of a family as of a day found.

    Raises:
        LakeError: there is none.
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
    found, chosen = restore_parameters(json.loads(best["parameters"])), load_family(name)
    parameters = [
        {"parameter": key, "best": _shown(found[key]), "default": _shown(chosen.defaults[key])}
        for key in chosen.space
        if key in found
    ]
    return StudyResult(
        pd.DataFrame(parameters),
        best["value"],
        rows[0]["value"],
        len(rows),
        best["first_judged"],
        best["last_judged"],
    )


def best_parameters_table(found: TuningResult) -> pd.DataFrame:
    """Each tuned parameter: the best found, the default, the range, its share in the outcome."""
    chosen = load_family(found.family)
    return pd.DataFrame(
        [
            {
                "parameter": name,
                "best": _shown(found.parameters[name]),
                "default": _shown(chosen.defaults[name]),
                "range": str(part),
                "importance": found.importance.get(name),
            }
            for name, part in chosen.space.items()
        ]
    )


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)

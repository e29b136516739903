"""Layer fits, beside the fits themselves: one study a family, which searches its parameters.

Studies take long. They are in no job but ``tune_models``, and fits do without them.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.readers.point_in_time import read_date_ids, read_observations
from quant_assets.lake.schemas.tables import FEATURES, LABELS, study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import tunable_families
from quant_assets.models.registry import load_family
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    draw_pictures,
    record_result,
    table_asset,
    to_markdown,
)
from quant_assets.tuning import plots
from quant_assets.tuning.folds import Folds
from quant_assets.tuning.study import TuningResult, tune_family
from quant_assets.tuning.study_rows import best_parameters_table, study_rows


class StudyConfig(dg.Config):
    """How long a study searches, and on which folds of the history."""

    broad: int = Field(20, ge=1, description="Trials over the whole space, the defaults first.")
    narrow: int = Field(30, ge=0, description="Trials around the best of those.")
    minutes: float = Field(30.0, ge=0, description="After them no fit is begun; a rerun goes on.")
    validation_days: int = Field(90, ge=2, description="Days each fit of a trial is judged on.")
    step_days: int = Field(30, ge=1, description="Days from fit to fit; more days, fewer fits.")


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The studies, one a family that has something to tune."""
    return [_study_asset(name, partitions) for name in tunable_families(families)]


def _study_asset(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table, library = study_table(name), load_family(name).library

    @table_asset(
        table,
        kinds={"optuna", library},
        deps=[*FEATURES, LABELS],
        about="Of a range, its last day is searched. One that was interrupted goes on.",
        partitions=partitions,
    )
    def study(
        context: dg.AssetExecutionContext,
        config: StudyConfig,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        _, as_of = run_day_range(context)
        (date_id,) = read_date_ids(lake, np.array([as_of], dtype="datetime64[D]")).tolist()
        found = tune_family(
            read_observations(lake, as_of),
            name,
            settings.tuning_dir / f"{name}.db",
            seed=settings.seed,
            threads=settings.threads,
            broad=config.broad,
            narrow=config.narrow,
            minutes=config.minutes,
            note=context.log.info,
            folds=Folds(settings.first_fit_after, config.validation_days, config.step_days),
        )
        rows = study_rows(found, as_of, date_id, settings.seed)
        written = lake.replace_days(table, as_of, as_of, rows)
        return record_result(table, written, _details(found, settings))

    return study


def _details(found: TuningResult, settings: Settings) -> dict[str, Any]:
    first, last = found.days
    return {
        "value": found.value,
        "default_value": found.default_value,
        "best_parameters": to_markdown(best_parameters_table(found)),
        "chosen_on": f"{len(found.folds)} fits, judged on the days from {first} to {last}",
        **draw_pictures(
            settings,
            history=partial(plots.plot_history, found),
            importance=partial(plots.plot_importance, found),
        ),
    }

"""Making a family's fits from the lake; ``training.forecasting`` forecasts with stored fits."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from quant_assets.core.processes import end_with_parent
from quant_assets.core.settings import Settings
from quant_assets.core.typing import IntArray
from quant_assets.features.further_inputs import version_of_inputs
from quant_assets.lake.readers.inputs import read_further_inputs
from quant_assets.lake.readers.point_in_time import read_date_ids, read_observations
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Parameters, Resources
from quant_assets.models.registry import DAILY
from quant_assets.training.fitting import (
    FitOrder,
    FitRow,
    digest_days,
    fingerprint_fit,
    make_fit,
)
from quant_assets.training.parameter_selection import SelectedParameters, select_parameters
from quant_assets.training.walk_forward import rows_to_fit


def make_fits(
    lake: Lake,
    settings: Settings,
    name: str,
    start: date,
    end: date,
    note: Callable[[str], None],
    *,
    by_hand: Parameters | None = None,
    warn: Callable[[str], None] | None = None,
    dagster_run: str | None = None,
) -> Iterator[FitRow]:
    """Fit a family as of each day to fit in the range, and yield rows of its fits table.

    A row is yielded as soon as its fit is finished. A day whose stored fit has the same fingerprint
    is not fitted again. Fits run in parallel on the cores that the settings allow.

    Args:
        lake: the lake.
        settings: the seed, the number of cores, and whether studies are used.
        name: name of the family.
        start: first day of the range.
        end: last day of the range; nothing known later is read.
        note: called with a message about every finished fit.
        by_hand: parameters that replace those of a study and the defaults.
        warn: called with a message about each study that cannot be used; ``note`` by default.
        dagster_run: id of the run, stored with the fits.

    Raises:
        LakeError: the only day of the range has no features.
        UnknownNameError: the family lacks a parameter of ``by_hand``.
        SettingsError: a value of ``by_hand`` is out of range.
    """
    from joblib import Parallel, delayed

    with lake.at_once() as snapshot:
        observations = read_observations(lake, end, features=name not in DAILY)
        version = version_of_inputs(read_further_inputs(lake))
    stored = _read_fingerprints(lake, settings, name)
    rows = rows_to_fit(observations.days, start, end, settings, list(stored))
    selected = select_parameters(
        lake, settings, name, observations.days[rows], by_hand or {}, warn or note
    )
    orders = _order_fits(settings, name, rows, digest_days(observations), selected, version)
    missing = [order for order in orders if order.fingerprint not in stored.values()]
    if len(missing) < len(orders):
        note(f"{name}: {len(orders) - len(missing)} of {len(orders)} fits are there already")
    jobs = max(1, min(settings.threads, len(missing)))
    date_ids = read_date_ids(lake, observations.days[[order.row for order in missing]])
    # Joblib replaces a worker whose memory has grown, and repeats its fit.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    fit_rows = Parallel(
        n_jobs=jobs, return_as="generator", initializer=end_with_parent, initargs=(os.getpid(),)
    )(delayed(make_fit)(order, observations, settings.artifacts_dir) for order in missing)
    for count, (row, date_id) in enumerate(zip(fit_rows, date_ids, strict=True), 1):
        failed = f", failed: {row['failure']}" if row["failure"] else ""
        day, seconds = row["trading_day"], row["seconds"]
        note(f"{name}: fit {count} of {len(missing)}, as of {day}, {seconds:.1f} s{failed}")
        origin = {"date_id": int(date_id), "snapshot": snapshot, "dagster_run": dagster_run}
        yield {**row, **origin}


def _order_fits(
    settings: Settings,
    name: str,
    rows: IntArray,
    day_digests: Sequence[str],
    selected: Sequence[SelectedParameters],
    features_version: str,
) -> list[FitOrder]:
    jobs = max(1, min(settings.threads, len(rows)))
    resources = Resources(settings.seed, max(1, settings.threads // jobs))
    return [
        FitOrder(
            name,
            int(row),
            choice,
            resources,
            fingerprint_fit(name, day_digests[row], choice.parameters, settings.seed),
            features_version,
        )
        for row, choice in zip(rows, selected, strict=True)
    ]


def _read_fingerprints(lake: Lake, settings: Settings, name: str) -> dict[date, str | None]:
    """Read the fingerprints of a family's stored fits by as-of day.

    The value is None for a fit that failed, and for one whose artifact is missing or altered.
    """
    table = fits_table(name)
    if not lake.has(table):
        return {}
    columns = "trading_day, fingerprint, artifact, sha256, failure"
    stored = lake.arrow(f"SELECT {columns} FROM {table.quoted}").to_pylist()
    return {
        fit["trading_day"]: fit["fingerprint"]
        if not fit["failure"]
        and is_artifact_stored(settings.artifacts_dir, fit["artifact"], fit["sha256"])
        else None
        for fit in stored
    }

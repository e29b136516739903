"""Read the daily measures of each family from the lake, in the order in which they became known.

How they are compared with a reference belongs in ``monitoring.skill.reference_window``. Values that
become known after the last day asked for are never read.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import IntArray
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, PERFORMANCE, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.rows import KNOWN_ON_JOIN
from quant_assets.monitoring.skill.champion_periods import ChampionPeriod, read_champion_record
from quant_assets.monitoring.skill.reference_window import DailyRecord

SUBMITTED_FAMILY, ENSEMBLE_FAMILY = SUBMITTED_NAME, "ensemble"
Part = tuple[str, str, str]
"""A family, the kind of part (column ``by``), and the part of that kind, such as a lag."""
WHOLE = ("all", "")
"""Kind and name of the part that is all targets."""
_SAME_IC = 1e-9


def read_daily_records(
    lake: Lake, families: Sequence[str], end: date, period: ChampionPeriod | None = None
) -> dict[Part, DailyRecord]:
    """Read the daily IC and the measures of the parts of each family.

    The record of the submitted forecast is extended to earlier days: with the record of its
    champion for days before its period, or, if there is none, with the record of the ensemble.

    Args:
        lake: has the judged forecasts.
        families: model families.
        end: values known by this day are read.
        period: the champion period whose champion's record is used.
    """
    rows = pd.concat(
        [
            _read_measures(lake, PERFORMANCE, "'all' AS \"by\", '' AS part, ic AS value", end),
            _read_measures(lake, SLICES, '"by", part, value', end),
        ]
    )
    rows = rows[rows["family"].isin([SUBMITTED_FAMILY, ENSEMBLE_FAMILY, *families])]
    if period and len(own := read_champion_record(lake, period, end)):
        rows = prepend_champion_record(rows, own, period.since)
    else:
        rows = prepend_ensemble_record(rows)
    return {
        (str(family), str(by), str(part)): _to_record(of_part)
        for (family, by, part), of_part in rows.groupby(["family", "by", "part"], sort=True)
    }


def read_agreement_records(
    lake: Lake, families: Sequence[str], end: date
) -> dict[str, DailyRecord]:
    """Read the mean rank correlation of each family's forecast with the other families' forecasts.

    Args:
        lake: has the judged forecasts.
        families: model families.
        end: values known by this day are read.
    """
    pairs = _read_measures(lake, AGREEMENT, "other, value", end)
    pairs = pairs[pairs["family"].isin(families) & pairs["other"].isin(families)]
    swapped = pairs.rename(columns={"family": "other", "other": "family"})
    both = pd.concat([pairs, swapped])
    mean = both.groupby(["family", "date_id"], sort=True)["value"].mean().reset_index()
    return {str(name): _to_record(of_family) for name, of_family in mean.groupby("family")}


def prepend_ensemble_record(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows, with the ensemble's record before the first submitted forecast.

    Args:
        rows: date_id, day, family, by, part and value of every family's measures.
    """
    submitted = rows["family"] == SUBMITTED_FAMILY
    if not submitted.any():
        return rows
    first = rows["date_id"][submitted].min()
    before = rows[_stands_for_submitted(rows) & (rows["date_id"] < first)]
    result: pd.DataFrame = pd.concat([rows, before.assign(family=SUBMITTED_FAMILY)])
    return result


def prepend_champion_record(rows: pd.DataFrame, record: pd.DataFrame, since: date) -> pd.DataFrame:
    """Return the rows as if the champion had been in force before its period as well.

    The measures of the ensemble's parts stand for the champion's on days on which both have the
    same IC: the ensemble then has the champion's members. On other days parts have no rows.

    Args:
        rows: date_id, day, family, by, part and value of every family's measures.
        record: date_id, day and value: the champion's ICs before its period.
        since: first day of the period.
    """
    before = rows["day"] < np.datetime64(since)
    whole = rows["by"] == "all"
    of_ensemble = before & (rows["family"] == ENSEMBLE_FAMILY)
    both = rows[of_ensemble & whole].merge(record, on="day", suffixes=("", "_own"))
    same_ic = rows["day"].isin(both["day"][(both["value"] - both["value_own"]).abs() < _SAME_IC])
    kept = rows[~(before & (rows["family"] == SUBMITTED_FAMILY))]
    parts = rows[_stands_for_submitted(rows) & before & ~whole & same_ic]
    own = record.assign(family=SUBMITTED_FAMILY, by="all", part="")
    result: pd.DataFrame = pd.concat(
        [kept, parts.assign(family=SUBMITTED_FAMILY), own], ignore_index=True
    )
    return result


def _stands_for_submitted(rows: pd.DataFrame) -> pd.Series:
    """The ensemble's rows, except those of its intervals: the submitted forecast has none."""
    return (rows["family"] == ENSEMBLE_FAMILY) & (rows["by"] != "interval")


def choose_judged_family(families: Container[str]) -> str:
    """Choose the family whose performance raises alerts.

    Args:
        families: families that have been judged.

    Returns:
        The submitted forecast's name if it has been judged, else the ensemble's.
    """
    return SUBMITTED_FAMILY if SUBMITTED_FAMILY in families else ENSEMBLE_FAMILY


def ic_by_markets(records: Mapping[Part, DailyRecord], family: str) -> DailyRecord:
    """Join a family's IC of all targets and its ICs of the p pairs of markets.

    Returns a record of (n, 1 + p) values; NaN where a pair of markets has no IC.
    """
    whole = records[family, *WHOLE]
    parts = [
        record for (name, by, _), record in records.items() if (name, by) == (family, "markets")
    ]
    values = np.full((len(whole.date_ids), 1 + len(parts)), np.nan)
    values[:, 0] = whole.values
    for column, part in enumerate(parts, 1):
        shared = np.isin(part.date_ids, whole.date_ids)
        rows = np.searchsorted(whole.date_ids, part.date_ids[shared])
        values[rows, column] = part.values[shared]
    return DailyRecord(whole.date_ids, values)


def _read_measures(lake: Lake, table: Table, columns: str, end: date) -> pd.DataFrame:
    """Read rows known by a day, with the number of the day on which each became known."""
    names = [column.split(" AS ")[-1].strip('" ') for column in columns.split(",")]
    if not lake.has(table):
        return pd.DataFrame({name: [] for name in ("date_id", "day", "family", *names)})
    return lake.query(
        f"SELECT d.date_id, t.trading_day AS day, family, {columns} FROM {table.quoted} t"
        f" {KNOWN_ON_JOIN} WHERE t.released_on <= ?",
        [end],
    )


def _to_record(rows: pd.DataFrame) -> DailyRecord:
    rows = rows.sort_values("date_id")
    date_ids: IntArray = rows["date_id"].to_numpy(np.int64)
    return DailyRecord(date_ids, rows["value"].to_numpy(np.float64))

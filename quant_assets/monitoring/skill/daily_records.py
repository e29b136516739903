"""Daily figures of each family out of the lake, as records in the order of their release.

What they are compared with, and how, belongs elsewhere. Rows judged after the last day asked for
are never read.
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
from quant_assets.monitoring.rows import KNOWN_ON
from quant_assets.monitoring.skill.champion_periods import ChampionPeriod, read_own_record
from quant_assets.monitoring.skill.reference_window import DailyRecord

SUBMITTED_FAMILY, ENSEMBLE_FAMILY = SUBMITTED_NAME, "ensemble"
Part = tuple[str, str, str]
"""Family, by what it is a part, and which."""
WHOLE = ("all", "")
_SAME = 1e-9


def read_daily_records(
    lake: Lake, families: Sequence[str], end: date, reign: ChampionPeriod | None = None
) -> dict[Part, DailyRecord]:
    """The daily IC of each family, and its figures by part, released by a day.

    What is published takes over the record of its champion, before the reign; without one that of
    the ensemble, before its first day.
    """
    rows = pd.concat(
        [
            _read(lake, PERFORMANCE, "'all' AS \"by\", '' AS part, ic AS value", end),
            _read(lake, SLICES, '"by", part, value', end),
        ]
    )
    rows = rows[rows["family"].isin([SUBMITTED_FAMILY, ENSEMBLE_FAMILY, *families])]
    if reign and len(own := read_own_record(lake, reign, end)):
        rows = extend_champion(rows, own, reign.since)
    else:
        rows = extend_submitted(rows)
    return {
        (str(family), str(by), str(part)): _record(of_part)
        for (family, by, part), of_part in rows.groupby(["family", "by", "part"], sort=True)
    }


def read_agreement_records(
    lake: Lake, families: Sequence[str], end: date
) -> dict[str, DailyRecord]:
    """The mean rank correlation of each family's forecast with those of the other families."""
    pairs = _read(lake, AGREEMENT, "other, value", end)
    pairs = pairs[pairs["family"].isin(families) & pairs["other"].isin(families)]
    turned = pairs.rename(columns={"family": "other", "other": "family"})
    both = pd.concat([pairs, turned])
    mean = both.groupby(["family", "number"], sort=True)["value"].mean().reset_index()
    return {str(name): _record(of_family) for name, of_family in mean.groupby("family")}


def extend_submitted(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and before the first that was published the ensemble's in its name."""
    published = rows["family"] == SUBMITTED_FAMILY
    if not published.any():
        return rows
    first = rows["number"][published].min()
    before = rows[_passed_on(rows) & (rows["number"] < first)]
    result: pd.DataFrame = pd.concat([rows, before.assign(family=SUBMITTED_FAMILY)])
    return result


def extend_champion(rows: pd.DataFrame, record: pd.DataFrame, since: date) -> pd.DataFrame:
    """The rows, those published before a reign as if its champion had been in force already.

    Args:
        rows: number, day, family, by, part and value of every family's daily figures.
        record: number, day and value: the champion's ICs before its reign.
        since: first day of the reign.

    The ensemble's figures by part stand for the champion's on days on which both have the same IC:
    it is then the ensemble of the champion's recipe. Of other days there are none.
    """
    before = rows["day"] < np.datetime64(since)
    whole = rows["by"] == "all"
    of_ensemble = before & (rows["family"] == ENSEMBLE_FAMILY)
    both = rows[of_ensemble & whole].merge(record, on="day", suffixes=("", "_own"))
    same = rows["day"].isin(both["day"][(both["value"] - both["value_own"]).abs() < _SAME])
    kept = rows[~(before & (rows["family"] == SUBMITTED_FAMILY))]
    parts = rows[_passed_on(rows) & before & ~whole & same].assign(family=SUBMITTED_FAMILY)
    own = record.assign(family=SUBMITTED_FAMILY, by="all", part="")
    result: pd.DataFrame = pd.concat([kept, parts, own], ignore_index=True)
    return result


def _passed_on(rows: pd.DataFrame) -> pd.Series:
    """The ensemble's rows, but those of its intervals: no other forecast has any."""
    return (rows["family"] == ENSEMBLE_FAMILY) & (rows["by"] != "interval")


def choose_judged_family(families: Container[str]) -> str:
    """Whose performance people are told of, of those judged: what is published, or the ensemble."""
    return SUBMITTED_FAMILY if SUBMITTED_FAMILY in families else ENSEMBLE_FAMILY


def ic_by_markets(records: Mapping[Part, DailyRecord], family: str) -> DailyRecord:
    """(n, 1 + p) ICs of a family: of all targets, and of each pair of markets, NaN without."""
    whole = records[family, *WHOLE]
    parts = [one for (name, by, _), one in records.items() if (name, by) == (family, "markets")]
    values = np.full((len(whole.numbers), 1 + len(parts)), np.nan)
    values[:, 0] = whole.values
    for column, part in enumerate(parts, 1):
        held = np.isin(part.numbers, whole.numbers)
        values[np.searchsorted(whole.numbers, part.numbers[held]), column] = part.values[held]
    return DailyRecord(whole.numbers, values)


def _read(lake: Lake, table: Table, columns: str, end: date) -> pd.DataFrame:
    """Rows with the number of the day on which they became known; none if nothing was judged."""
    names = [one.split(" AS ")[-1].strip('" ') for one in columns.split(",")]
    if not lake.has(table):
        return pd.DataFrame({name: [] for name in ("number", "day", "family", *names)})
    return lake.query(
        f"SELECT d.date_id AS number, t.trading_day AS day, family, {columns} FROM {table.quoted} t"
        f" {KNOWN_ON} WHERE t.released_on <= ?",
        [end],
    )


def _record(rows: pd.DataFrame) -> DailyRecord:
    rows = rows.sort_values("number")
    numbers: IntArray = rows["number"].to_numpy(np.int64)
    return DailyRecord(numbers, rows["value"].to_numpy(np.float64))

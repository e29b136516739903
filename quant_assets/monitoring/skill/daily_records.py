"""Daily figures of each family out of the lake, as records in the order of their release.

What they are compared with, and how, belongs elsewhere. Rows judged after the last day asked for
are never read.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import IntArray
from quant_assets.lake.schemas.promotion_tables import PUBLISHED_AS
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, PERFORMANCE, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.rows import KNOWN_ON
from quant_assets.monitoring.skill.champion_periods import Reign, own_record
from quant_assets.monitoring.skill.reference_window import Record

PUBLISHED, ENSEMBLE = PUBLISHED_AS, "ensemble"
Part = tuple[str, str, str]
"""Family, by what it is a part, and which."""
WHOLE = ("all", "")
_SAME = 1e-9


def daily_records(
    lake: Lake, families: Sequence[str], end: date, reign: Reign | None = None
) -> dict[Part, Record]:
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
    rows = rows[rows["family"].isin([PUBLISHED, ENSEMBLE, *families])]
    if reign and len(own := own_record(lake, reign, end)):
        rows = as_if_always(rows, own, reign.since)
    else:
        rows = with_published(rows)
    return {
        (str(family), str(by), str(part)): _record(of_part)
        for (family, by, part), of_part in rows.groupby(["family", "by", "part"], sort=True)
    }


def agreement_records(lake: Lake, families: Sequence[str], end: date) -> dict[str, Record]:
    """The mean rank correlation of each family's forecast with those of the other families."""
    pairs = _read(lake, AGREEMENT, "other, value", end)
    pairs = pairs[pairs["family"].isin(families) & pairs["other"].isin(families)]
    turned = pairs.rename(columns={"family": "other", "other": "family"})
    both = pd.concat([pairs, turned])
    mean = both.groupby(["family", "number"], sort=True)["value"].mean().reset_index()
    return {str(name): _record(of_family) for name, of_family in mean.groupby("family")}


def with_published(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and before the first that was published the ensemble's in its name."""
    published = rows["family"] == PUBLISHED
    if not published.any():
        return rows
    first = rows["number"][published].min()
    before = rows[_passed_on(rows) & (rows["number"] < first)]
    result: pd.DataFrame = pd.concat([rows, before.assign(family=PUBLISHED)])
    return result


def as_if_always(rows: pd.DataFrame, record: pd.DataFrame, since: date) -> pd.DataFrame:
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
    of_ensemble = before & (rows["family"] == ENSEMBLE)
    both = rows[of_ensemble & whole].merge(record, on="day", suffixes=("", "_own"))
    same = rows["day"].isin(both["day"][(both["value"] - both["value_own"]).abs() < _SAME])
    kept = rows[~(before & (rows["family"] == PUBLISHED))]
    parts = rows[_passed_on(rows) & before & ~whole & same].assign(family=PUBLISHED)
    own = record.assign(family=PUBLISHED, by="all", part="")
    result: pd.DataFrame = pd.concat([kept, parts, own], ignore_index=True)
    return result


def _passed_on(rows: pd.DataFrame) -> pd.Series:
    """The ensemble's rows, but those of its intervals: no other forecast has any."""
    return (rows["family"] == ENSEMBLE) & (rows["by"] != "interval")


def judged_family(families: Container[str]) -> str:
    """Whose performance people are told of, of those judged: what is published, or the ensemble."""
    return PUBLISHED if PUBLISHED in families else ENSEMBLE


def by_markets(records: Mapping[Part, Record], family: str) -> Record:
    """(n, 1 + p) ICs of a family: of all targets, and of each pair of markets, NaN without."""
    whole = records[family, *WHOLE]
    parts = [one for (name, by, _), one in records.items() if (name, by) == (family, "markets")]
    values = np.full((len(whole.numbers), 1 + len(parts)), np.nan)
    values[:, 0] = whole.values
    for column, part in enumerate(parts, 1):
        held = np.isin(part.numbers, whole.numbers)
        values[np.searchsorted(whole.numbers, part.numbers[held]), column] = part.values[held]
    return Record(whole.numbers, values)


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


def _record(rows: pd.DataFrame) -> Record:
    rows = rows.sort_values("number")
    numbers: IntArray = rows["number"].to_numpy(np.int64)
    return Record(numbers, rows["value"].to_numpy(np.float64))

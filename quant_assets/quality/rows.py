"""Conversion of cleaned prices to rows of the lake's tables."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.lake.readers.prices import series_keys
from quant_assets.quality.cleaning import CellFlag, CleanedTable


def validated_rows(cleaned: CleanedTable, start: date, end: date | None = None) -> dict[str, Any]:
    """Convert cleaned prices of a range of days to rows of ``validated.prices``.

    Args:
        cleaned: the cleaned prices.
        start: first day.
        end: last day; by default the last of the prices.
    """
    keep = cleaned.days >= np.datetime64(start)
    keep &= True if end is None else cleaned.days <= np.datetime64(end)
    flags = cleaned.flags[keep].ravel()
    combinations = [flag_text(code) for code in range(int(sum(CellFlag)) + 1)]
    return {
        **series_keys(cleaned.days[keep], cleaned.date_ids[keep], cleaned.series),
        "value": cleaned.value[keep].ravel(),
        "filled": cleaned.filled[keep].ravel(),
        "flag": pa.DictionaryArray.from_arrays(
            pa.array(flags.astype(np.int32), mask=flags == 0), pa.array(combinations)
        ),
    }


def quarantine_rows(cleaned: CleanedTable, start: date) -> dict[str, Any]:
    """Convert rejected cells from ``start`` on to rows of ``validated.quarantine``."""
    rejected = cleaned.quarantine
    days = rejected["trading_day"].to_numpy().astype("datetime64[D]")
    kept = rejected[days >= np.datetime64(start)]
    return {
        **{name: kept[name].tolist() for name in kept.columns},
        "trading_day": days[days >= np.datetime64(start)],
    }


def flag_text(code: int) -> str:
    """Return the names of the flags set in a code, joined by commas."""
    return ",".join(str(flag.name).lower() for flag in CellFlag if flag & code)

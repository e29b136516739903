"""Rows of tables that keep live rows, as a load over the history stores them."""

from collections.abc import Mapping
from typing import Any


def as_history(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Add the origin of the history to rows, which a later write replaces."""
    count = len(rows["trading_day"])
    return {**rows, "origin": ["history"] * count, "stored_at": [None] * count}

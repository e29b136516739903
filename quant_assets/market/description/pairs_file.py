"""Reading targets from a CSV file with the columns target, lag and pair.

A pair is one leg, or two joined by ``" - "``; a leg is an instrument or its close series. Targets
that follow from a rule belong in ``targets``.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.csv_table import Row, read_table, require_column
from quant_assets.market.description.targets import PairsFile
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.targets import TargetPairs

_BETWEEN_LEGS = " - "
_MOST_DIGITS = 9
Legs = tuple[str, str | None]
FindLeg = Callable[[str], str | None]


def read_pairs(
    rule: PairsFile, folder: Path, find_leg: FindLeg, known: tuple[str, ...]
) -> TargetPairs:
    """Read the targets of a file, in its order.

    Args:
        rule: which file, and the lags that it may have.
        folder: where the file lies.
        find_leg: returns the instrument of a leg, None if there is none.
        known: names of instruments, for hints.

    Raises:
        MarketError: the file cannot be read, or a target, lag or leg cannot be used.
    """
    table = read_table(folder / rule.file)
    for column in ("target", "lag", "pair"):
        require_column(table, column)
    lines: dict[str, int] = {}
    lags: list[int] = []
    legs: list[Legs] = []
    for row in table.rows:
        target = row.cells["target"]
        if not target or target in lines:
            raise row.error(
                "two targets have one name" if target else "a target has no name",
                "target",
                expected="every name once",
                found=f"{quote(target)}, also on line {lines[target]}" if target else "nothing",
            )
        lines[target] = row.line
        lags.append(_read_lag(row, rule.horizons))
        legs.append(_read_legs(row, find_leg, known))
    return TargetPairs(
        tuple(lines),
        np.array(lags, dtype=np.int64),
        tuple(first for first, _ in legs),
        tuple(second for _, second in legs),
    )


def _read_lag(row: Row, allowed: tuple[int, ...]) -> int:
    text = row.cells["lag"]
    whole = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not whole or int(text) < 1 or (allowed and int(text) not in allowed):
        expected = f"one of {list_names(map(str, allowed))}" if allowed else "a whole number from 1"
        raise row.error("a lag cannot be used", "lag", expected=expected)
    return int(text)


def _read_legs(row: Row, find_leg: FindLeg, known: tuple[str, ...]) -> Legs:
    """Split a pair where both sides are legs: a name may itself hold the separator."""
    words = row.cells["pair"].split(_BETWEEN_LEGS)
    sides = [
        (_BETWEEN_LEGS.join(words[:i]), _BETWEEN_LEGS.join(words[i:])) for i in range(1, len(words))
    ]
    found: list[Legs] = [
        (first, second)
        for first, second in ((find_leg(a), find_leg(b)) for a, b in sides)
        if first is not None and second is not None
    ]
    whole = find_leg(row.cells["pair"])
    if whole is not None and not found:
        return whole, None
    if len(found) == 1 and found[0][0] != found[0][1]:
        return found[0]
    if found:
        raise row.error(
            "a target's legs are the same" if len(found) == 1 else "a pair can be read in two ways",
            "pair",
            expected="two different instruments",
        )
    raise _unknown_leg(row, words, find_leg, known)


def _unknown_leg(
    row: Row, words: list[str], find_leg: FindLeg, known: tuple[str, ...]
) -> MarketError:
    unknown = next((word for word in words if find_leg(word) is None), row.cells["pair"])
    return row.error(
        "a target's leg is not an instrument",
        "pair",
        expected="one instrument or its close, or two joined by ' - '",
        found=quote(unknown) if unknown else "nothing",
        hint=suggest_names(unknown, known, "add the instrument to the description"),
    )

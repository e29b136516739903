"""Reading the targets from the competition's ``target_pairs.csv``, with a check of every row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quant_assets.market.instruments import parse_column
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.competition.csv_text import read_small_file
from quant_assets.sources.competition.file_errors import file_error, quote, suggest_names
from quant_assets.sources.competition.folder_files import COMPETITION_LAGS

_BETWEEN_LEGS = " - "


def read_pairs_file(path: Path, series: Sequence[str], expected_targets: int | None) -> TargetPairs:
    """Read the targets in submission order; legs are named as instruments.

    Args:
        path: file with the columns target, lag, pair.
        series: the series with prices; every leg must be a close among them.
        expected_targets: required number of rows; None for any number.

    Raises:
        SourceError: a row is malformed, repeated or out of order, a leg is not a close, or there
            are more or fewer rows than expected.
    """
    closes = {name: parse_column(name) for name in series}
    closes = {name: parsed for name, parsed in closes.items() if parsed.field == "close"}
    lags: list[int] = []
    legs: list[list[str]] = []
    for line, (target, lag, pair) in read_small_file(path, ("target", "lag", "pair")):
        _check_target(path, line, target, f"target_{len(lags)}")
        lags.append(_parse_lag(path, line, lag))
        names = pair.split(_BETWEEN_LEGS)
        _check_legs(path, line, names, list(closes), series)
        legs.append([closes[name].instrument for name in names])
    if expected_targets not in (None, len(lags)):
        raise file_error(
            "wrong number of targets",
            path,
            line=len(lags) + 1,
            expected=f"{expected_targets} rows, up to target_{expected_targets - 1}",
            found=f"{len(lags)} rows, up to target_{len(lags) - 1}",
        )
    return TargetPairs(
        targets=tuple(f"target_{i}" for i in range(len(lags))),
        lags=np.array(lags, dtype=np.int64),
        leg_a=tuple(leg[0] for leg in legs),
        leg_b=tuple(leg[1] if len(leg) > 1 else None for leg in legs),
    )


def _check_target(path: Path, line: int, target: str, expected: str) -> None:
    if target == expected:
        return
    count = int(expected.removeprefix("target_"))
    repeated = target in {f"target_{i}" for i in range(count)}
    raise file_error(
        "a target occurs twice" if repeated else "a target is out of order",
        path,
        line=line,
        column="target",
        expected=expected,
        found=quote(target),
        hint="targets are numbered from 0 without gaps; sort the rows and remove repeated ones",
    )


def _parse_lag(path: Path, line: int, text: str) -> int:
    if text not in {str(lag) for lag in COMPETITION_LAGS}:
        raise file_error(
            "a lag is out of range",
            path,
            line=line,
            column="lag",
            expected=f"a whole number from 1 to {COMPETITION_LAGS[-1]}",
            found=quote(text),
            hint="correct the row",
        )
    return int(text)


def _check_legs(
    path: Path, line: int, legs: list[str], closes: list[str], series: Sequence[str]
) -> None:
    if len(legs) > 2:
        raise file_error(
            "a pair has more than two legs",
            path,
            line=line,
            column="pair",
            expected="one close, or two with ' - ' between them",
            found=quote(_BETWEEN_LEGS.join(legs)),
            hint="correct the row",
        )
    for leg in legs:
        if leg not in closes:
            raise file_error(
                "a leg is not a close" if leg in series else "a pair names an unknown series",
                path,
                line=line,
                column="pair",
                expected="a closing price of train.csv",
                found=quote(leg),
                hint=suggest_names(leg, closes, "train.csv must hold the closes of all pairs"),
            )

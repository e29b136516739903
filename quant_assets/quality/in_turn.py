"""Validation of the parts of a large table, each while the next part is computed.

A part is judged by itself, so that neither process holds the whole table. An expectation that
most rows meet has to be met by most rows of each part.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from quant_assets.quality.worker import validate_in_worker

if TYPE_CHECKING:
    import pandas as pd

    from quant_assets.quality.expectations import Suite, SuiteResult

_CELLS_AT_ONCE = 40_000_000


class ResultsInTurn:
    """The results of a suite over parts of a table, within a context.

    Args:
        suite: the expectations.
    """

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._results: list[SuiteResult] = []
        self._running: Future[list[SuiteResult]] | None = None
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def add(self, frame: "pd.DataFrame") -> None:
        """Begin to validate a part, once the part before is done.

        Args:
            frame: whole days of the table; a part without rows is left out.

        Raises:
            QualityError: the validation of the part before ended early.
        """
        self._finish()
        if len(frame):
            self._running = self._pool.submit(_validate, self._suite, frame)

    def joined(self) -> "SuiteResult | None":
        """Return the result over all parts; None without rows.

        Raises:
            QualityError: the validation of the last part ended early.
        """
        self._finish()
        return _join(self._results) if self._results else None

    def _finish(self) -> None:
        if self._running is not None:
            self._results += self._running.result()
            self._running = None


def validate_blocks(suite: "Suite", frames: "Iterable[pd.DataFrame]") -> "SuiteResult | None":
    """Validate the parts of a table, and return the result over all; None without rows.

    Args:
        suite: the expectations.
        frames: parts of whole days.

    Raises:
        QualityError: the validation of a part ended early.
    """
    with ResultsInTurn(suite) as results:
        for frame in frames:
            results.add(frame)
        return results.joined()


def validate_in_pieces(suite: "Suite", frame: "pd.DataFrame") -> "SuiteResult":
    """Validate a table, whose days are cut into pieces if it has many rows.

    Raises:
        QualityError: the validation ended early.
    """
    return _join(_validate(suite, frame))


def _join(results: "Sequence[SuiteResult]") -> "SuiteResult":
    """Join the results of one suite over parts of a table; a part that fails fails the table.

    Args:
        results: results of the parts, one at least.
    """
    import pandas as pd

    from quant_assets.quality.expectations import SHOWN_ROWS, SuiteResult

    first = results[0]
    if len(results) == 1:
        return first
    outcomes = tuple(
        replace(
            parts[0],
            passed=all(part.passed for part in parts),
            unexpected_count=None
            if parts[0].unexpected_count is None
            else sum(part.unexpected_count or 0 for part in parts),
        )
        for parts in zip(*(result.outcomes for result in results), strict=True)
    )
    failing = pd.concat([result.failing for result in results], ignore_index=True)
    passed = all(result.passed for result in results)
    rows = sum(result.rows for result in results)
    return SuiteResult(first.name, passed, rows, outcomes, failing.head(SHOWN_ROWS))


def _validate(suite: "Suite", frame: "pd.DataFrame") -> "list[SuiteResult]":
    if frame.size <= _CELLS_AT_ONCE or "trading_day" not in suite.keys:
        return [validate_in_worker(suite, frame)]
    return [validate_in_worker(suite, piece) for piece in _cut(frame)]


def _cut(frame: "pd.DataFrame") -> "Iterator[pd.DataFrame]":
    """Cut rows in the order of days into pieces of whole days."""
    days = frame["trading_day"].to_numpy()
    rows = max(_CELLS_AT_ONCE // max(frame.shape[1], 1), 1)
    start = 0
    while start < len(frame):
        stop = start + rows
        if stop < len(frame):
            stop = int(days.searchsorted(days[stop]))
            stop = stop if stop > start else int(days.searchsorted(days[start], side="right"))
        yield frame.iloc[start:stop]
        start = stop

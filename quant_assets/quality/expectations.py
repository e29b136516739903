"""Suites of expectations as plain data, and Great Expectations to check them.

Which suites there are is said in ``quality.suites``. Great Expectations takes four seconds to
import, so it is imported when the first suite is validated and never before.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

View = Callable[[pd.DataFrame], pd.DataFrame]
SHOWN_ROWS = 20


@dataclass(frozen=True)
class Expectation:
    """One expectation.

    Attributes:
        kind: class of Great Expectations, e.g. ``ExpectColumnValuesToNotBeNull``.
        columns: none for an expectation of the whole table, one, or those it compares.
        meaning: what holds if it is met, in plain words.
        parameters: further arguments of the class.
        view: what is checked, made from the frame, its rows labelled uniquely; None for the frame.
    """

    kind: str
    columns: tuple[str, ...]
    meaning: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    view: View | None = None


Numbered = Sequence[tuple[int, Expectation]]


@dataclass(frozen=True)
class Suite:
    """Expectations of one table of long format.

    Attributes:
        name: short name, usable as the name of a check.
        description: what a pass says about the table.
        keys: columns that name a row; they must exist.
        expectations: about ten; their number does not grow with the table.
        columns: further columns that must exist.
    """

    name: str
    description: str
    keys: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpectationResult:
    """What became of one expectation.

    Attributes:
        expectation: its name in Great Expectations.
        column: what it is about, several joined by commas; empty for the whole table.
        passed: whether it is met.
        unexpected_count: rows that break it; None where rows are not counted.
        meaning: what holds if it is met.
    """

    expectation: str
    column: str
    passed: bool
    unexpected_count: int | None
    meaning: str


@dataclass(frozen=True)
class SuiteResult:
    """What became of a suite.

    Attributes:
        name: the suite's.
        passed: whether every expectation is met.
        rows: rows of the frame.
        outcomes: one for each expectation, in the suite's order.
        failing: up to 20 rows that break one, shared among those not met: the suite's keys,
            column, value (as text), reason.
    """

    name: str
    passed: bool
    rows: int
    outcomes: tuple[ExpectationResult, ...]
    failing: pd.DataFrame


def prepare() -> None:
    """Do what the first validation would otherwise wait for."""
    _frames()


def validate_suite(suite: Suite, frame: pd.DataFrame) -> SuiteResult:
    """Check a frame, in memory and without touching it.

    A missing column fails the suite by itself: nothing else is then checked. An expectation that
    cannot be evaluated, a number compared with text for example, is not met.
    """
    missing = [name for name in (*suite.keys, *suite.columns) if name not in frame]
    if missing:
        absent = [_outcome("ExpectColumnToExist", (name,), "the column exists") for name in missing]
        return _result(
            suite, len(frame), absent, [_reason(suite, m, "column missing") for m in missing]
        )
    frame = _with_categories(frame.reset_index(drop=True))
    found: dict[int, tuple[ExpectationResult, pd.DataFrame]] = {}
    with _batch_definition() as definition:
        for view in dict.fromkeys(expect.view for expect in suite.expectations):
            part = frame if view is None else view(frame)
            numbered = [(i, e) for i, e in enumerate(suite.expectations) if e.view is view]
            found |= _validate_part(definition, suite, part, numbered)
    in_order = [found[i] for i in range(len(suite.expectations))]
    return _result(suite, len(frame), [o for o, _ in in_order], [rows for _, rows in in_order])


def _result(
    suite: Suite, rows: int, outcomes: Sequence[ExpectationResult], failing: Sequence[pd.DataFrame]
) -> SuiteResult:
    filled = [part for part in failing if len(part)]
    columns = [*suite.keys, "column", "value", "reason"]
    each = [part.head(max(1, SHOWN_ROWS // len(filled))) for part in filled]
    shown = pd.concat(each, ignore_index=True) if each else pd.DataFrame(columns=columns)
    passed = all(outcome.passed for outcome in outcomes)
    return SuiteResult(suite.name, passed, rows, tuple(outcomes), shown[columns].head(SHOWN_ROWS))


def _validate_part(
    definition: Any, suite: Suite, part: pd.DataFrame, numbered: Numbered
) -> dict[int, tuple[ExpectationResult, pd.DataFrame]]:
    used = list(dict.fromkeys(name for _, expect in numbered for name in expect.columns))
    results = _run(definition, part[used or part.columns[:1].tolist()], numbered)
    found = {}
    for number, expect in numbered:
        result = results[number]
        counted = result.result.get("unexpected_count")
        outcome = _outcome(expect.kind, expect.columns, expect.meaning, result.success, counted)
        failing = pd.DataFrame()
        if not result.success:
            labels = result.result.get("partial_unexpected_index_list") or []
            failing = (
                _failing_rows(suite, part, expect, labels)
                if labels
                else _reason(suite, ", ".join(expect.columns), _why(expect, result))
            )
        found[number] = outcome, failing
    return found


def _run(definition: Any, part: pd.DataFrame, numbered: Numbered) -> dict[int, Any]:
    """Results of Great Expectations by number; it returns them in an order of its own.

    The labels of failing rows take it a quarter of its time: they are asked for where there are
    any.
    """
    batch = definition.get_batch({"dataframe": part})

    def validate(chosen: Numbered, result_format: str) -> dict[int, Any]:
        built = [_build(expect, number) for number, expect in chosen]
        results = batch.validate(
            _library().ExpectationSuite(definition.name, expectations=built),
            result_format={
                "result_format": result_format,
                "partial_unexpected_count": SHOWN_ROWS,
            },
        ).results
        return {result.expectation_config.meta["number"]: result for result in results}

    results = validate(numbered, "BASIC")
    failed = [(number, expect) for number, expect in numbered if not results[number].success]
    return results | validate(failed, "SUMMARY") if failed else results


@contextmanager
def _batch_definition() -> Iterator[Any]:
    """Where to hand frames to; afterwards they are forgotten."""
    source, definition = _frames()
    try:
        yield definition
    finally:
        source.get_execution_engine().batch_manager.reset_batch_cache()


@cache
def _frames() -> tuple[Any, Any]:
    """A source of frames and what is made of them; to make one takes as long as to validate."""
    source = _context().data_sources.add_pandas("frames")
    return source, source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("frame")


@cache
def _library() -> Any:
    """Great Expectations, imported when first asked for."""
    with warnings.catch_warnings():
        # It imports modules that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("great_expectations")


@cache
def _context() -> Any:
    """A context in memory, without progress bars and without usage statistics."""
    context = _library().get_context(mode="ephemeral")
    bars = _library().data_context.types.base.ProgressBarsConfig
    context.variables.progress_bars = bars(globally=False)
    context.enable_analytics(enable=False)
    return context


def _build(expect: Expectation, number: int) -> Any:
    columns: dict[str, Any]
    if expect.kind.startswith("ExpectTable"):
        columns = {}
    elif expect.kind.startswith("ExpectColumnPair"):
        columns = dict(zip(("column_A", "column_B"), expect.columns, strict=True))
    elif expect.kind.startswith(("ExpectCompound", "ExpectMulticolumn")):
        columns = {"column_list": list(expect.columns)}
    else:
        columns = {"column": expect.columns[0]}
    build = getattr(_library().expectations, expect.kind)
    return build(**columns, **expect.parameters, meta={"number": number})


def _with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text as categories: a million strings take seconds to compare."""
    text = frame.select_dtypes("object").columns
    return frame.astype(dict.fromkeys(text, "category")) if len(text) else frame


def _failing_rows(
    suite: Suite, part: pd.DataFrame, expect: Expectation, labels: Iterable[Any]
) -> pd.DataFrame:
    rows = part.loc[list(labels)]
    values = [
        ", ".join(map(str, row)) for row in rows[list(expect.columns)].itertuples(index=False)
    ]
    described = {"column": ", ".join(expect.columns), "value": values, "reason": expect.meaning}
    keys = rows.reindex(columns=list(suite.keys)).astype(object)
    return keys.assign(**described)


def _reason(suite: Suite, column: str, reason: str) -> pd.DataFrame:
    described = {"column": [column], "value": [None], "reason": [reason]}
    return pd.DataFrame({key: [None] for key in suite.keys} | described, dtype=object)


def _why(expect: Expectation, result: Any) -> str:
    observed = result.result.get("observed_value")
    if observed is not None:
        return f"{expect.meaning}; found {observed}"
    text = str(result.exception_info)
    message = re.search(r"'exception_message': (['\"])(.*?)\1", text)
    return f"{expect.meaning}; could not be evaluated: {message[2] if message else text[:200]}"


def _outcome(
    kind: str,
    columns: tuple[str, ...],
    meaning: str,
    passed: bool = False,
    unexpected_count: int | None = None,
) -> ExpectationResult:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    return ExpectationResult(name, ", ".join(columns), bool(passed), unexpected_count, meaning)

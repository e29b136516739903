"""Suites of expectations as plain data, and their validation by Great Expectations.

The suites are declared in ``quality.suites``. Great Expectations takes four seconds to import, so
it is imported when the first suite is validated and never before.
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
    """An expectation about a table.

    Attributes:
        kind: class of Great Expectations, e.g. ``ExpectColumnValuesToNotBeNull``.
        columns: the columns that it checks or compares; empty for the whole table.
        meaning: statement that is true if the expectation is met, in plain words.
        parameters: further arguments of the class.
        view: computes the frame to check, with unique row labels; None checks the table's frame.
    """

    kind: str
    columns: tuple[str, ...]
    meaning: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    view: View | None = None


Numbered = Sequence[tuple[int, Expectation]]


@dataclass(frozen=True)
class Suite:
    """Expectations about a table of long format.

    Attributes:
        name: short name, usable as the name of a check.
        description: statement that is true if the suite passes.
        keys: columns that identify a row; they must exist.
        expectations: the expectations; their number does not grow with the table.
        columns: further columns that must exist.
    """

    name: str
    description: str
    keys: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpectationResult:
    """The result of an expectation.

    Attributes:
        expectation: name of the expectation in Great Expectations.
        column: names of its columns, joined by commas; empty for the whole table.
        passed: whether the expectation is met.
        unexpected_count: number of rows that break it; None if rows are not counted.
        meaning: statement that is true if the expectation is met.
    """

    expectation: str
    column: str
    passed: bool
    unexpected_count: int | None
    meaning: str


@dataclass(frozen=True)
class SuiteResult:
    """The result of a suite.

    Attributes:
        name: name of the suite.
        passed: whether every expectation is met.
        rows: number of rows of the frame.
        outcomes: a result for each expectation, in the suite's order.
        failing: up to 20 rows that break expectations, shared among the broken expectations. The
            columns are the suite's keys, column, value (as text), reason.
    """

    name: str
    passed: bool
    rows: int
    outcomes: tuple[ExpectationResult, ...]
    failing: pd.DataFrame


def prepare() -> None:
    """Import Great Expectations and create its context, so that validations do not wait."""
    _frames()


def validate_suite(suite: Suite, frame: pd.DataFrame) -> SuiteResult:
    """Validate a frame by a suite, in memory and without changing the frame.

    If a column is missing, the suite fails and nothing else is checked. An expectation that cannot
    be evaluated is not met, for example if numbers are compared with text.
    """
    missing = [name for name in (*suite.keys, *suite.columns) if name not in frame]
    if missing:
        absent = [_outcome("ExpectColumnToExist", (name,), "the column exists") for name in missing]
        return _result(
            suite, len(frame), absent, [_reason(suite, m, "column missing") for m in missing]
        )
    frame = _with_categories(frame.reset_index(drop=True))
    results: dict[int, tuple[ExpectationResult, pd.DataFrame]] = {}
    with _batch_definition() as definition:
        for view in dict.fromkeys(expect.view for expect in suite.expectations):
            part = frame if view is None else view(frame)
            numbered = [(i, e) for i, e in enumerate(suite.expectations) if e.view is view]
            results |= _validate_part(definition, suite, part, numbered)
    in_order = [results[i] for i in range(len(suite.expectations))]
    return _result(suite, len(frame), [o for o, _ in in_order], [rows for _, rows in in_order])


def _result(
    suite: Suite, rows: int, outcomes: Sequence[ExpectationResult], failing: Sequence[pd.DataFrame]
) -> SuiteResult:
    filled = [part for part in failing if len(part)]
    columns = [*suite.keys, "column", "value", "reason"]
    heads = [part.head(max(1, SHOWN_ROWS // len(filled))) for part in filled]
    shown = pd.concat(heads, ignore_index=True) if heads else pd.DataFrame(columns=columns)
    passed = all(outcome.passed for outcome in outcomes)
    return SuiteResult(suite.name, passed, rows, tuple(outcomes), shown[columns].head(SHOWN_ROWS))


def _validate_part(
    definition: Any, suite: Suite, part: pd.DataFrame, numbered: Numbered
) -> dict[int, tuple[ExpectationResult, pd.DataFrame]]:
    used = list(dict.fromkeys(name for _, expect in numbered for name in expect.columns))
    results = _run(definition, part[used or part.columns[:1].tolist()], numbered)
    outcomes = {}
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
        outcomes[number] = outcome, failing
    return outcomes


def _run(definition: Any, part: pd.DataFrame, numbered: Numbered) -> dict[int, Any]:
    """Return the results of Great Expectations by number, because their order is arbitrary.

    Labels of failing rows take a quarter of the time, so they are requested for failed expectations
    only.
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
    """Yield the batch definition that takes frames, and drop its frames afterwards."""
    source, definition = _frames()
    try:
        yield definition
    finally:
        source.get_execution_engine().batch_manager.reset_batch_cache()


@cache
def _frames() -> tuple[Any, Any]:
    """Create a data source and its batch definition once; this takes as long as a validation."""
    source = _context().data_sources.add_pandas("frames")
    return source, source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("frame")


@cache
def _library() -> Any:
    """Import Great Expectations on the first call, and return it."""
    with warnings.catch_warnings():
        # It imports modules that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("great_expectations")


@cache
def _context() -> Any:
    """Create a context in memory, without progress bars and without usage statistics."""
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
    """Convert text to categories, because a million strings take seconds to compare."""
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

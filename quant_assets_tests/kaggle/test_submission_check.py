"""Submission files as people write them: what the check says of each, and the official score."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from scipy.stats import spearmanr
from typer.testing import CliRunner

from quant_assets.cli import app
from quant_assets.core.errors import SubmissionError
from quant_assets.core.typing import FloatArray
from quant_assets.kaggle.official_score import EMPTY, score_officially
from quant_assets.kaggle.submission_check import CheckedSubmission, check_submission
from quant_assets.kaggle.submission_file import read_file
from quant_assets.market.description.reading import competition_description
from quant_assets.sources.competition.folder import TARGETS

NAMES = competition_description().submission.columns(TARGETS)
DAYS = np.arange(1827, 1837)
RNG = np.random.default_rng(1)
VALUES = RNG.normal(size=(len(DAYS), TARGETS))
LABELS = VALUES + RNG.normal(scale=3.0, size=VALUES.shape)
LABELS[RNG.random(LABELS.shape) < 0.1] = np.nan


def frame_of(values: FloatArray = VALUES) -> pd.DataFrame:
    return pd.DataFrame(values, columns=list(NAMES)).assign(date_id=DAYS)[["date_id", *NAMES]]


def check(path: Path, labels: Path | None = None) -> CheckedSubmission:
    return check_submission(read_file(path), NAMES, read_file(labels) if labels else None)


def find_errors(path: Path) -> list[str]:
    return [problem.text for problem in check(path).problems if problem.severity == "error"]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    file = tmp_path / "train_labels.csv"
    earlier = frame_of(LABELS).assign(date_id=DAYS - 100)
    pd.concat([earlier, frame_of(LABELS)]).to_csv(file, index=False)
    return file


def expected_score(values: FloatArray, labels: FloatArray) -> float:
    ics = [
        spearmanr(value, label, nan_policy="omit").statistic
        for value, label in zip(values, labels, strict=True)
    ]
    return float(np.mean(ics) / np.std(ics))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_right_file_has_no_problem_and_the_official_score(
    tmp_path: Path, labels: Path, ending: str
) -> None:
    file = tmp_path / f"submission.{ending}"
    frame = frame_of()
    frame.to_csv(file, index=False) if ending == "csv" else frame.to_parquet(file, index=False)
    checked = check(file, labels)
    assert checked.problems == ()
    assert checked.score is not None
    assert checked.score.score == pytest.approx(expected_score(VALUES, LABELS), abs=1e-12)
    np.testing.assert_array_equal(checked.scored_days, DAYS)


def _write(path: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(path, index=False)


def _blank_line(path: Path) -> None:
    path.write_text("\n" + frame_of().to_csv(index=False))


def _four_times(path: Path) -> None:
    blocks = [frame_of().copy() for _ in range(4)]
    for i, block in enumerate(blocks):
        block.loc[:, [n for j, n in enumerate(NAMES) if j // 106 != i]] = np.nan
    _write(path, pd.concat(blocks))


def _text_in_parquet(path: Path) -> None:
    frame = frame_of().astype({NAMES[0]: str})
    write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


def _with(row: int, value: float) -> FloatArray:
    values = VALUES.copy()
    values[row] = value
    return values


def _one(row: int, column: int, value: float) -> FloatArray:
    values = VALUES.copy()
    values[row, column] = value
    return values


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "blank first line": (_blank_line, "line 1 is blank"),
    "sample_id": (
        lambda path: _write(path, frame_of().rename(columns={"date_id": "sample_id"})),
        "no column date_id; sample_id is there instead",
    ),
    "targets as text": (
        lambda path: _write(path, frame_of()[["date_id", *sorted(NAMES)]]),
        "sorted as text: target_10 is where target_2 is expected",
    ),
    "predictions": (
        lambda path: _write(
            path, frame_of().rename(columns=lambda name: name.replace("target", "prediction"))
        ),
        "424 of 424 columns are missing",
    ),
    "moments": (
        lambda path: _write(path, frame_of().assign(date_id=DAYS * 86_400 * 10**9)),
        "a moment, not a day's number",
    ),
    "no number": (
        lambda path: _write(path, frame_of().assign(date_id="2024-01-02")),
        "date_id of row 1 is 2024-01-02, not a whole number",
    ),
    "each day four times": (_four_times, "10 days have several rows, such as 1827 with 4"),
    "descending": (lambda path: _write(path, frame_of()[::-1]), "1835 follows 1836"),
    "missing": (
        lambda path: _write(path, frame_of(_one(3, 7, np.nan))),
        "1 days lack a forecast, the first day 1830",
    ),
    "infinite": (
        lambda path: _write(path, frame_of(_one(3, 7, np.inf))),
        "1 forecasts are infinite, the first on day 1830",
    ),
    "equal": (
        lambda path: _write(path, frame_of(_with(2, 0.5))),
        "1 days have equal forecasts for all targets, the first day 1829",
    ),
    "text": (
        lambda path: _write(path, frame_of().astype({NAMES[5]: object}).replace(VALUES[1, 5], "x")),
        "1 cells hold text, such as 'x' in target_5 of day 1828",
    ),
    "text in Parquet": (_text_in_parquet, "stored as string, not as numbers"),
    "no rows": (lambda path: _write(path, frame_of()[:0]), "no rows under the header"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_fault_is_named_alone(tmp_path: Path, case: str) -> None:
    write, expected = WRONG[case]
    file = tmp_path / "submission"
    write(file)
    errors = find_errors(file)
    assert expected in errors[0]
    assert len(errors) <= 2


def test_oddities_of_the_text_are_warnings_only(tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    text = frame_of().assign(date_id=DAYS.astype(float))[[*NAMES, "date_id"]].to_csv(index=False)
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    checked = check(file)
    assert not checked.fails
    texts = " ".join(problem.text for problem in checked.problems)
    assert "byte order mark" in texts
    assert "CR and LF" in texts
    assert "date_id is column 425, not the first" in texts


def test_a_day_without_a_row_is_an_error_where_it_has_labels(tmp_path: Path, labels: Path) -> None:
    file = tmp_path / "submission.csv"
    _write(file, frame_of().drop(index=4))
    assert not check(file).fails
    texts = [problem.text for problem in check(file, labels).problems]
    assert "1 days with labels have no row: 1831" in texts


def test_a_day_with_a_missing_forecast_drops_out_of_the_score(tmp_path: Path, labels: Path) -> None:
    known = int(np.flatnonzero(~np.isnan(LABELS[3]))[0])
    file = tmp_path / "submission.csv"
    _write(file, frame_of(_one(3, known, np.nan)))
    checked = check(file, labels)
    assert checked.score is not None
    kept = np.arange(len(DAYS)) != 3
    expected = expected_score(VALUES[kept], LABELS[kept])
    assert checked.score.score == pytest.approx(expected, abs=1e-12)
    assert any("drop out of the score, such as 1830" in p.text for p in checked.problems)


def test_a_solution_file_writes_empty_labels_as_a_number() -> None:
    written = np.where(np.isnan(LABELS), EMPTY, LABELS)
    assert score_officially(VALUES, written).score == score_officially(VALUES, LABELS).score


@pytest.mark.parametrize(("labelled", "failure"), [(0, "no label"), (1, "a single label"), (2, "")])
def test_a_day_needs_two_labels(labelled: int, failure: str) -> None:
    labels = LABELS.copy()
    labels[5] = np.nan
    labels[5, :labelled] = np.arange(labelled)
    result = score_officially(VALUES, labels)
    assert result.failure == failure
    assert (result.score is None) == bool(failure)
    assert result.failing_row == (5 if failure else None)


def test_infinite_forecasts_are_the_largest() -> None:
    largest = VALUES.copy()
    largest[:, 3], largest[:, 4] = 1e6, -1e6
    infinite = largest.copy()
    infinite[:, 3], infinite[:, 4] = np.inf, -np.inf
    assert score_officially(infinite, LABELS).score == score_officially(largest, LABELS).score


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe\x00", "neither Parquet nor text"),
        (b"PAR1 and then nothing", "damaged"),
        (b"date_id,target_0\n1,2,3\n", "another number of cells"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "submission.csv"
    file.write_bytes(content)
    with pytest.raises(SubmissionError, match=expected):
        read_file(file)


def test_labels_without_a_target_are_refused(tmp_path: Path, labels: Path) -> None:
    file = tmp_path / "submission.csv"
    _write(file, frame_of())
    pd.read_csv(labels).drop(columns=NAMES[9]).to_csv(labels, index=False)
    with pytest.raises(SubmissionError, match="no target_9"):
        check(file, labels)


def test_the_command_ends_with_one_if_the_submission_fails(tmp_path: Path, labels: Path) -> None:
    file = tmp_path / "submission.csv"
    _write(file, frame_of())
    good = CliRunner().invoke(app, ["kaggle", "check", str(file), str(labels)])
    assert good.exit_code == 0
    assert "nothing is wrong" in good.output
    assert f"{expected_score(VALUES, LABELS):.6f} over 10 days" in good.output
    _write(file, frame_of(_with(2, 0.5)))
    bad = CliRunner().invoke(app, ["kaggle", "check", str(file)])
    assert bad.exit_code == 1
    assert "equal forecasts" in bad.output

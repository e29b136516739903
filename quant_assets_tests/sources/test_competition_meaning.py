"""Well-formed files with wrong content are refused."""

from pathlib import Path

import pytest

from quant_assets_tests.support.competition_market import (
    LAG_1,
    Fault,
    change_lines,
    check_refused,
    edit,
    make_folder,
)

FAULTS: dict[str, Fault] = {
    "too few pairs": (
        change_lines("target_pairs.csv", lambda x: x[:-1]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "3 rows"),
    ),
    "too many pairs": (
        change_lines("target_pairs.csv", lambda x: [*x, "target_4,1,FX_USDJPY"]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "5 rows"),
    ),
    "pairs without header": (
        change_lines("target_pairs.csv", lambda x: x[1:]),
        "target_pairs.csv",
        ("wrong columns", "line 1", "target,lag,pair", "target_0,1"),
    ),
    "unknown series in pair": (
        edit("target_pairs.csv", "LME_CA_Close", "LME_CU_Close"),
        "target_pairs.csv",
        ("unknown series", "line 2", "'pair'", "'LME_CU_Close'", "did you mean LME_CA_Close"),
    ),
    "leg not a close": (
        edit("target_pairs.csv", "Spot_Futures_Close", "Spot_Futures_Open"),
        "target_pairs.csv",
        ("not a close", "line 4", "'pair'", "'JPX_Gold_Rolling-Spot_Futures_Open'"),
    ),
    "three legs": (
        edit("target_pairs.csv", ",FX_USDJPY\n", ",FX_USDJPY - FX_USDJPY - FX_USDJPY\n"),
        "target_pairs.csv",
        ("more than two legs", "line 3", "' - '"),
    ),
    "lag 0": (
        edit("target_pairs.csv", "target_0,1", "target_0,0"),
        "target_pairs.csv",
        ("lag", "line 2", "1 to 4", "'0'"),
    ),
    "lag 5": (
        edit("target_pairs.csv", "target_3,4", "target_3,5"),
        "target_pairs.csv",
        ("lag", "line 5", "1 to 4", "'5'"),
    ),
    "lag no integer": (
        edit("target_pairs.csv", "target_1,2", "target_1,2.0"),
        "target_pairs.csv",
        ("lag", "line 3", "1 to 4", "'2.0'"),
    ),
    "duplicate target": (
        edit("target_pairs.csv", "target_1", "target_0"),
        "target_pairs.csv",
        ("occurs twice", "line 3", "'target'", "expected: target_1", "'target_0'"),
    ),
    "targets out of order": (
        change_lines("target_pairs.csv", lambda x: [*x[:2], x[3], x[2], x[4]]),
        "target_pairs.csv",
        ("out of order", "line 3", "expected: target_1", "'target_2'"),
    ),
    "labels too short": (
        change_lines("train_labels.csv", lambda x: x[:-3]),
        "train_labels.csv",
        ("rows are not those", "line 39", "40 rows, 37 here", "37 rows"),
    ),
    "labels too long": (
        change_lines("train_labels.csv", lambda x: [*x, "40,,,,"]),
        "train.csv",
        ("ends before train_labels.csv", "line 41", "40 in the last row", "found: 39"),
    ),
    "labels of other days": (
        change_lines("train_labels.csv", lambda x: [*x[:9], *x[10:]]),
        "train_labels.csv",
        ("rows are not those", "line 10", "40 rows, 8 here", "39 rows, 9 here"),
    ),
    "labels of other targets": (
        edit("train_labels.csv", "target_2", "target_9"),
        "train_labels.csv",
        ("targets are not those", "line 1", "'target_2' here", "'target_9' here"),
    ),
    "labels lack a target": (
        change_lines("train_labels.csv", lambda x: [line.rsplit(",", 1)[0] for line in x]),
        "train_labels.csv",
        ("targets are not those", "4 columns, 'target_3' here", "3 columns"),
    ),
    "text in labels": (
        change_lines("train_labels.csv", lambda x: [*x[:4], "3,0.1,none,0.1,0.1", *x[5:]]),
        "train_labels.csv",
        ("not a number", "line 5", "'target_1'", "'none'"),
    ),
    "lagged label of another day": (
        change_lines(LAG_1, lambda x: [*x[:3], x[3].rsplit(",", 1)[0] + ",33", *x[4:]]),
        LAG_1,
        ("another day", "line 4", "'label_date_id'", "expected: 32", "found: 33"),
    ),
    "lagged labels of another lag": (
        edit(LAG_1, "target_0", "target_1"),
        LAG_1,
        ("targets are not those", "'target_0' here", "'target_1' here"),
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "market")


@pytest.mark.parametrize("name", FAULTS)
def test_a_folder_that_contradicts_itself_is_refused(folder: Path, name: str) -> None:
    check_refused(folder, FAULTS[name])

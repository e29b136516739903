"""A value that is computed once a snapshot equals a value computed again."""

from pathlib import Path

from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, write

NAMES = Table("raw.names", "No days.", (Column("name", "VARCHAR", "a name"),), day_column="")


def count(lake: Lake, looks: list[int]) -> int:
    """Count the rows of the table, and append each computed count to ``looks``."""

    def read() -> int:
        rows: int = lake.arrow(f"SELECT count(*) AS n FROM {MARKS.quoted}")["n"][0].as_py()
        looks.append(rows)
        return rows

    return lake.once_a_snapshot("rows", read)


def test_a_value_is_kept_while_nothing_is_written(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        write(lake, 1, 1)
        looks: list[int] = []
        for _ in range(3):
            assert count(lake, looks) == looks[0]
        assert len(looks) == 1


def test_a_write_of_any_process_has_it_computed_again(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, Lake(tmp_path) as other:
        write(lake, 1, 1)
        looks: list[int] = []
        with lake.at_once():
            first = count(lake, looks)
            write(other, 2, 1)
            assert count(lake, looks) == first
        assert count(lake, looks) > first
        assert len(looks) == 2


def test_another_input_is_another_value(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        write(lake, 1, 1)
        values = [lake.once_a_snapshot("twice", lambda x=x: 2 * x, x) for x in (1, 2, 2, 1)]
        assert values == [2, 4, 4, 2]


def test_a_table_is_there_from_its_first_write_on(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, Lake(tmp_path) as other:
        write(other, 1, 1)
        with lake.at_once():
            assert not lake.has(NAMES)
            assert lake.has(MARKS)
        other.replace_all(NAMES, {"name": ["a"]})
        assert lake.has(NAMES)

"""The reference pages equal the pages that the code writes."""

from pathlib import Path

from quant_assets.commands import docs

REPOSITORY = Path(__file__).parents[2]


def test_pages_are_up_to_date(tmp_path: Path) -> None:
    docs.write(tmp_path)
    pages = list(tmp_path.iterdir())
    assert pages
    for page in pages:
        stored = (REPOSITORY / "docs" / page.name).read_text()
        assert stored == page.read_text(), f"run `make docs`: {page.name}"


def test_contributing_has_the_table_of_rooms() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    assert docs.with_rooms(text) == text, "run `make docs`"
    assert docs.rooms_block() in text

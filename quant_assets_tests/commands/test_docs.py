"""The reference pages are those the code writes."""

from pathlib import Path

from quant_assets.commands import docs

FOLDER = Path(__file__).parents[2] / "docs"


def test_pages_are_up_to_date(tmp_path: Path) -> None:
    docs.write(tmp_path)
    for page in tmp_path.iterdir():
        assert (FOLDER / page.name).read_text() == page.read_text(), f"run `make docs`: {page.name}"

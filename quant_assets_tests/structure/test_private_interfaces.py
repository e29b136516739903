"""DuckLake's metadata tables are its own: what they say is asked by its functions."""

from pathlib import Path

import quant_assets

PACKAGE = Path(quant_assets.__file__).parent


def test_no_module_reads_ducklakes_metadata_tables() -> None:
    readers = [
        module.relative_to(PACKAGE).as_posix()
        for module in PACKAGE.rglob("*.py")
        if "__ducklake_metadata" in module.read_text()
    ]
    assert readers == []

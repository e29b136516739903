"""A load of a changed description: what changed is named, and somebody agrees first."""

from pathlib import Path

import pytest

from quant_assets.commands.description_changes import (
    confirm_changes,
    list_changed_parts,
    record_parts,
)
from quant_assets.core.errors import MarketError
from quant_assets.core.settings import Settings
from quant_assets.market.description.reading import open_description

TEXT = """\
name: energy
instruments:
  list:
    - {name: XLE, labels: {sector: oil}}
    - {name: TAN, labels: {sector: solar}}
group_by: sector
calendar: {exchanges: [XNYS]}
targets: {returns: {horizons: [1, 5]}}
source: {files: {folder: prices}}
"""
CHANGES = {
    "calendar": ("XNYS", "XNYS, XLON"),
    "targets": ("[1, 5]", "[1, 3, 10]"),
    "group_by": ("group_by: sector", "group_by: sector\nleads: {oil: [solar]}"),
    "submission": ("source:", "submission: {wide: 'x{number}'}\nsource:"),
    "source": ("folder: prices", "folder: other"),
    "universe": ("group_by: sector", "group_by: sector\nuniverse: {without_prices: 5}"),
    "listings": ("labels: {sector: oil}", "labels: {sector: oil}, delisted: 2024-01-05"),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "market.yaml"
    file.write_text(TEXT)
    (tmp_path / "data").mkdir()
    return Settings(source=str(tmp_path), data_dir=tmp_path / "data")


def test_a_folder_with_a_description_is_named_by_it(settings: Settings, tmp_path: Path) -> None:
    assert settings.description_file == tmp_path / "market.yaml"
    assert Settings(source=str(tmp_path / "data")).description_file is None
    assert Settings(source="simulated").description_file is None


def test_before_the_first_load_nothing_has_changed(settings: Settings) -> None:
    confirm_changes(settings, open_description(settings), yes=False)
    assert list_changed_parts(settings, open_description(settings)) == []


@pytest.mark.parametrize("part", CHANGES)
def test_each_part_that_changed_is_named(settings: Settings, tmp_path: Path, part: str) -> None:
    record_parts(settings, open_description(settings))
    assert list_changed_parts(settings, open_description(settings)) == []
    (tmp_path / "market.yaml").write_text(TEXT.replace(*CHANGES[part]))
    assert list_changed_parts(settings, open_description(settings)) == [part]
    with pytest.raises(MarketError, match=f"changed: {part}\n") as caught:
        confirm_changes(settings, open_description(settings), yes=False)
    assert "load --yes" in str(caught.value)
    confirm_changes(settings, open_description(settings), yes=True)
    record_parts(settings, open_description(settings))
    assert list_changed_parts(settings, open_description(settings)) == []


def test_comments_and_places_of_lines_change_nothing(settings: Settings, tmp_path: Path) -> None:
    record_parts(settings, open_description(settings))
    (tmp_path / "market.yaml").write_text("# New.\n\n" + TEXT)
    assert list_changed_parts(settings, open_description(settings)) == []

"""The page of the scoreboard has every family and breakdown, and empty cells without a figure."""

from quant_assets.commands.scoreboard_page import render_scoreboard
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets_tests.support.installation import Installation


def test_page(loaded: Installation) -> None:
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        text = render_scoreboard(lake)
        scores = lake.query("SELECT family, score FROM monitoring.scoreboard")
    assert "nan" not in text.lower()
    for family, score in zip(scores["family"], scores["score"], strict=True):
        assert f"| {family}" in text
        assert f"{score:.3f}" in text
    assert set(scores["family"]) == {"published", "ensemble", *FAST}
    for title in ("Paired differences", "By lag", "By markets", "By regime", "By thirds"):
        assert f"## {title}" in text

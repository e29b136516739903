"""The order of groups of instruments is the market's."""

from pathlib import Path

from quant_assets.lake.readers.series import group_rows, sort_groups
from quant_assets.lake.schemas.price_tables import RAW_GROUPS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import Group


def test_groups_come_in_the_order_of_the_market(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        lake.replace_all(RAW_GROUPS, group_rows((Group("wind"), Group("oil"))))
        assert sort_groups(lake, {"oil", "wind"}) == ("wind", "oil")
        assert sort_groups(lake, {"oil", "wind", "solar", "coal"}) == (
            *("wind", "oil", "coal", "solar"),
        )
        assert sort_groups(lake, {"oil"}) == ("oil",)


def test_an_earlier_lake_has_the_competitions_groups(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        assert sort_groups(lake, {"FX", "US", "LME"}) == ("LME", "US", "FX")

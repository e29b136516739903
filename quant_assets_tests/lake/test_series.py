"""The order of groups of instruments is that of their stored series."""

from pathlib import Path

from quant_assets.lake.readers.series import series_rows, sort_groups
from quant_assets.lake.schemas.tables import RAW_SERIES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries, SeriesList

SERIES = SeriesList(
    ("a", "b", "c"),
    tuple(InstrumentSeries(name, "close") for name in ("a", "b", "c")),
    ("wind", "oil", "wind"),
)


def test_groups_come_in_the_order_of_their_series(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        lake.replace_all(RAW_SERIES, series_rows(SERIES))
        assert sort_groups(lake, {"oil", "wind"}) == ("wind", "oil")
        assert sort_groups(lake, {"oil", "wind", "solar", "coal"}) == (
            *("wind", "oil", "coal", "solar"),
        )
        assert sort_groups(lake, {"oil"}) == ("oil",)


def test_without_series_groups_come_by_name(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        assert sort_groups(lake, {"oil", "coal"}) == ("coal", "oil")

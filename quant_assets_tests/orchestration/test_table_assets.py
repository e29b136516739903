"""Pictures are drawn for the UI unless the settings say that nobody looks at them."""

import pytest

from quant_assets.core.settings import Settings
from quant_assets.orchestration.assets.table_assets import draw_pictures


def test_pictures_are_drawn_where_there_is_something_to_draw() -> None:
    shown = draw_pictures(Settings(), scores=lambda: b"png", parts=lambda: None)
    assert {name: picture.value for name, picture in shown.items()} == {
        "scores": "![plot](data:image/png;base64,cG5n)"
    }


def test_nothing_is_drawn_where_pictures_are_off() -> None:
    def draw() -> bytes:
        pytest.fail("it was drawn")

    assert not draw_pictures(Settings(pictures=False), scores=draw)

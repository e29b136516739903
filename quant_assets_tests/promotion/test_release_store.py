"""Releases read back from the lake."""

from datetime import date
from pathlib import Path

from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.release_store import Release, ReleaseFit, read_releases, release_rows

DAY = date(2024, 3, 1)


def release(name: str, place: int) -> Release:
    fit = ReleaseFit("rank_prior", DAY, "fingerprint", "model", "digest", False, 1.0)
    return Release(name, DAY, (fit,), "recipe", DAY, place)


def test_releases_of_one_day_come_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        for place, name in enumerate(("2024-03-01-f", "2024-03-01-0", "2024-03-01-a"), start=1):
            lake.replace_matching(RELEASES, "release", release_rows(release(name, place)))
        assert [x.name[-1] for x in read_releases(lake)] == ["f", "0", "a"]

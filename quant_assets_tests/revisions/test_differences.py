"""Differences of two price tables: each kind alone, and several at once."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import list_competition_series
from quant_assets.revisions.differences import describe_differences, find_differences
from quant_assets.revisions.digests import BLOCK_DAYS, digest_blocks, digest_days
from quant_assets.sources.deliveries import PriceTable, UnreadCell

COLUMNS = ("LME_CA_Close", "US_Stock_CVX_adj_close", "US_Stock_CVX_adj_volume")
DAYS = trading_days(date(2020, 1, 6), date(2020, 12, 31))


def prices(decimals: int | None = None) -> PriceTable:
    random = np.random.default_rng(3)
    values = 80 * np.exp(np.cumsum(random.normal(0, 0.01, (len(DAYS), 3)), axis=0))
    values[7, 0] = np.nan
    rounded = values if decimals is None else np.round(values, decimals)
    return PriceTable(DAYS, np.arange(len(DAYS)), list_competition_series(COLUMNS), rounded)


def changed(table: PriceTable, rows: slice | int, column: int, values: FloatArray) -> PriceTable:
    after = table.values.copy()
    after[rows, column] = values
    return replace(table, values=after)


def without(table: PriceTable, row: int) -> PriceTable:
    kept = np.arange(len(table.days)) != row
    return replace(
        table, days=table.days[kept], date_ids=np.arange(kept.sum()), values=table.values[kept]
    )


def test_equal_tables_have_no_differences() -> None:
    assert find_differences(prices(), prices()) == []


@pytest.mark.parametrize("factor", [0.5, 0.996, 3.0, 1.0001])
@pytest.mark.parametrize("decimals", [None, 2, 4])
def test_a_restatement_is_recognised(factor: float, decimals: int | None) -> None:
    before = prices(decimals)
    restated = before.values[:100, 1] * factor
    after = changed(
        before, slice(100), 1, restated if decimals is None else np.round(restated, decimals)
    )
    found = find_differences(before, after)
    assert [revision.kind for revision in found] == ["restated"], found[:3]
    revision = found[0]
    assert revision.column == COLUMNS[1]
    assert revision.factor == pytest.approx(factor, rel=1e-4)
    # At two decimals a factor of 1.0001 leaves many cells as they were, at either end as well.
    if (factor, decimals) != (1.0001, 2):
        assert (revision.first, revision.last) == (DAYS[0].item(), DAYS[99].item())


def test_two_restatements_of_one_series_are_told_apart() -> None:
    before = prices()
    factors = np.where(np.arange(len(DAYS)) < 60, 0.5 * 0.996, 0.996)
    after = changed(before, slice(150), 1, (before.values[:, 1] * factors)[:150])
    found = find_differences(before, after)
    assert [round(revision.factor, 6) for revision in found] == [0.498, 0.996]
    assert (found[0].last, found[1].first) == (DAYS[59].item(), DAYS[60].item())


def test_a_corrected_cell_has_both_values() -> None:
    before = prices()
    (found,) = find_differences(before, changed(before, 40, 0, np.array(81.5)))
    assert found.kind == "corrected"
    assert (found.first, found.column) == (DAYS[40].item(), COLUMNS[0])
    assert (found.before, found.after) == (before.values[40, 0], 81.5)


def test_a_correction_within_a_restatement_is_told_apart() -> None:
    before = prices()
    after = before.values[:, 1] * 0.5
    after[30] = 77.0
    found = find_differences(before, changed(before, slice(None), 1, after))
    assert [r.kind for r in found if r.cells == 1] == ["corrected"]
    assert sum(r.cells for r in found if r.kind == "restated") == len(DAYS) - 1


def test_a_cell_that_fills_or_empties_is_corrected() -> None:
    before = prices()
    (filled,) = find_differences(before, changed(before, 7, 0, np.array(80.0)))
    assert np.isnan(filled.before)
    assert filled.after == 80.0
    (emptied,) = find_differences(before, changed(before, 9, 0, np.array(np.nan)))
    assert np.isnan(emptied.after)


def test_text_in_a_cell_is_a_difference() -> None:
    before = prices()
    text = replace(
        changed(before, 9, 0, np.array(np.nan)), unread=[UnreadCell(9, COLUMNS[0], "n/a")]
    )
    (found,) = find_differences(before, text)
    assert found.kind == "corrected"
    assert find_differences(text, text) == []


def test_withdrawn_inserted_and_renumbered_days() -> None:
    before = prices()
    after = without(before, 50)
    withdrawn, renumbered = find_differences(before, after)
    assert (withdrawn.kind, withdrawn.first) == ("withdrawn", DAYS[50].item())
    assert (renumbered.kind, renumbered.first) == ("renumbered", DAYS[51].item())
    assert (renumbered.before, renumbered.after) == (51.0, 50.0)
    inserted, back = find_differences(after, before)
    assert (inserted.kind, inserted.first) == ("inserted", DAYS[50].item())
    assert back.kind == "renumbered"


def test_digests_differ_where_the_tables_do() -> None:
    before = prices()
    digests = digest_blocks(before)
    assert (digests.blocks.astype(int) % BLOCK_DAYS == 0).all()
    assert (digest_blocks(prices()).values == digests.values).all()
    after = digest_blocks(changed(before, 40, 0, np.array(81.5)))
    block = np.searchsorted(digests.blocks, DAYS[40], side="right") - 1
    assert np.argwhere(after.values != digests.values).tolist() == [[block, 0]]
    moved = digest_blocks(replace(before, date_ids=before.date_ids + 1))
    assert set(np.argwhere(moved.values != digests.values)[:, 1].tolist()) == {len(COLUMNS)}


def test_swapped_days_have_other_digests() -> None:
    before = prices()
    swapped = before.values.copy()
    swapped[[10, 11], 1] = swapped[[11, 10], 1]
    after = digest_blocks(replace(before, values=swapped))
    assert (after.values != digest_blocks(before).values).sum() == 1


def test_digests_of_days_do_not_depend_on_the_order_of_series() -> None:
    before = prices()
    turned = replace(
        before, series=before.series.select(COLUMNS[::-1]), values=before.values[:, ::-1].copy()
    )
    assert (digest_days(turned) == digest_days(before)).all()


def test_the_description_names_what_changed() -> None:
    before = prices()
    after = changed(before, slice(100), 1, before.values[:100, 1] * 0.5)
    after = changed(after, 200, 0, np.array(90.0))
    text = describe_differences(find_differences(before, after))
    assert f"{COLUMNS[1]} restated by 0.5 over {DAYS[0]} to {DAYS[99]}" in text
    assert f"1 cell corrected: {COLUMNS[0]} on {DAYS[200]}" in text


def test_a_number_too_small_to_have_a_factor_is_a_correction() -> None:
    before = changed(prices(), 9, 0, np.array(5e-324))
    after = changed(before, 40, 0, np.array(81.5))
    (found,) = find_differences(before, after)
    assert (found.kind, found.first) == ("corrected", DAYS[40].item())

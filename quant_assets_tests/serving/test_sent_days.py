"""Prices that are sent lead to the features and labels that are stored once the days are."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_raw
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.given_prices import select_columns, select_days
from quant_assets.serving.known_days import KnownDays
from quant_assets.serving.sent_days import add_days
from quant_assets.sources.deliveries import Action, PriceTable
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.sent_days import arrays_of, check_sent_days, know_until

ROWS = 6


@pytest.fixture(scope="module")
def lake(loaded: Installation) -> Iterator[Lake]:
    with Lake(loaded.settings.lake_dir, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def known(lake: Lake, loaded: Installation) -> KnownDays:
    return know_until(lake, loaded.settings, -ROWS - 1)


@pytest.fixture(scope="module")
def sent(lake: Lake) -> PriceTable:
    """The last stored days, as a caller would send them."""
    days = read_known_days(lake, date.max)[-ROWS:]
    return read_raw(lake, days[0].item(), days[-1].item())


def row_of(table: PriceTable, row: int) -> PriceTable:
    return select_days(table, np.arange(len(table.days)) == row)


def test_sent_days_have_the_stored_bits(loaded: Installation) -> None:
    check_sent_days(loaded.settings, ROWS)


def test_days_sent_one_by_one_equal_days_sent_together(known: KnownDays, sent: PriceTable) -> None:
    together, _ = add_days(known, sent)
    step = known
    for row in range(ROWS):
        step, _ = add_days(step, row_of(sent, row))
    pairs = zip(
        arrays_of(step.observations, ROWS), arrays_of(together.observations, ROWS), strict=True
    )
    for one_by_one, at_once in pairs:
        np.testing.assert_array_equal(one_by_one, at_once)
    np.testing.assert_array_equal(step.labels.known_labels, together.labels.known_labels)
    assert len(step.prices.days) == known.rules.history
    assert step.closes.days[-1] == sent.days[-1]


def test_later_prices_change_no_earlier_day(known: KnownDays, sent: PriceTable) -> None:
    before, _ = add_days(known, sent)
    random = np.random.default_rng(3)
    for row in range(1, ROWS):
        values = sent.values.copy()
        later = values[row:]
        later *= np.exp(random.normal(0, 0.1, later.shape))
        later[random.random(later.shape) < 0.2] = np.nan
        after, _ = add_days(known, replace(sent, values=values))
        for then, now in zip(
            arrays_of(before.observations, ROWS), arrays_of(after.observations, ROWS), strict=True
        ):
            np.testing.assert_array_equal(then[:row], now[:row])
        changed = arrays_of(after.observations, ROWS)[1][row:]
        assert not np.array_equal(
            changed, arrays_of(before.observations, ROWS)[1][row:], equal_nan=True
        )


def test_a_series_that_is_not_sent_is_a_series_without_a_price(
    known: KnownDays, sent: PriceTable
) -> None:
    kept = sent.columns[::2]
    empty = sent.values.copy()
    empty[:, 1::2] = np.nan
    part, _ = add_days(known, select_columns(sent, kept))
    whole, _ = add_days(known, replace(sent, values=empty))
    for ours, theirs in zip(
        arrays_of(part.observations, ROWS), arrays_of(whole.observations, ROWS), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_impossible_prices_are_rejected_as_those_of_a_source(
    known: KnownDays, sent: PriceTable
) -> None:
    values = sent.values.copy()
    close = int(np.flatnonzero(~np.isnan(values[-1]))[0])
    values[-1, close] = -1.0
    _, cleaned = add_days(known, replace(sent, values=values))
    rejected = cleaned.quarantine.to_dict("records")
    assert sent.columns[close] in {row["column"] for row in rejected}
    assert np.isnan(cleaned.value[-1, close])


def test_days_must_follow_what_is_known(known: KnownDays, sent: PriceTable) -> None:
    for days in (sent.days - np.timedelta64(60, "D"), np.repeat(known.days[-1:], ROWS)):
        with pytest.raises(SourceError, match="do not follow"):
            add_days(known, replace(sent, days=days))
    with pytest.raises(SourceError, match="no day"):
        add_days(known, select_days(sent, sent.days < sent.days[0] - timedelta(days=1)))
    columns = ("NOBODY", *sent.columns[1:])
    series = replace(sent.series, columns=columns)
    with pytest.raises(SourceError, match="NOBODY"):
        add_days(known, replace(sent, series=series))


def test_prices_after_a_split_go_on_where_those_before_ended(
    known: KnownDays, sent: PriceTable
) -> None:
    """Halving is exact, so the closes of a share that was split are those without the split."""
    name = known.panel.instruments[0]
    column, place = sent.series.close_of[name], 0
    halved = sent.values.copy()
    halved[2:, column] /= 2
    split = replace(sent, values=halved, actions=[Action(2, name, split=2.0)])
    plain, _ = add_days(known, sent)
    whole, _ = add_days(known, split)
    step = known
    for rows in (slice(0, 3), slice(3, ROWS)):
        step, _ = add_days(step, select_days(split, np.isin(np.arange(ROWS), np.r_[rows])))
    for after in (whole, step):
        np.testing.assert_array_equal(after.panel.close, plain.panel.close)
        assert after.growth[name].shares == 2.0
    unsplit, _ = add_days(known, replace(split, actions=()))
    assert not np.array_equal(
        unsplit.panel.close[-1, place], plain.panel.close[-1, place], equal_nan=True
    )

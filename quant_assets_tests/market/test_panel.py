"""The price panel as views."""

import numpy as np

from quant_assets_tests.support import synthetic


def test_rows_are_views_of_every_field() -> None:
    panel = synthetic.panel_of(synthetic.prices(), synthetic.prices().values)
    part = panel.rows(10, 13)
    assert len(part.days) == len(part.date_ids) == 3
    assert part.instruments == panel.instruments
    for name, values in part.fields.items():
        assert np.shares_memory(values, panel.fields[name])
        np.testing.assert_array_equal(values, panel.fields[name][10:13])
    assert len(panel.rows(10).days) == len(panel.days) - 10


def test_a_field_no_instrument_has_is_empty() -> None:
    panel = synthetic.panel_of(synthetic.prices(), synthetic.prices().values)
    np.testing.assert_array_equal(panel.field("close"), panel.close)
    assert panel.field("bid").shape == panel.close.shape
    assert np.isnan(panel.field("bid")).all()

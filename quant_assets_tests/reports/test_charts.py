"""Drawings stay within their frame, break where values are missing, and have a round axis."""

import re
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from quant_assets.reports.blocks import Chart
from quant_assets.reports.charts import HEIGHT, WIDTH, draw_bars, draw_lines

DAYS = pd.date_range("2023-01-02", periods=40, freq="B")


def drawing(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(str(chart.svg))


def paths(chart: Chart, kind: str) -> list[np.ndarray]:
    """(n, 2) positions of each path of a kind."""
    elements = [e for e in drawing(chart).iter("path") if kind in e.attrib["class"].split()]
    return [
        np.array(re.findall(r"-?[\d.]+", element.attrib["d"]), dtype=float).reshape(-1, 2)
        for element in elements
    ]


def texts(chart: Chart) -> list[str]:
    return [element.text or "" for element in drawing(chart).iter("text")]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 3e5])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 50.0])
def test_lines_stay_within_the_frame_and_keep_their_shape(scale: float, shift: float) -> None:
    values = pd.Series((np.random.default_rng(0).normal(size=40) + shift) * scale, DAYS)
    (line,) = paths(draw_lines({"one": values}, "of one"), "line")
    assert len(line) == 40
    assert ((line >= 0) & (line <= [WIDTH, HEIGHT])).all()
    assert (np.diff(line[:, 0]) > 0).all()
    assert np.corrcoef(line[:, 1], values)[0, 1] == pytest.approx(-1.0, abs=1e-3)


def test_the_axis_has_a_few_round_numbers_around_the_values() -> None:
    chart = draw_lines({"one": pd.Series(np.linspace(-0.13, 0.31, 40), DAYS)}, "of one")
    assert texts(chart)[:-3] == ["-0.2", "0.0", "0.2", "0.4"]
    assert texts(chart)[-3:] == ["2023-01-02", "2023-01-27", "2023-02-24"]


def test_an_unknown_value_interrupts_the_line() -> None:
    values = pd.Series(1.0, DAYS)
    values.iloc[[10, 12]] = np.nan
    chart = draw_lines({"one": values}, "of one")
    assert [len(path) for path in paths(chart, "line")] == [10, 27]
    assert len(list(drawing(chart).iter("circle"))) == 1


def test_series_of_other_days_share_the_axis() -> None:
    series = {"long": pd.Series(1.0, DAYS), "short": pd.Series(2.0, DAYS[30:])}
    long, short = paths(draw_lines(series, "of two"), "line")
    np.testing.assert_array_equal(short[:, 0], long[30:, 0])
    assert draw_lines(series, "of two").legend == ("long", "short")


def test_a_chart_without_values_says_so() -> None:
    chart = draw_lines({"one": pd.Series(np.nan, DAYS)}, "of one")
    assert str(chart.svg) == ""
    assert chart.caption == "of one: no values yet"


def test_one_day_is_a_point() -> None:
    chart = draw_lines({"one": pd.Series([0.5], [pd.Timestamp(date(2023, 1, 2))])}, "of one")
    assert len(list(drawing(chart).iter("circle"))) == 1


def test_bars_are_as_long_as_shares_and_names_are_text() -> None:
    chart = draw_bars({"<a>": 0.5, "b": 0.25, "c": -0.25}, 'shares of "all"')
    widths = [float(element.attrib["width"]) for element in drawing(chart).iter("rect")]
    np.testing.assert_allclose(widths, np.array([0.5, 0.25, 0.25]) / 0.5 * widths[0], atol=0.11)
    assert texts(chart) == ["<a>", "50 %", "b", "25 %", "c", "-25 %"]

"""Lines over time and bars as small SVG drawings, without scripts or fonts.

A chart is drawn 340 units wide, about the width of a telephone, so that its text is readable there;
on a wide screen it grows. The classes ``s0`` to ``s7`` of the page's style colour the series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from quant_assets.core.typing import FloatArray
from quant_assets.reports.blocks import Chart

WIDTH, HEIGHT = 340.0, 150.0
"""Size of a chart of lines, in SVG units."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 20.0
"""Margins around the lines, in SVG units."""
COLOURS = 8
"""Number of colours; further series use them again."""


@dataclass(frozen=True)
class _Scale:
    """A linear map of values to positions: ``low`` to ``start``, ``high`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: FloatArray) -> FloatArray:
        span = (self.high - self.low) or 1.0
        positions: FloatArray = self.start + (value - self.low) / span * (self.end - self.start)
        return positions


def draw_lines(
    series: Mapping[str, pd.Series], caption: str, *, floor: float | None = None, area: str = ""
) -> Chart:
    """Draw values over days, one line a series.

    Args:
        series: values by day, ascending; a NaN interrupts the line.
        caption: what is drawn.
        floor: a value that the axis includes.
        area: name of a series that is drawn as an area.
    """
    days = np.unique(
        np.concatenate([values.index.to_numpy("datetime64[D]") for values in series.values()])
    )
    known = np.concatenate([values.to_numpy(np.float64) for values in series.values()])
    known = known[np.isfinite(known)]
    if not len(known):
        return Chart(Markup(""), f"{caption}: no values yet")
    ends = [*known.tolist(), *([] if floor is None else [floor])]
    ticks = _choose_ticks(min(ends), max(ends))
    x = _Scale(0.0, max(len(days) - 1.0, 1.0), _LEFT, WIDTH - _RIGHT)
    y = _Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)
    parts = [_draw_grid(ticks, y), _label_days(days, x)]
    for i, (name, values) in enumerate(series.items()):
        at = np.searchsorted(days, values.index.to_numpy("datetime64[D]")).astype(np.float64)
        parts.append(
            _draw_path(x(at), y(values.to_numpy(np.float64)), i, name == area, float(y.start))
        )
    return Chart(_to_svg(parts, HEIGHT, caption), caption, tuple(series))


def draw_bars(shares: Mapping[str, float], caption: str) -> Chart:
    """Draw shares as horizontal bars below one another; negative shares go to the left.

    Args:
        shares: by name.
        caption: what is drawn.
    """
    values = np.array(list(shares.values()), dtype=np.float64)
    x = _Scale(min(0.0, float(values.min())), max(0.01, float(values.max())), 120.0, WIDTH - 44.0)
    zero = float(x(np.array(0.0)))
    parts = []
    for i, (name, share) in enumerate(shares.items()):
        middle, end = 11.0 + 20.0 * i, float(x(np.array(share)))
        start, width = min(zero, end), abs(end - zero)
        parts.append(
            f'<text x="112" y="{middle + 4:.0f}" class="end">{escape(name)}</text>'
            f'<rect x="{start:.1f}" y="{middle - 6:.0f}" width="{width:.1f}" height="12" '
            f'class="bar s0"/><text x="{max(zero, end) + 4:.1f}" y="{middle + 4:.0f}">'
            f"{100 * share:.0f} %</text>"
        )
    return Chart(_to_svg(parts, 20.0 * len(shares) + 2, caption), caption)


def _choose_ticks(low: float, high: float) -> list[float]:
    """Choose three to six round numbers that include the values."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** np.floor(np.log10(span / 3))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 4)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [float(step * i) for i in np.arange(first, max(last, first + 1) + 1)]


def _draw_grid(ticks: Sequence[float], y: _Scale) -> str:
    """Draw a horizontal line and a number at each tick."""
    digits = int(max(0, -np.floor(np.log10(ticks[1] - ticks[0]) + 1e-9)))
    parts = []
    for tick in ticks:
        at = float(y(np.array(tick)))
        style = "axis" if abs(tick) < 1e-12 else "grid"
        parts.append(
            f'<path d="M{_LEFT:.0f} {at:.1f}H{WIDTH - _RIGHT:.0f}" class="{style}"/>'
            f'<text x="{_LEFT - 4:.0f}" y="{at + 3.5:.1f}" class="end">'
            f"{tick + 0.0:.{digits}f}</text>"
        )
    return "".join(parts)


def _label_days(days: "np.ndarray[tuple[int], np.dtype[np.datetime64]]", x: _Scale) -> str:
    """Write the first, the middle and the last day below the axis."""
    last = len(days) - 1
    anchors = {0: "start", last // 2: "middle", last: "end"} if last > 1 else {last: "end"}
    return "".join(
        f'<text x="{float(x(np.array(float(i)))):.1f}" y="{HEIGHT - 5:.0f}" class="{anchor}">'
        f"{days[i]}</text>"
        for i, anchor in anchors.items()
    )


def _draw_path(x: FloatArray, y: FloatArray, colour: int, filled: bool, bottom: float) -> str:
    """Draw one series: a path or area for each run of known values, a dot for a single one.

    Args:
        x: (n,) horizontal positions.
        y: (n,) vertical positions; NaN interrupts the path.
        colour: position of the series.
        filled: whether the area below is filled.
        bottom: vertical position of the axis.
    """
    style = f"s{colour % COLOURS}"
    parts = []
    for run in np.split(np.arange(len(y)), np.flatnonzero(~np.isfinite(y))):
        kept = run[np.isfinite(y[run])]
        if not len(kept):
            continue
        points = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[kept], y[kept], strict=True))
        if filled:
            closed = f"M{x[kept[0]]:.1f} {bottom:.1f}L{points}L{x[kept[-1]]:.1f} {bottom:.1f}Z"
            parts.append(f'<path d="{closed}" class="area {style}"/>')
        elif len(kept) == 1:
            parts.append(
                f'<circle cx="{x[kept[0]]:.1f}" cy="{y[kept[0]]:.1f}" r="2" class="bar {style}"/>'
            )
        else:
            parts.append(f'<path d="M{points}" class="line {style}"/>')
    return "".join(parts)


def _to_svg(parts: Sequence[str], height: float, caption: str) -> Markup:
    return Markup(  # noqa: S704 - texts within are escaped where they are put in
        f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(caption)}">'
        f"{''.join(parts)}</svg>"
    )

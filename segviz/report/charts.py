"""Curves as SVG, which is complete on paper; the script of the report adds what the mouse points at."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a200", "#0b7285", "#c2255c", "#5c4033")
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 12, 44
"""Room around the plot, in units of the drawing."""


@dataclass(frozen=True)
class ReportCurve:
    """A line through points (x, y); y None is a gap. One point alone is a mark. `dashed` for what others are compared with."""

    name: str
    points: Sequence[tuple[float, float | None]]
    dashed: bool = False


@dataclass(frozen=True)
class ReportChart:
    """Curves over one axis; `percent` for rates in [0,1], `log` for an axis of powers of two."""

    title: str
    x: str
    y: str
    curves: Sequence[ReportCurve]
    percent: bool = True
    log: bool = False


@dataclass(frozen=True)
class Scale:
    """From values to the drawing: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value is."""
        low, high, at = (math.log2(one) if self.log else one for one in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Four to nine round values, or powers of two."""
        if self.log:
            return [2.0**power for power in range(math.ceil(math.log2(self.low)), math.floor(math.log2(self.high)) + 1)]
        rough = (self.high - self.low) / 5
        unit = 10 ** math.floor(math.log10(rough))
        step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart_html(chart: ReportChart) -> str:
    """A chart with its legend and the values that the script reads."""
    points = [(x, y) for curve in chart.curves for x, y in curve.points if y is not None and not (chart.log and x <= 0)]
    if not points:
        return ""
    across = scale_of([x for x, _ in points], LEFT, WIDTH - RIGHT, chart.log)
    values = [y for _, y in points]
    up = scale_of([0.0, 1.0, *values] if chart.percent else values, HEIGHT - BOTTOM, TOP)
    lines = "".join(curve_svg(curve, COLOURS[number % len(COLOURS)], number, across, up) for number, curve in enumerate(chart.curves))
    names = "".join(
        f'<button type="button" data-curve="{number}" aria-pressed="true"><i style="background:{COLOURS[number % len(COLOURS)]}"></i>'
        f"{escape(curve.name)}</button>"
        for number, curve in enumerate(chart.curves)
    )
    title = escape(chart.title)
    data = {
        "x": chart.x,
        "percent": chart.percent,
        "places": [[[x, y, round(across.place(x), 2)] for x, y in curve.points if not (chart.log and x <= 0)] for curve in chart.curves],
    }
    return (
        f'<figure class="chart"><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{axes_svg(chart, across, up)}{lines}"
        f'<line class="pointer" y1="{TOP}" y2="{HEIGHT - BOTTOM}" visibility="hidden"/></svg>'
        f'<div class="legend">{names}</div><output></output>'
        f'<script type="application/json">{json.dumps(data).replace("<", chr(92) + "u003c")}</script></figure>'
    )


def scale_of(values: Sequence[float], start: float, end: float, log: bool = False) -> Scale:
    """The scale on which all values have room."""
    low, high = min(values), max(values)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return Scale(low, high, start, end, log)


def axes_svg(chart: ReportChart, across: Scale, up: Scale) -> str:
    """Grid, ticks and titles of both axes."""
    floor = HEIGHT - BOTTOM
    parts = []
    for value in across.ticks():
        at = across.place(value)
        parts.append(f'<text x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{value:g}</text>')
    for value in up.ticks():
        at, told = up.place(value), f"{value:.0%}" if chart.percent else f"{value:.3g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{told}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(chart.x)}</text>')
    parts.append(f'<text transform="translate(13 {(TOP + floor) / 2}) rotate(-90)" text-anchor="middle">{escape(chart.y)}</text>')
    return "".join(parts)


def curve_svg(curve: ReportCurve, colour: str, number: int, across: Scale, up: Scale) -> str:
    """A line with a dot at each of its points, if they are few."""
    path, dots, pen = [], [], "M"
    for x, y in curve.points:
        if y is None or (across.log and x <= 0):
            pen = "M"
            continue
        at = f"{across.place(x):.1f} {up.place(y):.1f}"
        path.append(f"{pen}{at}")
        dots.append(at.split())
        pen = "L"
    radius = 5 if len(dots) == 1 else 2.5
    marks = "".join(f'<circle cx="{x}" cy="{y}" r="{radius}"/>' for x, y in dots) if len(dots) <= 60 else ""
    dash = ' stroke-dasharray="6 4"' if curve.dashed else ""
    return (
        f'<g data-curve="{number}" fill="{colour}"><path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        f"{marks}</g>"
    )

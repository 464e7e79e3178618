"""Curves of a run, and charts on screen."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from segviz.live.views import with_gaps
from segviz.records import Point, Report, Trajectory
from segviz.studies.compare import spent_at
from segviz.ui.kit.later import pictures_are_drawn
from segviz.ui.kit.state import tab

QUANTITY_COLOURS = {"mIoU of this image": "#d9480f", "pixel accuracy": "#1971c2", "target reached": "#2f9e44", "loss": "#868e96"}
QUANTITIES: Mapping[str, tuple[Callable[[Point], float], Callable[[Trajectory], float]]] = {
    "mIoU of this image": (lambda point: point.miou, lambda done: done.report.adversarial.miou if done.report else math.nan),
    "pixel accuracy": (
        lambda point: point.pixel_accuracy,
        lambda done: done.report.adversarial.pixel_accuracy if done.report else math.nan,
    ),
    "pixels won": (lambda point: point.success, lambda done: done.report.success if done.report else math.nan),
}
"""What the curves of a comparison can show: its value at a point, and that of the 8-bit result (nan while there is none)."""


def run_curves(trajectory: Trajectory, total: int, cursor: int | None) -> go.Figure:
    """Accuracy over the iterations above, the loss below, on one axis of `total` iterations, with a rule at iteration `cursor`.

    A thin line and a gap mark where the attack begins anew: a restart, another radius, the next attack of a suite. The star is the 8-bit
    result, at the iteration of the strongest iterate.
    """
    curve = trajectory.curve
    index = with_gaps([point.index for point in curve], curve)
    series = {
        "mIoU of this image": [point.miou for point in curve],
        "pixel accuracy": [point.pixel_accuracy for point in curve],
    }
    if trajectory.target is not None:
        series["target reached"] = [point.success for point in curve]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    mode = "lines+markers" if len(curve) <= 60 else "lines"
    for name, values in series.items():
        figure.add_scatter(
            x=index,
            y=with_gaps(values, curve),
            name=name,
            mode=mode,
            marker_size=5,
            line_color=QUANTITY_COLOURS[name],
            hovertemplate="%{y:.1%}",
            row=1,
            col=1,
        )
    loss = with_gaps([point.loss for point in curve], curve)
    figure.add_scatter(
        x=index, y=loss, name="loss", mode=mode, marker_size=4, line_color=QUANTITY_COLOURS["loss"], hovertemplate="%{y:.3f}", row=2, col=1
    )
    if trajectory.report is not None and total > 0:
        mark_result(figure, trajectory.report)
    mark_beginnings(figure, curve)
    if cursor is not None:
        figure.add_vline(x=cursor, line_dash="dot", line_color="#868e96")
    figure.update_xaxes(range=[-0.02 * total, 1.03 * max(total, 1)])
    figure.update_xaxes(title_text="iteration", row=2, col=1)
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title_text="loss", row=2, col=1)
    figure.update_layout(
        height=430,
        margin={"l": 10, "r": 10, "t": 80, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="run",
    )
    return figure


def pixel_weights(q: float | None) -> go.Figure:
    """What a pixel weighs in the gradient of TsallisPGD over p, the probability of its label: p^(1-q), of None at the qs of a run."""
    p = [n / 100 for n in range(1, 101)]
    figure = go.Figure()
    for one in (-2, -1, 0, 1) if q is None else (q,):
        figure.add_scatter(x=p, y=[value ** (1 - one) for value in p], name=f"q = {one:g}", hovertemplate="%{y:.2f}")
    figure.update_xaxes(title_text="p of the label")
    figure.update_yaxes(title_text="weight", range=[-0.03, 1.03])
    figure.update_layout(height=200, margin={"l": 10, "r": 10, "t": 10, "b": 10}, hovermode="x unified", showlegend=q is None)
    return figure


def mark_result(figure: go.Figure, report: Report) -> None:
    """A star for the 8-bit result, at the iteration of the strongest iterate."""
    result = report.adversarial
    figure.add_scatter(
        x=[report.strongest],
        y=[result.miou],
        name="result, 8-bit",
        mode="markers",
        marker={"symbol": "star", "size": 13, "color": QUANTITY_COLOURS["mIoU of this image"]},
        hovertemplate="%{y:.1%}",
        row=1,
        col=1,
    )


def mark_beginnings(figure: go.Figure, curve: Sequence[Point]) -> None:
    """A thin line where the attack begins anew, and its name where another attack of a suite begins."""
    for before, after in pairwise(curve):
        x = before.index + 0.5
        if after.stage != before.stage:
            figure.add_vline(x=x, line_color="#adb5bd", line_width=1)
        if after.member != before.member:
            figure.add_annotation(x=x, y=1, yref="y domain", text=after.member, showarrow=False, xanchor="left", font_size=10)


def comparison_curves(runs: Mapping[str, tuple[Trajectory, str]], quantity: str, budget: int) -> go.Figure:
    """One of QUANTITIES over the gradient evaluations of each run, given by name with its colour; stars are the 8-bit results."""
    of_point, of_result = QUANTITIES[quantity]
    figure = go.Figure()
    for name, (trajectory, colour) in runs.items():
        spent = [spent_at(point) for point in trajectory.curve]
        mode = "lines+markers" if len(spent) <= 60 else "lines"
        figure.add_scatter(
            x=spent,
            y=[of_point(point) for point in trajectory.curve],
            name=name,
            mode=mode,
            marker_size=5,
            line_color=colour,
            legendgroup=name,
            hovertemplate="%{y:.1%}",
        )
        if trajectory.report is not None:
            figure.add_scatter(
                x=spent[-1:],
                y=[of_result(trajectory)],
                name=f"{name}, 8-bit result",
                mode="markers",
                marker={"symbol": "star", "size": 13, "color": colour, "line": {"width": 1, "color": "white"}},
                legendgroup=name,
                showlegend=False,
                hovertemplate="%{y:.1%}",
            )
    figure.update_xaxes(title_text="gradient evaluations (without gradients: looks)", range=[-0.02 * budget, 1.04 * budget])
    figure.update_yaxes(title_text=quantity, range=[-0.03, 1.03], tickformat=".0%")
    figure.update_layout(
        height=400,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="comparison",
    )
    return figure


def show_chart(figure: go.Figure, *, key: str, first: bool = False, **options: Any) -> None:
    """A chart on screen, with the options of Streamlit; for the last row in the presenter view.

    It waits for the pictures unless it is the `first` thing to see on its page.
    """
    if first or pictures_are_drawn(key):
        st.plotly_chart(for_the_last_row(figure) if tab().presenting else figure, key=key, **options)
    else:
        st.skeleton(height=int(figure.layout.height or 450))


def for_the_last_row(figure: go.Figure) -> go.Figure:
    """A copy of a chart with letters, lines and marks that are seen from afar."""
    large = go.Figure(figure)
    height = large.layout.height or 450
    large.update_layout(height=1.3 * height, font_size=20, legend_font_size=20, hoverlabel_font_size=20, title_font_size=24)
    large.update_xaxes(tickfont_size=20, title_font_size=20)
    large.update_yaxes(tickfont_size=20, title_font_size=20)
    large.update_annotations(font_size=20)
    large.update_traces(line_width=4, selector=lambda trace: trace.type == "scatter" and trace.mode != "markers" and trace.fill is None)
    large.update_traces(marker_size=10, selector=lambda trace: trace.type == "scatter" and trace.mode == "lines+markers")
    large.update_traces(textfont_size=20, selector={"type": "heatmap"})
    return large

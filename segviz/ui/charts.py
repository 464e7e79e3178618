"""Curves of a run."""

from itertools import pairwise

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segviz.lab import Trajectory

COLOURS = {"mIoU of this image": "#d9480f", "pixel accuracy": "#1971c2", "target reached": "#2f9e44", "loss": "#868e96"}


def run_curves(trajectory: Trajectory, total: int, cursor: int | None) -> go.Figure:
    """Accuracy over the iterations above, the loss below, on one axis of `total` iterations, with a rule at iteration `cursor`.

    A thin line marks where the attack begins anew: a restart, another radius, the next attack of a suite.
    """
    curve = trajectory.curve
    index = [point.index for point in curve]
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
            x=index, y=values, name=name, mode=mode, marker_size=5, line_color=COLOURS[name], hovertemplate="%{y:.1%}", row=1, col=1
        )
    loss = [point.loss for point in curve]
    figure.add_scatter(
        x=index, y=loss, name="loss", mode=mode, marker_size=4, line_color=COLOURS["loss"], hovertemplate="%{y:.3f}", row=2, col=1
    )
    if trajectory.report is not None and total > 0:
        result = trajectory.report.adversarial
        figure.add_scatter(
            x=[trajectory.report.iterations],
            y=[result.miou],
            name="result, 8-bit",
            mode="markers",
            marker={"symbol": "star", "size": 13, "color": COLOURS["mIoU of this image"]},
            hovertemplate="%{y:.1%}",
            row=1,
            col=1,
        )
    for before, after in pairwise(curve):
        x = before.index + 0.5
        if after.stage != before.stage:
            figure.add_vline(x=x, line_color="#adb5bd", line_width=1)
        if after.member != before.member:
            figure.add_annotation(x=x, y=1, yref="y domain", text=after.member, showarrow=False, xanchor="left", font_size=10)
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

"""Curves of pictures on their way to a target map."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segviz.studies.targets import PASSED, Victim, mean_curve

PANELS = {
    "target_accuracy": "target accuracy",
    "target_miou": "target mIoU",
    "original_miou": "IoU with the original prediction",
    "true_accuracy": "accuracy against the label map",
}
MEAN = "mean"
MEAN_COLOUR = "#495057"


def target_curves(victims: Sequence[Victim], colours: Mapping[str, str], titles: Mapping[str, str], total: int) -> go.Figure:
    """A panel for each of PANELS over `total` iterations: a line per picture, by name, and their mean; diamonds where one passed."""
    figure = make_subplots(
        rows=2, cols=2, subplot_titles=list(PANELS.values()), shared_xaxes=True, vertical_spacing=0.11, horizontal_spacing=0.06
    )
    for number, rate in enumerate(PANELS):
        place = {"row": number // 2 + 1, "col": number % 2 + 1}
        for victim in victims:
            values = [getattr(moment, rate) for moment in victim.curve]
            if not values or values[0] is None:
                continue
            name = victim.picture.name
            line = {"line_color": colours[name], "legendgroup": name, "name": titles[name], "hovertemplate": "%{y:.1%}"}
            index = [moment.index for moment in victim.curve]
            figure.add_scatter(x=index, y=values, mode="lines", showlegend=number == 0, **line, **place)
            if victim.passed is not None:
                figure.add_scatter(
                    x=[victim.passed],
                    y=[next(getattr(moment, rate) for moment in victim.curve if moment.index == victim.passed)],
                    mode="markers",
                    marker={"symbol": "diamond", "size": 10, "color": colours[name], "line": {"width": 1, "color": "white"}},
                    showlegend=False,
                    **(line | {"name": f"{titles[name]}, {PASSED:.0%} at iteration {victim.passed}"}),
                    **place,
                )
        means = mean_curve(victims, rate)
        if len(victims) > 1 and means and means[0] is not None:
            figure.add_scatter(
                x=list(range(len(means))),
                y=means,
                mode="lines",
                name=MEAN,
                legendgroup=MEAN,
                showlegend=number == 0,
                line={"color": MEAN_COLOUR, "width": 3, "dash": "dot"},
                hovertemplate="%{y:.1%}",
                **place,
            )
    figure.add_hline(y=PASSED, line={"color": "#adb5bd", "width": 1, "dash": "dash"}, row=1, col=1)
    figure.update_xaxes(range=[-0.02 * total, 1.03 * max(total, 1)])
    figure.update_xaxes(title_text="iteration", row=2)
    figure.update_yaxes(range=[-0.03, 1.05], tickformat=".0%")
    figure.update_annotations(font_size=13)
    figure.update_layout(
        height=520,
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.07, "bgcolor": "rgba(0,0,0,0)"},
        uirevision="targets",
    )
    return figure

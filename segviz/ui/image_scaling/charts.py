"""Charts of the page: ROC curves of the detectors."""

from collections.abc import Mapping

import plotly.graph_objects as go

from segviz.scaling.detection import DETECTORS, Roc
from segviz.ui.kit.pictures import COLOURS


def roc_curves(curves: Mapping[str, Roc]) -> go.Figure:
    """ROC curves of detectors, by key."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#adb5bd", "dash": "dot"}, showlegend=False, hoverinfo="skip")
    for number, (key, curve) in enumerate(curves.items()):
        figure.add_scatter(
            x=curve.false_positive_rate,
            y=curve.true_positive_rate,
            name=f"{DETECTORS[key].title}, AUC {curve.auc:.3f}",
            mode="lines",
            line={"shape": "hv", "color": COLOURS[number % len(COLOURS)]},
            hovertemplate="%{y:.1%} found at %{x:.1%} false alarms",
        )
    figure.update_xaxes(title_text="false positive rate", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title_text="true positive rate", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_layout(height=420, margin={"l": 10, "r": 10, "t": 20, "b": 10}, uirevision="roc")
    return figure

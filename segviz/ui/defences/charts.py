"""Charts of the page: the robust twins over epsilon, and uncertainty as a detector."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from segviz.defences.titles import short_title
from segviz.defences.uncertainty import roc
from segviz.studies import twins
from segviz.studies.defences import Survey
from segviz.studies.twins import Measured

TWIN_COLOURS = {
    "voc7-lraspp": "#868e96",
    "voc7-lraspp-pgd": "#2f9e44",
    "voc7-lraspp-pgd-half": "#d9480f",
    "voc7-lraspp-segpgd": "#1971c2",
    "voc7-lraspp-eroseg": "#9c36b5",
}


def twin_curves(rows: Sequence[Measured]) -> go.Figure:
    """mIoU over epsilon in grey levels, a line per model, from the clean one at 0; dotted, what a map of one class alone has."""
    figure = go.Figure()
    for key, colour in TWIN_COLOURS.items():
        own = {one.eps: one for one in rows if one.model == key}
        if not own:
            continue
        # No line across what was not measured: it would say something of it.
        figure.add_scatter(
            x=[0, *twins.EPS],
            y=[next(iter(own.values())).clean_miou, *(own[eps].miou if eps in own else None for eps in twins.EPS)],
            name=short_title(key),
            mode="lines+markers",
            line_color=colour,
            hovertemplate="%{y:.1%}",
        )
    figure.add_hline(
        rows[0].constant_miou,
        line={"dash": "dot", "color": "#868e96"},
        annotation={"text": "one class everywhere", "font_color": "#868e96"},
    )
    figure.update_xaxes(title_text="ε (grey levels)", tickvals=[0, *twins.EPS], range=[-0.2, 1.05 * max(twins.EPS)])
    figure.update_yaxes(title_text="mIoU", tickformat=".0%", range=[-0.02, 1.0])
    figure.update_layout(
        height=380,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "bgcolor": "rgba(0,0,0,0)"},
    )
    return figure


def entropy_roc(survey: Survey) -> tuple[go.Figure, float]:
    """The ROC curve of the mean entropy as a detector of attacked pictures, and the area under it."""
    false_positive, true_positive, area = roc(np.array(survey.clean_entropy), np.array(survey.attacked_entropy))
    figure = go.Figure()
    figure.add_scatter(x=false_positive, y=true_positive, mode="lines+markers", name="mean entropy", line_color="#1971c2")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#adb5bd"}, showlegend=False)
    figure.update_xaxes(title_text="clean pictures called attacked", tickformat=".0%")
    figure.update_yaxes(title_text="attacked pictures found", tickformat=".0%")
    figure.update_layout(height=300, width=420, margin={"l": 10, "r": 10, "t": 10, "b": 10}, showlegend=False)
    return figure, area

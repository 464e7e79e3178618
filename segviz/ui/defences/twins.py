"""What was measured of the robust twins: mIoU over epsilon under a weak, a longer and a strong attack."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from segviz.models.zoo import MODELS
from segviz.studies import twins
from segviz.studies.twins import Measured

COLOURS = {
    "voc7-lraspp": "#868e96",
    "voc7-lraspp-pgd": "#2f9e44",
    "voc7-lraspp-pgd-half": "#d9480f",
    "voc7-lraspp-segpgd": "#1971c2",
    "voc7-lraspp-eroseg": "#9c36b5",
}
TEXT = "**Robust twins**: the same decoder, trained on attacked pictures. Go from **PGD-3** to **SEA** and see how much of each is left."
STEPS = {
    "PGD-3": "PGD, 3 steps from a random point",
    "PGD-20": "PGD, 20 steps from a random point",
    "SEA": "SEA, 100 steps with each of its three losses; of each picture the worst counts",
}


def show_twins() -> None:
    """The choice of the attack, the chart, and how it was measured; nothing where nothing was."""
    measured = st.cache_data(twins.read)(twins.KEPT)
    if not measured:
        return
    st.markdown(TEXT)
    attack = st.segmented_control(
        "Attack", list(STEPS), default="SEA", required=True, key="twins_attack", label_visibility="collapsed", persist_state="session"
    )
    # Some attacks were measured on more pairs as well; the curves of all are to be comparable.
    images = min(one.images for one in measured)
    rows = [one for one in measured if one.attack == attack and one.images == images]
    st.plotly_chart(
        curves(rows), key="twins_curves", config={"displayModeBar": False}, alt=f"mIoU of each twin over epsilon under {STEPS[attack]}"
    )
    st.caption(
        f"mIoU of the data set over {images} Pascal VOC validation photos of animals and people, under {STEPS[attack]}. Measured before, "
        "with `python -m segviz.studies.twins`; how each was trained is on its model card. All but `voc7-lraspp` look at pictures at half "
        "their size. Dotted: the mIoU of a map that says background everywhere; what lies below it knows nothing of the pictures any more."
    )


def curves(rows: Sequence[Measured]) -> go.Figure:
    """mIoU over epsilon in grey levels, a line per model, from the clean one at 0; dotted, what a map of one class alone has."""
    figure = go.Figure()
    for key, colour in COLOURS.items():
        own = {one.eps: one for one in rows if one.model == key}
        if not own:
            continue
        # No line across what was not measured: it would say something of it.
        figure.add_scatter(
            x=[0, *twins.EPS],
            y=[next(iter(own.values())).clean_miou, *(own[eps].miou if eps in own else None for eps in twins.EPS)],
            name=MODELS[key].title.removesuffix(" (bundled)"),
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

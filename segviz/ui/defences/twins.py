"""What was measured of the robust twins: mIoU over epsilon under a weak, a longer and a strong attack."""

import streamlit as st

from segviz.studies import twins
from segviz.ui.defences.charts import twin_curves
from segviz.ui.kit.charts import show_chart

TEXT = "**Robust twins**: the same decoder, trained on attacked pictures. Go from **PGD-3** to **SEA** and see how much of each is left."
STEPS = {
    "PGD-3": "PGD, 3 steps from a random point",
    "PGD-20": "PGD, 20 steps from a random point",
    "SEA": "SEA, 100 steps with each of its three losses; the worst of the three counts for each picture",
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
    show_chart(
        twin_curves(rows), key="twins_curves", config={"displayModeBar": False}, alt=f"mIoU of each twin over epsilon under {STEPS[attack]}"
    )
    st.caption(
        f"mIoU of the data set over {images} Pascal VOC validation photos of animals and people, under {STEPS[attack]}. Measured before, "
        "with `python -m segviz.studies.twins`; how each was trained is on its model card. All but `voc7-lraspp` look at pictures at half "
        'their size. Dotted: a map that says background everywhere. Below this, always answering "background" is better.'
    )

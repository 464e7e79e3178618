"""The app: page configuration and navigation. Start it with `streamlit run app.py`."""

import pandas  # noqa: F401  Plotly trips over a pandas that another visitor's script is only half through importing.
import streamlit as st

from segviz.places import ASSETS
from segviz.types import UserError
from segviz.ui.kit.state import tab

st.set_page_config(page_title="segviz", page_icon=ASSETS / "icon.png", layout="wide")
tab().through_app = True
navigation = st.navigation(
    [
        st.Page("pages/lessons.py", title="Lessons"),
        st.Page("pages/attack_lab.py", title="Attack lab", default=True),
        st.Page("pages/compare.py", title="Compare"),
        st.Page("pages/targets.py", title="Target maps"),
        st.Page("pages/transfer.py", title="Transfer"),
        st.Page("pages/image_scaling.py", title="Image scaling"),
        st.Page("pages/defences.py", title="Defences"),
        st.Page("pages/curves.py", title="Curves"),
        st.Page("pages/leaderboard.py", title="Leaderboard"),
        st.Page("pages/models.py", title="Models"),
        st.Page("pages/classroom.py", title="Classroom"),
        st.Page("pages/room.py", title="Join a room", visibility="hidden"),
        st.Page("pages/about.py", title="About"),
    ],
    position="top",
)
if (wanted := tab().wanted) is not None:
    tab().wanted = None
    st.switch_page(wanted[0], query_params=wanted[1])
try:
    navigation.run()
except UserError as error:
    # As when the model of what is on screen was taken out of segviz.toml.
    st.error(str(error))

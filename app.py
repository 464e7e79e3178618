"""The app: page configuration and navigation. Start it with `streamlit run app.py`."""

import pandas  # noqa: F401  Plotly trips over a pandas that another visitor's script is only half through importing.
import streamlit as st

st.set_page_config(page_title="segviz", page_icon="assets/icon.png", layout="wide")
st.session_state.app = True
navigation = st.navigation(
    [
        st.Page("pages/attack_lab.py", title="Attack lab", icon=":material/science:", default=True),
        st.Page("pages/compare.py", title="Compare", icon=":material/leaderboard:"),
        st.Page("pages/curves.py", title="Curves", icon=":material/show_chart:"),
        st.Page("pages/leaderboard.py", title="Leaderboard", icon=":material/emoji_events:"),
        st.Page("pages/targets.py", title="Target maps", icon=":material/target:"),
        st.Page("pages/transfer.py", title="Transfer", icon=":material/swap_calls:"),
        st.Page("pages/image_scaling.py", title="Image scaling", icon=":material/photo_size_select_small:"),
        st.Page("pages/defences.py", title="Defences", icon=":material/shield:"),
        st.Page("pages/models.py", title="Models", icon=":material/grid_view:"),
        st.Page("pages/about.py", title="About", icon=":material/info:"),
    ],
    position="top",
)
if "wanted" in st.session_state:
    page, query = st.session_state.pop("wanted")
    st.switch_page(page, query_params=query)
navigation.run()

"""The app: page configuration and navigation. Start it with `streamlit run app.py`."""

import streamlit as st

st.set_page_config(page_title="segviz", page_icon="assets/icon.png", layout="wide")
st.session_state.app = True
navigation = st.navigation(
    [
        st.Page("pages/attack_lab.py", title="Attack lab", icon=":material/science:", default=True),
        st.Page("pages/compare.py", title="Compare", icon=":material/leaderboard:"),
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

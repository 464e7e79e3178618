"""Models: the catalogue, downloads, and one photo through any selection of them."""

from functools import partial

import streamlit as st

from segviz.data.samples import samples
from segviz.models.zoo import model_entry
from segviz.studies.runs import run_views
from segviz.types import UserError
from segviz.ui.kit.models import download_panel, is_here, model_keys, model_title
from segviz.ui.kit.presenter import end_page
from segviz.ui.kit.running import follow
from segviz.ui.kit.session import queue, through_app
from segviz.ui.kit.state import page_state
from segviz.ui.models import gallery

through_app("pages/models.py")

state = page_state(gallery.Views)

st.title("Models")
try:
    gallery.show_models()
    absent = [key for key in model_keys() if not is_here(model_entry(key))]
except UserError as error:
    st.error(str(error))
    end_page()
gallery.show_memory()

if absent:
    with st.expander("Get a model that is not here yet", icon=":material/download:", key="get_model"):
        wanted = st.selectbox("Model to download", absent, format_func=model_title, key="absent_model")
        download_panel(model_entry(wanted))

with st.expander("Bring your own weights", icon=":material/upload:", key="own_weights"):
    gallery.upload_weights()

st.subheader("One photo, several models")
left, right = st.columns([1, 2])
with left:
    photo = st.selectbox("Photo", list(samples()), format_func=lambda key: samples()[key].title, key="gallery_photo")
with right:
    keys = gallery.choose_models()
if st.button("Segment and measure", type="primary", icon=":material/speed:", key="segment", disabled=not keys):
    state.job = queue(run_views, keys, photo, beside="views")
st.caption(f"Times are measured on this server ({gallery.device_line()}), medians of three; other people's runs slow them down.")
show = partial(gallery.show_views, state)
follow(show, state.job, live=show)

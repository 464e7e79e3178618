"""Defences: an attack without the defence, through it unaware, and knowing it, side by side and live."""

from dataclasses import replace

import streamlit as st

from segviz.defences.rows import DEFENCES
from segviz.models.zoo import model_entry
from segviz.studies import first_view
from segviz.studies.defences import Ladder, Survey, Trial
from segviz.studies.runs import run_ladder, run_survey, run_trial
from segviz.types import UserError
from segviz.ui.defences import twins as twins_view
from segviz.ui.defences import view as defence_view
from segviz.ui.defences.controls import DEFAULT_DEFENCE, link_of_wish, pair_control, preset_buttons, wish_controls
from segviz.ui.kit.session import queue, through_app
from segviz.ui.kit.subject import chosen_picture

through_app("pages/defences.py")

state = st.session_state
EPS = (1.0, 2.0, 4.0, 8.0)
if "trial" not in state:
    precomputed = st.cache_resource(first_view.load)()
    state.trial_run, state.survey, state.ladder, state.defence_job = "precomputed", None, None, None
    state.defence_text, state.ladder_go = "", False
    state.defence_go = "defence" in st.query_params and "model" not in state
    state.trial = Trial(precomputed.settings, DEFAULT_DEFENCE, budget=precomputed.settings.steps, plain=precomputed)

wish = picture = None
with st.sidebar:
    try:
        wish = wish_controls()
        picture = chosen_picture(wish.settings)
    except UserError as error:
        st.error(str(error))

st.markdown(defence_view.INTRODUCTION)
preset_buttons()
ready = wish is not None and picture is not None
buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="defence_start", disabled=not ready)
    if clicked:
        state.defence_text = ""
    if (clicked or state.defence_go) and wish is not None and picture is not None:
        state.defence_job = queue(run_trial, wish.settings, wish.defence, picture, wish.budget)
    state.defence_go = False
    stop = st.empty()
if wish is not None:
    st.query_params.from_dict(link_of_wish(wish))
results = st.container()

st.divider()
left, right = st.columns(2, gap="large")
with left:
    st.markdown(
        "**All defences over the samples**: the clean cost of each, and its mIoU under an attack that does not know it and one that does."
    )
    names = st.multiselect(
        "Defences",
        DEFENCES,
        default=["jpeg", "median", "bits", "tv"],
        format_func=lambda key: DEFENCES[key].title,
        key="survey_defences",
        persist_state="session",
    )
    if st.button("Fill the table", icon=":material/table:", key="survey_start", disabled=wish is None or not names) and wish is not None:
        state.defence_job = queue(run_survey, wish.settings, names, wish.budget)
with right:
    st.markdown(
        "**Models side by side**: the same attack at ε = 1, 2, 4 and 8/255. What it takes to fool a robust model is shaped like the "
        "things in the picture; what fools a clean one is noise."
    )
    keys = pair_control(model_entry(wish.settings.model).label_set) if wish is not None else []
    attack_all = st.button("Attack all of them", icon=":material/compare:", key="ladder_start", disabled=not ready or not keys)
    if (attack_all or state.ladder_go) and wish is not None and picture is not None:
        state.defence_job = queue(run_ladder, replace(wish.settings, steps=wish.budget), EPS, picture, keys)
    state.ladder_go = False

st.divider()
twins_view.show_twins()

job = state.defence_job
active = job is not None and job.active
stop.button("Stop", icon=":material/stop:", key="defence_stop", disabled=not active, on_click=job.stop if job else None)


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with a run; asks for new snapshots while it is under way."""
    if active and not job.active:
        st.rerun()
    latest = job.latest if job is not None else None
    if isinstance(latest, Trial):
        state.trial, state.trial_run = latest, job.id
    elif isinstance(latest, Survey):
        state.survey = latest
    elif isinstance(latest, Ladder):
        state.ladder, state.ladder_run = latest, job.id
    with progress:
        defence_view.show_status(job)
    if state.defence_text:
        st.info(state.defence_text, icon=":material/menu_book:")
    on_photo = st.toggle("Maps over the photo", True, key="defence_on_photo")
    defence_view.show_trial(state.trial, on_photo, state.trial_run)
    if state.survey is not None:
        st.subheader("All defences over the samples")
        defence_view.show_survey(state.survey)
    if state.ladder is not None:
        st.subheader("Models side by side at growing eps")
        defence_view.show_ladder(state.ladder, on_photo, state.ladder_run)


with results:
    live()

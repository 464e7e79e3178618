"""The attack lab: one attack on one picture, live."""

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.studies import first_view
from segviz.studies.runs import run_attack
from segviz.types import UserError
from segviz.ui.kit.attacks import show_attack
from segviz.ui.kit.layers import label_set_of
from segviz.ui.kit.models import is_here
from segviz.ui.kit.session import identity, look_only, queue, through_app
from segviz.ui.kit.subject import chosen_picture
from segviz.ui.lab import view as lab_view
from segviz.ui.lab.controls import NOTHING_DRAWN, settings_controls

through_app("pages/attack_lab.py")

state = st.session_state
precomputed = st.cache_resource(first_view.load)()

settings = picture = None
with st.sidebar:
    try:
        settings = settings_controls()
        picture = chosen_picture(settings)
    except UserError as error:
        st.error(str(error))

state.setdefault("trajectory", precomputed)
state.setdefault("job", None)
opened = "opened" not in state
if settings is not None and picture is not None:
    seen = identity(settings.model, picture)
    if seen != state.get("seen"):
        if settings == precomputed.settings:
            if not opened and state.job is not None:
                state.job.stop()
            state.trajectory, state.job = precomputed, None
        else:
            # A link with settings of its own is run at once; another picture is only looked at.
            whole = opened and settings.region != NOTHING_DRAWN and not state.get("lost_model")
            state.job = queue(run_attack, settings if whole else look_only(settings), picture)
        state.seen, state.error = seen, None
state.opened = True

job = state.job
if job is not None and job.error is not None and job.latest is None and settings and picture and state.get("error") is None:
    # The message stays, above the picture that was asked for.
    state.error = job.error
    state.job = queue(run_attack, look_only(settings), picture)
buttons, progress = st.columns([1, 3], vertical_alignment="center")
ready = settings is not None and picture is not None and lab_view.show_region_editor(settings, picture)
with buttons, st.container(horizontal=True):
    if st.button("Run", type="primary", icon=":material/play_arrow:", key="run", disabled=not ready) and settings and picture:
        state.job, state.error = queue(run_attack, settings, picture), None
    job = state.job
    active = job is not None and job.active
    st.button("Stop", icon=":material/stop:", key="stop", disabled=not active, on_click=job.stop if job else None)
if picture is None and settings is not None:
    missing = "Upload a picture" if is_here(model_entry(settings.model)) else "Download the model"
    st.info(f"{missing} on the left to attack it. Until then the last view stays.")


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with the run; asks for new snapshots while one is under way."""
    if active and not job.active:
        st.rerun()
    if job is not None and job.latest is not None:
        state.trajectory = job.latest
    trajectory = state.trajectory
    with progress:
        if state.get("error") is not None:
            st.error(state.error)
        lab_view.show_status(job, trajectory, trajectory is precomputed)
        if not active and settings is not None and trajectory.settings.steps > 0 and trajectory.settings != settings:
            st.caption("The settings on the left have changed since this run. Press **Run** to use them.")
    label_set = label_set_of(trajectory)
    lab_view.show_headline(trajectory)
    lab_view.show_outcomes(trajectory)
    pictures, side = st.columns([3, 2], gap="medium")
    with side:
        frame, cursor = lab_view.choose_frame(trajectory, job.id if job is not None else "precomputed")
        lab_view.show_curves(trajectory, cursor)
        shown = lab_view.show_legend(trajectory, frame, label_set)
    with pictures:
        lab_view.show_pictures(trajectory, frame, label_set, shown)
        lab_view.show_downloads(trajectory)


live()
if settings is not None:
    show_attack(settings)

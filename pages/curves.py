"""Curves: how models fall as attacks grow, as a grid of runs that can be stopped and continued."""

import streamlit as st

from segviz.studies import first_study
from segviz.studies.run import cost, run
from segviz.types import UserError
from segviz.ui import curves_view
from segviz.ui.curves_controls import fill_grid, grid_controls, link_of_grid, read_grid
from segviz.ui.curves_presets import Preset, presets
from segviz.ui.session import queue, through_app

through_app("pages/curves.py")

state = st.session_state
store = curves_view.store()


@st.cache_resource
def precomputed() -> curves_view.Shown:
    """What is on screen before anything has been run."""
    return curves_view.shown_of(first_study.FIRST, first_study.load(), precomputed=True)


def start(preset: Preset) -> None:
    """Put a figure's study into the controls; this run of the page starts it."""
    assert preset.study is not None
    fill_grid(preset.study)
    state.curves_axis, state.curves_at_wish, state.curves_view, state.curves_run_now = preset.axis, preset.eps, "Curves", True
    state.pop("curves_at", None)


if "curves_shown" not in state:
    query = st.query_params.to_dict()
    fill_grid(read_grid(query, first_study.FIRST))
    state.curves_shown, state.curves_job, state.curves_done = precomputed(), None, -1
    # The lab is not to run by itself when it is visited later.
    state.opened = True

study = None
with st.sidebar:
    try:
        study = grid_controls()
        study = first_study.FIRST if link_of_grid(study, first_study.FIRST) == {} else study
    except UserError as error:
        st.error(str(error))

job = state.curves_job
active = job is not None and job.active
todo = None
if study is not None:
    st.query_params.from_dict(link_of_grid(study, first_study.FIRST))
    try:
        if not active and study != state.curves_shown.study:
            there = curves_view.stored(study)
            if not there.empty:
                state.curves_shown, state.curves_job = there, None
                job = None
        if not active:
            with st.spinner("Measuring how fast this machine is …"):
                todo = cost(study, store)
            curves_view.show_cost(todo)
    except UserError as error:
        st.error(str(error))
        study = None

buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="curves_run", disabled=study is None)
    st.button("Stop", icon=":material/stop:", key="curves_stop", disabled=not active, on_click=job.stop if job else None)
if (clicked or state.pop("curves_run_now", False)) and study is not None:
    wished = study
    state.curves_job, state.curves_done = queue(lambda stopped: run(wished, store, stopped=stopped)), -1
    state.curves_running = wished
    st.rerun()


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with the study; asks for new results while it is under way."""
    if active and not job.active:
        st.rerun()
    if job is not None and job.latest is not None and job.latest.done != state.curves_done:
        state.curves_done = job.latest.done
        state.curves_shown = curves_view.stored(state.curves_running, state.curves_shown)
    with progress:
        curves_view.show_status(job)
        if not active and study is not None and study != state.curves_shown.study:
            st.caption("Nothing of the grid on the left is computed yet. Press **Run** to see it; until then the last study stays.")
    curves_view.show_body(state.curves_shown, active)


live()
curves_view.show_presets(presets(), start)

"""The attack lab: one attack on one picture, live."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.types import UserError
from segviz.ui.kit.attacks import show_attack
from segviz.ui.kit.later import pictures_are_drawn
from segviz.ui.kit.layers import label_set_of
from segviz.ui.kit.models import is_here
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.kit.subject import chosen_picture
from segviz.ui.lab import view
from segviz.ui.lab.controls import settings_controls
from segviz.ui.lab.glance import show_purpose
from segviz.ui.lab.history import remember_run, show_run_strip
from segviz.ui.lab.lens import show_lens
from segviz.ui.lab.running import show_running
from segviz.ui.lab.second import show_second
from segviz.ui.lab.state import PAGE, lab, look_or_run, run_again, run_in_view
from segviz.ui.live import live_status, looking

through_app(PAGE)

state = lab()
settings = picture = start = None
with st.sidebar:
    try:
        settings = settings_controls()
        picture = chosen_picture(settings)
    except UserError as error:
        st.error(str(error))

show_purpose()
bar = st.container()
if settings is not None and picture is not None:
    look_or_run(state, settings, picture)
    if view.show_region_editors(settings, picture):
        start = partial(run_in_view, state, settings, picture)
state.asked = False
with bar:
    progress = run_bar(state, "lab", start, again=partial(run_again, state))
if picture is None and settings is not None:
    missing = "Upload or take a picture" if is_here(model_entry(settings.model)) else "Download the model"
    st.info(f"{missing} on the left to attack it. Until then the last view stays.")
running = state.active


def show() -> None:
    """Everything that changes with the run."""
    trajectory = state.shown
    with progress:
        view.show_run_status(state, trajectory)
        if not running and settings is not None and trajectory.settings.steps > 0 and trajectory.settings != settings:
            st.caption("The settings on the left have changed since this run. Press **Run** to use them.")
    label_set = label_set_of(trajectory)
    frame, cursor = view.frame_on_screen(trajectory, state.run_name)
    glance, second, lens = st.container(), st.container(), st.container()
    view.show_run_figures(trajectory, frame, cursor)
    view.show_outcomes(trajectory)
    pictures, side = st.columns([3, 2], gap="medium")
    # The pictures first: tables and charts take the browser longest.
    with pictures:
        view.show_pictures(trajectory, frame, label_set, view.classes_ticked(), glance, state.run_name)
        view.show_run_files(trajectory)
    with second:
        show_second(trajectory)
    with lens:
        show_lens(trajectory, frame)
    with side:
        view.choose_frame(trajectory, state.run_name)
        view.show_run_curves(trajectory, cursor)
        if pictures_are_drawn("legend"):
            view.show_legend(trajectory, frame, label_set)
    remember_run(state, trajectory)
    show_run_strip()


def watch() -> None:
    """A run that is under way."""
    if state.job is not None and state.wanted is not None:
        with progress:
            if state.error is not None:
                st.error(state.error)
            live_status(state.job, "lab")
        show_running(state.job, *state.wanted)


look_on = looking(state.job, "lab", progress, show)
follow(show, state.job, live=watch if state.wanted is not None and state.wanted[0].steps > 0 else look_on)
if settings is not None:
    show_attack(settings)

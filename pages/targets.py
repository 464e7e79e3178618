"""Target maps: several pictures, live and side by side, on their way to be segmented as a map of one's choice."""

from dataclasses import replace

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.records import Picture
from segviz.studies.runs import run_morph
from segviz.studies.target_maps import TargetMap
from segviz.studies.targets import Victim
from segviz.types import UserError
from segviz.ui.kit.attacks import show_attack
from segviz.ui.kit.models import is_here
from segviz.ui.kit.session import queue, through_app
from segviz.ui.targets import view as targets_view
from segviz.ui.targets.controls import Wish, identity_of, link_of_wish, opened, preset_buttons, target_of, targets_controls

through_app("pages/targets.py")

state = st.session_state
if "targets_shown" not in state:
    state.targets_go = "targets_victims" not in state and "victims" in st.query_params
    # The lab is not to run by itself when it is visited later.
    state.opened = True
    state.targets_job = state.targets_seen = state.targets_shown = None

wish: Wish | None = None
target: TargetMap | None = None
pictures: list[Picture] = []
with st.sidebar:
    try:
        wish = targets_controls()
        if is_here(model_entry(wish.settings.model)):
            pictures = [opened(name, model_entry(wish.settings.model)) for name in wish.victims]
            target = target_of(wish)
    except UserError as error:
        st.error(str(error))
ready = wish is not None and target is not None and bool(pictures)


def start(wish: Wish, target: TargetMap | None) -> None:
    """Queue a run or, with no steps, a look, and remember what it is of."""
    state.targets_job, state.targets_queued = queue(run_morph, wish.settings, target, pictures), (wish, target and target.size)


preset_buttons()
if wish is not None and pictures:
    if state.targets_shown is None:
        state.targets_shown = targets_view.Shown(
            tuple(map(Victim, pictures)), replace(wish, settings=replace(wish.settings, steps=0)), None, ""
        )
    if wish.target == "drawn":
        first = state.targets_shown.victims[0]
        clean = first.clean if first.picture.name == pictures[0].name else None
        fits = clean is not None and clean.shape == pictures[0].pixels.shape[:2]
        targets_view.show_editor(pictures[0], clean if fits else None, model_entry(wish.settings.model).label_set)

buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="targets_run", disabled=not ready)
    if wish is not None and pictures:
        seen = identity_of(wish, pictures, target)
        if (clicked or state.targets_go) and target is not None:
            start(wish, target)
        elif seen != state.targets_seen:
            start(replace(wish, settings=replace(wish.settings, steps=0)), target)
        state.targets_seen = seen
    state.targets_go = False
    job = state.targets_job
    active = job is not None and job.active
    st.button("Stop", icon=":material/stop:", key="targets_stop", disabled=not active, on_click=job.stop if job else None)
if wish is not None:
    ran = state.targets_job is not None and state.targets_queued[0].settings.steps > 0
    st.query_params.from_dict(link_of_wish(wish, name_victims=ran))
if wish is not None and not ready:
    if not is_here(model_entry(wish.settings.model)):
        st.info("Download the model on the left to attack it. Until then the last view stays.")
    elif not wish.victims:
        st.info("Choose one or several pictures on the left. Until then the last view stays.")
    elif wish.target == "drawn":
        st.info("Draw the target on the picture above. **Run** waits for that.", icon=":material/draw:")
    elif wish.target == "file":
        st.info("Upload the target map on the left. **Run** waits for that.")


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with the run; asks for new snapshots while it is under way."""
    if active and not job.active:
        st.rerun()
    if job is not None and job.latest is not None:
        queued, size = state.targets_queued
        state.targets_shown = targets_view.Shown(job.latest, queued, size, job.id)
    shown = state.targets_shown
    if shown is None:
        return
    with progress:
        targets_view.show_status(job, shown)
    running = job is not None and job.active
    if not shown.look:
        targets_view.show_headline(shown.victims)
    targets_view.show_cards(shown, running)
    if not shown.look:
        targets_view.show_curves(shown)
        targets_view.show_table(shown, running)
        if not running:
            targets_view.show_downloads(shown)


live()
st.caption(targets_view.SOURCES)
if wish is not None:
    show_attack(wish.settings)

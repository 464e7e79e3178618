"""Compare: several attacks on one picture, each with the same budget of gradient evaluations, live."""

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import first_view
from segviz.studies.compare import Entrant
from segviz.studies.runs import run_comparison
from segviz.types import UserError
from segviz.ui.compare import view as compare_view
from segviz.ui.compare.controls import entrants_of, link_of_wish, wish_controls
from segviz.ui.kit.models import is_here
from segviz.ui.kit.session import identity, look_only, queue, through_app
from segviz.ui.kit.subject import chosen_picture

through_app("pages/compare.py")

state = st.session_state
precomputed = st.cache_resource(first_view.load)()
if "comparison" not in state:
    state.comparison_go = "model" not in state and "attacks" in st.query_params
    state.comparison_budget, state.comparison_job = 0, None
    state.comparison_clean, state.comparison_seen = precomputed, identity(precomputed.settings.model, precomputed.picture)
    # The lab is not to run by itself when it is visited later.
    state.opened = True
    # What is on screen: the clean view that ships with the project, until there is another.
    state.comparison = (Entrant(look_only(precomputed.settings), precomputed),)

wish = picture = None
runs: tuple[Settings, ...] = ()
with st.sidebar:
    try:
        wish = wish_controls()
        picture = chosen_picture(wish.shared)
        runs = entrants_of(wish)
    except UserError as error:
        st.error(str(error))

buttons, progress = st.columns([1, 3], vertical_alignment="center")
with buttons, st.container(horizontal=True):
    clicked = st.button("Run", type="primary", icon=":material/play_arrow:", key="compare_run", disabled=picture is None or not runs)
    if wish is not None and picture is not None:
        seen = identity(wish.shared.model, picture)
        if (clicked or state.comparison_go) and runs:
            state.comparison_job, state.comparison_budget = queue(run_comparison, runs, picture), wish.budget
            state.comparison = tuple(Entrant(settings) for settings in runs)
        elif seen != state.comparison_seen:
            state.comparison_job = queue(run_comparison, (look_only(wish.shared),), picture)
        state.comparison_seen = seen
    state.comparison_go = False
    job = state.comparison_job
    active = job is not None and job.active
    st.button("Stop", icon=":material/stop:", key="compare_stop", disabled=not active, on_click=job.stop if job else None)
if wish is not None:
    st.query_params.from_dict(link_of_wish(wish, name_attacks=not compare_view.is_look(state.comparison)))
if picture is None and wish is not None and is_here(model_entry(wish.shared.model)):
    st.info("Upload a picture on the left to attack it. Until then the last view stays.")


@st.fragment(run_every=0.5 if active else None)
def live() -> None:
    """Everything that changes with the comparison; asks for new snapshots while it is under way."""
    if active and not job.active:
        st.rerun()
    if job is not None and job.latest is not None:
        state.comparison = job.latest
    entrants, budget = state.comparison, state.comparison_budget
    state.comparison_clean = next((entrant.trajectory for entrant in entrants if entrant.trajectory is not None), state.comparison_clean)
    clean = state.comparison_clean
    with progress:
        compare_view.show_status(job, entrants)
    looking = compare_view.is_look(entrants)
    if not looking:
        compare_view.show_table(entrants, budget, job.active)
        st.caption(compare_view.basis_of(clean))
        compare_view.show_curves(entrants, budget)
    run = job.id if job is not None else "precomputed"
    on_photo = st.toggle("Maps over the photo", True, key="compare_on_photo")
    compare_view.show_clean(clean, on_photo, run)
    if not looking:
        compare_view.show_rows(entrants, on_photo, job.active, run)
        if not job.active:
            compare_view.show_downloads(entrants, budget)


live()

"""Compare: several attacks on one picture, each with the same budget of gradient evaluations, live."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.types import UserError
from segviz.ui.compare import view
from segviz.ui.compare.controls import comparison_controls, entrants_of, link_of_comparison
from segviz.ui.compare.state import PAGE, comparison, look_if_new, run_attacks
from segviz.ui.kit.links import write_link
from segviz.ui.kit.look import choose_look
from segviz.ui.kit.models import is_here
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.kit.subject import chosen_picture
from segviz.ui.live import looking, watching

through_app(PAGE)

state = comparison()
wish = picture = start = look = None
with st.sidebar:
    try:
        wish = comparison_controls()
        picture = chosen_picture(wish.shared)
        runs = entrants_of(wish)
        if picture is not None:
            start = partial(run_attacks, state, wish, runs, picture) if runs else None
            look = partial(look_if_new, state, wish, picture)
    except UserError as error:
        st.error(str(error))

progress = run_bar(state, "compare", start, look)
if wish is not None:
    write_link(link_of_comparison(wish, name_attacks=not state.look and not state.made_before))
if picture is None and wish is not None and is_here(model_entry(wish.shared.model)):
    st.info("Upload or take a picture on the left to attack it. Until then the last view stays.")


def show() -> None:
    """Everything that changes with the comparison."""
    state.update()
    with progress:
        view.show_comparison_status(state)
    if not state.look:
        view.show_entrants(state.entrants, state.budget, state.active)
        st.caption(view.basis_of_comparison(state.clean))
        view.show_comparison_curves(state.entrants, state.budget)
    look_of_maps = choose_look("compare_on_photo")
    view.show_clean(state.clean, look_of_maps, state.run_name)
    if not state.look:
        view.show_rows(state.entrants, look_of_maps, state.active, state.run_name)
        if not state.active:
            view.show_comparison_files(state.entrants, state.budget)


label_set = model_entry(state.entrants[0].settings.model).label_set
look_on = looking(state.job, "compare", progress, show)
follow(show, state.job, live=look_on if state.looking else watching(state.job, "compare", progress, label_set))

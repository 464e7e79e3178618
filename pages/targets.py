"""Target maps: several pictures, live and side by side, on their way to be segmented as a map of one's choice."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.types import UserError
from segviz.ui.kit.attacks import show_attack
from segviz.ui.kit.links import write_link
from segviz.ui.kit.models import is_here
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.live import looking, watching
from segviz.ui.targets import view
from segviz.ui.targets.controls import link_of_morph, morph_controls, opened_photo, target_of
from segviz.ui.targets.state import PAGE, look_if_others, morphing, run_morph_of, show_at_once

through_app(PAGE)

state = morphing()
wish = target = start = look = None
with st.sidebar:
    try:
        wish = morph_controls()
        if is_here(model_entry(wish.settings.model)):
            pictures = [opened_photo(name, model_entry(wish.settings.model)) for name in wish.victims]
            target = target_of(wish)
            if pictures:
                look = partial(look_if_others, state, wish, target, pictures)
                start = partial(run_morph_of, state, wish, target, pictures) if target is not None else None
    except UserError as error:
        st.error(str(error))

view.target_preset_buttons(None if wish is None else model_entry(wish.settings.model).label_set.classes)
if wish is not None and look is not None:
    show_at_once(state, wish, target, pictures)
    if wish.target == "drawn":
        view.show_editor(state, pictures[0], model_entry(wish.settings.model).label_set)
progress = run_bar(state, "targets", start, look)
if wish is not None:
    write_link(link_of_morph(wish, name_victims=state.ran))
    if start is None:
        view.say_what_is_missing(wish)


def show() -> None:
    """Everything that changes with the run."""
    state.update()
    shown = state.shown
    if shown is None:
        return
    with progress:
        view.show_morph_status(state, shown)
    if not shown.look:
        view.show_morph_figures(shown.victims)
    view.show_cards(shown, state.active)
    if not shown.look:
        view.show_morph_curves(shown)
        view.show_victims(shown, state.active)
        if not state.active:
            view.show_morph_files(shown)


label_set = model_entry(wish.settings.model).label_set if wish is not None else None
look_on = looking(state.job, "targets", progress, show)
follow(show, state.job, live=watching(state.job, "targets", progress, label_set, columns=3) if state.ran else look_on)
st.caption(view.SOURCES)
if wish is not None:
    show_attack(wish.settings)

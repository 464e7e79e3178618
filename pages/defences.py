"""Defences: an attack without the defence, through it unaware, and knowing it, side by side and live."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.types import UserError
from segviz.ui.defences import state as defences
from segviz.ui.defences import view
from segviz.ui.defences.controls import link_of_trial, pair_control, survey_control, trial_controls
from segviz.ui.defences.presets import preset_buttons
from segviz.ui.defences.survey import show_survey
from segviz.ui.defences.twins import show_twins
from segviz.ui.kit.links import write_link
from segviz.ui.kit.look import choose_look
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.kit.status import show_problem
from segviz.ui.kit.subject import chosen_picture
from segviz.ui.live import watching

through_app(defences.PAGE)

state = defences.trials()
wish = picture = start = None
with st.sidebar:
    try:
        wish = trial_controls()
        picture = chosen_picture(wish.settings)
        if picture is not None:
            start = partial(defences.try_defence, state, wish.settings, wish.defence, picture, wish.budget)
        write_link(link_of_trial(wish))
    except UserError as error:
        st.error(str(error))

st.markdown(view.INTRODUCTION)
preset_buttons()
bar, results = st.container(), st.container()
st.divider()
left, right = st.columns(2, gap="large")
with left:
    st.markdown("**All defences over the samples**: what each costs without an attack, and what is left under one that knows it or not.")
    names = survey_control()
    if st.button("Fill the table", icon=":material/table:", key="survey_start", disabled=wish is None or not names) and wish is not None:
        defences.fill_table(state, wish.settings, names, wish.budget)
with right:
    st.markdown(
        "**Models side by side**: the same attack at ε = 1, 2, 4 and 8/255. What fools a robust model is shaped like the things in the "
        "picture; what fools a clean one is noise."
    )
    keys = pair_control(model_entry(wish.settings.model).label_set) if wish is not None else []
    clicked = st.button("Attack all of them", icon=":material/compare:", key="ladder_start", disabled=picture is None or not keys)
    if (clicked or state.ladder_asked) and wish is not None and picture is not None:
        defences.attack_models(state, wish.settings, picture, keys, wish.budget)
    state.ladder_asked = False
st.divider()
show_twins()
# The bar comes last, so that its Stop belongs to whatever was started above.
with bar:
    progress = run_bar(state, "defence", start)


def show() -> None:
    """Everything that changes with a run."""
    state.update()
    with progress:
        show_problem(state.job)
        if wish is not None and state.tried != (wish.settings, wish.defence, wish.budget):
            st.caption("On screen is another trial than the one on the left. Press **Run** to see that one.")
    look = choose_look("defence_on_photo")
    view.show_trial(state.trial, look, state.trial_run)
    view.show_trial_report(state.trial)
    if state.survey is not None:
        st.subheader("All defences over the samples")
        show_survey(state.survey, state.survey_of)
    if state.ladder is not None:
        st.subheader("Models side by side at growing eps")
        view.show_ladder(state.ladder, look, state.ladder_run)


with results:
    if state.text:
        st.info(state.text, icon=":material/menu_book:")
    label_set = model_entry(wish.settings.model).label_set if wish is not None else None
    follow(show, state.job, live=watching(state.job, "defences", progress, label_set))

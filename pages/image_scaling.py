"""Image scaling: a picture that becomes another one when it is scaled down, for which scalers, what prevents it and what detects it."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.types import UserError
from segviz.ui.image_scaling import detection, pictures, view
from segviz.ui.image_scaling.controls import chosen_pictures, link_of_scaling, scaling_controls
from segviz.ui.image_scaling.files import show_downloads
from segviz.ui.image_scaling.state import PAGE, scaling, start_scaling
from segviz.ui.kit.links import write_link
from segviz.ui.kit.models import is_here
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.kit.state import tab
from segviz.ui.live import watching

through_app(PAGE)

state = scaling()
settings = start = hint = None
missing = False
with st.sidebar:
    try:
        settings = scaling_controls()
        source, other = chosen_pictures(settings)
        missing = source is None or (settings.hidden == "photo" and other is None)
        if source is not None:
            hint = view.warning_before(settings, source.pixels)
            if not missing and is_here(model_entry(settings.model)):
                start = partial(start_scaling, state, settings, source.pixels, None if other is None else other.pixels)
    except UserError as error:
        st.error(str(error))

progress = run_bar(state, "scaling", start)
if settings is not None:
    write_link(link_of_scaling(settings))
if hint is not None:
    st.warning(hint)
if missing:
    st.info("Choose or upload the pictures on the left. Until then the last view stays.")


def show() -> None:
    """Everything that changes with the run."""
    state.update()
    study = state.study
    with progress:
        view.show_scaling_status(state.job, study)
        if settings is not None and study is not None and study.settings != settings:
            st.caption("The settings on the left have changed since this run. Press **Run** to use them.")
    # For the last row the picture comes first.
    words, shown = (st.container(), st.container())[:: -1 if tab().presenting else 1]
    words.markdown(view.INTRODUCTION)
    if study is None:
        return
    with words:
        view.show_headline(study)
    with shown:
        pictures.show_viewer(study, state.shown)
    show_downloads(study)
    pictures.show_looks(study, state.shown)
    pictures.show_grid(study, state.shown)
    pictures.show_prevention(study, state.shown)
    detection.show_detection(state, study)


label_set = model_entry(settings.model).label_set if settings is not None else None
watch = watching(state.job, "scaling", progress, label_set, columns=3)
follow(show, state.job, state.detection, live=watch if state.active else show)

"""Certificate: what no change of a picture within a radius can flip, live as looks under noise come in."""

from functools import partial

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.types import UserError
from segviz.ui.certificate.controls import certificate_controls, link_of_certificate
from segviz.ui.certificate.state import PAGE, certifying, start_certifying
from segviz.ui.certificate.view import INTRODUCTION, show_certificate
from segviz.ui.kit.links import write_link
from segviz.ui.kit.running import follow, run_bar
from segviz.ui.kit.session import through_app
from segviz.ui.kit.status import show_problem
from segviz.ui.kit.subject import chosen_picture
from segviz.ui.live import watching

through_app(PAGE)

state = certifying()
settings = start = None
with st.sidebar:
    try:
        settings = certificate_controls()
        picture = chosen_picture(Settings(model=settings.model, image=settings.image))
        if picture is not None:
            start = partial(start_certifying, state, settings, picture)
        write_link(link_of_certificate(settings))
    except UserError as error:
        st.error(str(error))

progress = run_bar(state, "certificate", start)
st.markdown(INTRODUCTION)


def show() -> None:
    """Everything that changes with the run."""
    state.update()
    with progress:
        show_problem(state.job)
    show_certificate(state.certificate, state.shown)


label_set = model_entry(settings.model).label_set if settings is not None else None
follow(show, state.job, live=watching(state.job, "certificate", progress, label_set))

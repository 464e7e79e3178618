"""A study of transfer on screen: how far it is, what it shows, its figures."""

import streamlit as st

from segviz.ui.kit.beside import show_left_out, show_warnings
from segviz.ui.kit.status import show_job
from segviz.ui.transfer.maps import show_maps
from segviz.ui.transfer.state import Transfers
from segviz.ui.transfer.tables import show_download, show_heat, show_iterations, show_numbers
from segviz.ui.transfer.words import READING, show_family_note, study_in_words, transfer_basis


def show_study(state: Transfers, view: str) -> None:
    """What there is in a view, with its downloads once no run is under way."""
    if view not in state.studies:
        return
    origin, study = state.studies[view]
    st.caption(READING[view])
    show_warnings(study.warnings)
    show_left_out(study.left_out)
    if study.exhibits and view == "picture":
        show_maps(study, origin)
    if view == "curves":
        show_iterations(study)
    else:
        show_heat(study, view)
    st.caption(transfer_basis(study))
    show_family_note(study.plan)
    show_numbers(study)
    if not state.active:
        show_download(study)


def show_transfer_status(state: Transfers, view: str) -> None:
    """Progress of a study under way, or what is on screen and where it is from; errors as messages."""
    job = state.job if state.active or state.job_view == view else None
    if show_job(job, "transfer") or view not in state.studies:
        return
    _, study = state.studies[view]
    made = " Made beforehand with the bundled models; **Run** makes it live with your settings." if state.made_before(view) else ""
    st.markdown(f"{study_in_words(study)}{made}")

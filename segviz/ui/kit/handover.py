"""Other pages open the attack lab: with a result of theirs, or to run something."""

from dataclasses import asdict

import streamlit as st

from segviz.models.zoo import model_entry
from segviz.records import Picture, Trajectory
from segviz.settings import Settings
from segviz.ui.kit.links import link_of
from segviz.ui.kit.state import tab
from segviz.ui.kit.subject import fill_widgets

LAB = "pages/attack_lab.py"


def fill_lab(settings: Settings) -> None:
    """Put the settings of one attack into the controls of the attack lab; classes that they lack stay as they are."""
    state = st.session_state
    classes = {"target": settings.target or state.get("target", "cat"), "other": settings.other or state.get("other", "dog")}
    fill_widgets(asdict(settings) | classes)


def show_in_lab(trajectory: Trajectory) -> None:
    """Make a finished attack what the attack lab shows, with its settings in the lab's controls; for the click of a button."""
    fill_lab(trajectory.settings)
    tab().shown_in_lab = trajectory


def run_in_lab(settings: Settings, own: tuple[str, bytes, bytes | None] | None = None, picture: Picture | None = None) -> None:
    """Go to the attack lab, which runs the settings; `own` and `picture` are one's own picture, as a record and as opened, if it is one."""
    if own is not None:
        tab().own, tab().own_picture, tab().own_model = own, picture, model_entry(settings.model).key
    fill_lab(settings)
    tab().page, tab().run_in_lab = "", True
    st.switch_page(LAB, query_params=link_of(settings))

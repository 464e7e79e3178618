"""A finished attack of another page becomes what the attack lab shows."""

from dataclasses import asdict

import streamlit as st

from segviz.records import Trajectory
from segviz.settings import Settings
from segviz.ui.kit.session import identity
from segviz.ui.kit.subject import fill


def fill_lab(settings: Settings) -> None:
    """Put the settings of one attack into the controls of the attack lab."""
    state = st.session_state
    fill(asdict(settings) | {"target": settings.target or state.target, "other": settings.other or state.other})


def hand_over(trajectory: Trajectory) -> None:
    """Make a finished attack what the attack lab shows, with its settings in the lab's controls."""
    fill_lab(trajectory.settings)
    state = st.session_state
    state.trajectory, state.job = trajectory, None
    state.seen = identity(trajectory.settings.model, trajectory.picture)

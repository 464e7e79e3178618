"""What must be read beside figures."""

from collections.abc import Sequence

import streamlit as st

MOST = 6
"""Warnings that are shown at once; more are behind a click."""


def show_warnings(warnings: Sequence[str]) -> None:
    """What about picture, label map or network makes the figures beside it mean something else."""
    for warning in warnings[:MOST]:
        st.warning(warning, icon=":material/warning:")
    if len(warnings) > MOST:
        with st.expander(f"{len(warnings) - MOST} more warnings"):
            for warning in warnings[MOST:]:
                st.warning(warning, icon=":material/warning:")

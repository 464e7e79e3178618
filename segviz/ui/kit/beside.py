"""What must be read beside figures."""

from collections.abc import Sequence

import streamlit as st

from segviz.records import LeftOut

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


def show_left_out(left_out: Sequence[LeftOut]) -> None:
    """How many pictures count in none of the figures, and why each does not."""
    if not left_out:
        return
    pictures = "picture counts" if len(left_out) == 1 else "pictures count"
    with st.expander(f"{len(left_out)} {pictures} in no figure", icon=":material/image_not_supported:"):
        for lacking in left_out:
            st.markdown(f"**{lacking.picture}**: {lacking.why}")

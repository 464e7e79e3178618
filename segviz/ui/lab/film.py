"""What makes an animation of the run on screen, and its download."""

import streamlit as st

from segviz.animation import FORMATS, MAX_SECONDS, PARTS, RESULT_SECONDS, SPEEDS, Film, animation
from segviz.data.label_sets import LabelSet
from segviz.records import Trajectory
from segviz.types import UserError
from segviz.ui.kit.export import File, download_buttons


def show_film(trajectory: Trajectory, label_set: LabelSet) -> None:
    """The choices, folded away, and the file that they make."""
    with st.expander("Animation", icon=":material/movie:", key="film"):
        parts = st.multiselect(
            "Shown, side by side", PARTS, ["picture", "map"], format_func=PARTS.__getitem__, key="film_parts", persist_state="session"
        )
        row = st.columns(3, vertical_alignment="bottom")
        fps = row[0].selectbox("Frames per second", SPEEDS, index=SPEEDS.index(Film().fps), key="film_fps", persist_state="session")
        seconds = row[1].number_input(
            "Length, in seconds",
            0.1,
            MAX_SECONDS,
            None,
            1.0,
            placeholder="auto",
            help=f"Empty: a frame for each stored iteration, then {RESULT_SECONDS:g} s of the result.",
            key="film_seconds",
            persist_state="session",
        )
        loop = row[2].toggle("Loop", True, help="Of an MP4, the player decides that.", key="film_loop", persist_state="session")
        kind = st.segmented_control(
            "Format",
            FORMATS,
            default=".gif",
            required=True,
            format_func=lambda end: end[1:].upper(),
            key="film_kind",
            persist_state="session",
        )
        st.caption(f"{kind[1:].upper()}: {FORMATS[kind]}.")
        try:
            film = Film(tuple(parts), fps, seconds, loop)
        except UserError as error:
            st.error(str(error))
            return
        download_buttons("lab", [File("Animation", f"run{kind}", lambda: animation(trajectory, label_set, film, kind))])

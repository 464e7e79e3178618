"""How maps look in this tab, on every page: over the photo or alone, colours, opacity, outlines, patterns."""

import streamlit as st

from segviz.draw import MapLook
from segviz.ui.kit.state import tab

USUAL = MapLook()


def choose_look(key: str) -> MapLook:
    """The choice of a page with maps, whose switch between photo and map alone has that key; the rest holds for all pages."""
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        on_photo = st.toggle("Maps over the photo", USUAL.on_photo, key=key, persist_state="session")
        with st.popover("Colours", icon=":material/palette:", key=f"{key}_colours"):
            opacity = st.slider(
                "Opacity over the photo", 10, 100, round(100 * USUAL.opacity), 5, format="%d %%", key="map_opacity", persist_state="session"
            )
            own_colours = st.toggle(
                "The data set's own colours",
                key="map_own_colours",
                persist_state="session",
                help="Those of its files. The usual ones are brighter on a photo, and told apart by people who are red-green blind.",
            )
            outlines = st.toggle(
                "Outlines", key="map_outlines", persist_state="session", help="A line, black and white, where classes meet."
            )
            patterns = st.toggle("Patterns", key="map_patterns", persist_state="session", help="Stripes that differ by class.")
    tab().look = MapLook(on_photo, opacity / 100, own_colours, outlines, patterns)
    return tab().look

"""The presenter view: type and pictures for the last row, no side bar, and keys in place of the mouse."""

from typing import NoReturn

import streamlit as st

from segviz.ui.kit.state import tab

KEYS = {"run": "Alt+Enter", "stop": "Alt+S", "next": "PageDown", "back": "PageUp", "reveal": "Alt+V", "switch": "Alt+P"}
"""Keys by what they do: next and back are those that a remote control sends, the others leave letters to fields."""

STYLE = """<style>
html { font-size: 150%; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none; }
.stMainBlockContainer { max-width: 100%; padding: 4rem 2rem 2rem; }
[data-testid="stMetricLabel"] p { white-space: normal; }
[data-testid="stCaptionContainer"] { opacity: 1; font-size: 1rem; }
</style>"""


def key_for(action: str) -> str | None:
    """The key of a button in the presenter view; none outside of it."""
    return KEYS[action] if tab().presenting else None


def show_presenter_style() -> None:
    """Make everything large if this tab presents."""
    if tab().presenting:
        st.html(STYLE)


def show_presenter_switch() -> None:
    """The switch between the two views, with the keys where they hold."""

    def turn() -> None:
        tab().presenting = not tab().presenting

    presenting = tab().presenting
    with st.container(horizontal=True, vertical_alignment="center"):
        title = "Leave the presenter view" if presenting else "Presenter view"
        st.button(title, icon=":material/present_to_all:", key="presenter", type="tertiary", on_click=turn, shortcut=KEYS["switch"])
        if presenting:
            st.caption("Keys: " + ", ".join(f"{action} {key}" for action, key in KEYS.items() if action != "switch"))


def end_page() -> NoReturn:
    """End a page that shows less than usual, with the switch that stands at the foot of every page."""
    show_presenter_switch()
    st.stop()

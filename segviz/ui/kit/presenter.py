"""The presenter view: type and pictures for the last row, no side bar, and keys in place of the mouse."""

from math import ceil
from pathlib import Path
from typing import NoReturn

import streamlit as st

from segviz.ui.kit.state import tab

KEYS = {"run": "Alt+Enter", "stop": "Alt+S", "next": "PageDown", "back": "PageUp", "reveal": "Alt+V"}
"""Keys by what they do: next and back are those that a remote control sends, the others leave letters to fields."""

LARGER = 1.5
"""How much larger type is."""

_here = Path(__file__).parent
_switch = st.components.v2.component(
    "segviz_presenter",
    html='<div class="component presenter"><button type="button"></button> <span></span></div>',
    css=(_here.parent / "toolbar.css").read_text(encoding="utf-8") + ".presenter { font-size: 1rem; }",
    js=(_here / "presenter.js").read_text(encoding="utf-8"),
)


def key_for(action: str) -> str | None:
    """The key of a button in the presenter view; none outside of it."""
    return KEYS[action] if tab().presenting else None


def side_by_side(most: int) -> int:
    """How many pictures stand side by side where there are `most` of them: fewer in the presenter view, so that each is larger."""
    return ceil(most / 2) if tab().presenting else most


def in_pixels(width: int) -> int:
    """A width in pixels, as of a table's column, which does not grow with the letters by itself."""
    return round(LARGER * width) if tab().presenting else width


def show_presenter_switch() -> None:
    """The switch between the two views (Alt+P), with the keys where they hold."""

    def turn() -> None:
        tab().presenting = bool(st.session_state["presenter"]["turned"]["on"])

    keys = "Keys: " + ", ".join(f"{action} {key}" for action, key in KEYS.items())
    _switch(key="presenter", data={"presenting": tab().presenting, "keys": keys}, on_turned_change=turn)


def end_page() -> NoReturn:
    """End a page that shows less than usual, with the switch that stands at the foot of every page."""
    show_presenter_switch()
    st.stop()

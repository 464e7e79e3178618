"""What a browser tab remembers beside its widgets: one typed record per page, and what pages leave for one another."""

from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def page_state(kind: type[T]) -> T:
    """The record of this tab of that dataclass, made with its defaults on the first call."""
    key = f"{kind.__module__}.{kind.__qualname__}"
    kept = st.session_state.get(key)
    if not isinstance(kept, kind):
        # Also after the program was reloaded while the tab was open, which makes another class of the same name.
        kept = st.session_state[key] = kind()
    return kept

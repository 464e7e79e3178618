"""What all pages look like on a projector and on a phone, beside Streamlit's theme."""

import streamlit as st

from segviz.ui.kit.presenter import LARGER
from segviz.ui.kit.state import tab

PROJECTOR = f"""
:root[data-presenting] {{ font-size: {LARGER:.0%}; }}
[data-presenting] [data-testid="stSidebar"], [data-presenting] [data-testid="stExpandSidebarButton"] {{ display: none; }}
[data-presenting] .stMainBlockContainer {{ max-width: 100%; padding: 4rem 2rem 2rem; }}
[data-presenting] [data-testid="stMetricLabel"] p, [data-presenting] [data-testid="stMetricDelta"] div {{ white-space: normal; }}
[data-presenting] h1 {{ font-size: 1.75rem; padding: 0; }}
[data-presenting] h3 {{ font-size: 1.4rem; padding: 0; }}
[data-presenting] [data-testid="stCaptionContainer"] {{ opacity: 1; font-size: 1rem; }}
"""

CONTRAST = """
[data-testid="stCaptionContainer"] { opacity: 0.85; }
[data-testid="stImageCaption"], [data-testid="stImageCaption"] p { color: inherit; }
[data-testid="stBaseButton-segmented_controlActive"] { background: transparent; font-weight: 600; }
"""
"""Letters that Streamlit draws too faint for WCAG's 4.5 to 1."""

PHONE = """
@media (max-width: 640px) {
  .stMainBlockContainer { padding: 4rem 1rem 2rem; }
  h1 { font-size: 1.6rem; padding: 0; }
  .st-key-presenter { display: none; }
  .stHorizontalBlock:has(> .stColumn > .stVerticalBlock > .stElementContainer > .stMetric) > .stColumn {
    min-width: calc(50% - 1rem);
    flex: 1 1 calc(50% - 1rem);
  }
}
"""
"""Figures stand in two columns; a phone is no projector."""


def show_style() -> None:
    """The style of the page, large while this tab presents.

    Tables take their letters' size when they appear; what stands before the page in the presenter view alone makes them appear anew.
    """
    st.html(f"<style>{CONTRAST}{PHONE}{PROJECTOR}</style>")
    if tab().presenting:
        st.empty()

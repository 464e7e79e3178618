"""Charts and tables after pictures: a browser that has not loaded their code yet is kept busy by its megabytes."""

import streamlit as st

from segviz.ui.kit.ready import ready
from segviz.ui.kit.state import tab

_mount = st.components.v2.component(
    "segviz_idle",
    html="<span></span>",
    js="""export default function ({ setTriggerValue }) {
  let wanted = true;
  const soon = window.requestIdleCallback ?? ((call) => setTimeout(call, 300));
  soon(() => wanted && setTriggerValue("idle", true), { timeout: 3000 });
  return () => { wanted = false; };
}
""",
)


CLEAR = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""One transparent pixel."""


def have_code_of_pictures() -> None:
    """Have the browser load its code for pictures with the first that it is sent of a page.

    What waits for code comes on screen in steps of some tenths of a second, and every kind of widget before the pictures is such a step.
    """
    if not tab().drawn and ready.serving:
        st.image(CLEAR, alt="")


def pictures_are_drawn(key: str) -> bool:
    """Whether what is slow to draw may come; `key` tells it from all else on the page.

    In a new tab not before the browser has nothing left to draw; then the script, or the fragment that asks first, is run again.
    """
    here = tab()
    if here.drawn or not ready.serving:
        return True
    here.asks = here.asks or key
    if here.asks == key:

        def idle() -> None:
            here.drawn = True

        _mount(key="idle", on_idle_change=idle)
    return False

"""The region editor of the app: shapes are drawn on a picture, as the text that `segviz.attacks.regions` reads."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "segviz_region",
    html='<div class="component region" data-testid="segviz-region"></div>',
    css=(_HERE.parent / "toolbar.css").read_text(encoding="utf-8") + (_HERE / "region.css").read_text(encoding="utf-8"),
    js=(_HERE / "region.js").read_text(encoding="utf-8"),
)


def region_editor(src: str, polygons: str, on_draw: Callable[[str], None], *, key: str, height: int = 400) -> None:
    """Show the picture at the URL `src`, at most `height` CSS pixels high, with `polygons` drawn on it and tools to draw more.

    `polygons` is text as "X,Y X,Y X,Y|..." with corners in per cent of width and height; empty: nothing is drawn. After each change by
    the user `on_draw` gets the new text, before the script runs again. Shapes that the user draws meanwhile are not lost to that rerun.
    """

    def changed() -> None:
        on_draw(st.session_state[key]["polygons"])

    _mount(key=key, data={"src": src, "polygons": polygons, "height": height}, on_polygons_change=changed)

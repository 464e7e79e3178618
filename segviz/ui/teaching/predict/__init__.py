"""Predictions by hand: a curve drawn over empty axes, and a place clicked on a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_CSS = (_HERE.parents[1] / "toolbar.css").read_text(encoding="utf-8") + (_HERE / "predict.css").read_text(encoding="utf-8")

_curve = st.components.v2.component(
    "segviz_predict_curve",
    html='<div class="component predict" data-testid="segviz-predict-curve"></div>',
    css=_CSS,
    js=(_HERE / "curve.js").read_text(encoding="utf-8"),
)
_place = st.components.v2.component(
    "segviz_predict_place",
    html='<div class="component predict" data-testid="segviz-predict-place"></div>',
    css=_CSS,
    js=(_HERE / "place.js").read_text(encoding="utf-8"),
)


def draw_curve(
    at: Sequence[float],
    titles: tuple[str, str],
    on_answer: Callable[[list[float]], None] | None,
    *,
    key: str,
    guesses: Sequence[Sequence[float]] = (),
    measured: Sequence[float] | None = None,
) -> None:
    """Axes over the places `at`, heights from 0 to 100 %, on which a curve is drawn with the mouse, a finger or the arrow keys.

    `titles` are those of the axes. `on_answer` gets the heights in [0,1] once the user says that the curve is done, before the script runs
    again; None: nothing can be drawn. `guesses` are curves that were drawn before, `measured` is the true one.
    """

    def answered() -> None:
        assert on_answer is not None
        on_answer([float(height) for height in st.session_state[key]["answer"]])

    data = {
        "at": list(at),
        "titles": list(titles),
        "open": on_answer is not None,
        "guesses": [list(one) for one in guesses],
        "measured": None if measured is None else list(measured),
    }
    _curve(key=key, data=data, on_answer_change=answered if on_answer is not None else lambda: None)


def click_place(
    src: str,
    alt: str,
    on_answer: Callable[[list[float]], None] | None,
    *,
    key: str,
    guesses: Sequence[Sequence[float]] = (),
    mask: str | None = None,
) -> None:
    """The picture at the URL `src`, described by `alt`, on which a place is clicked, or chosen with the arrow keys and Enter.

    `on_answer` gets [x, y] in [0,1] before the script runs again; None: nothing can be clicked. `guesses` are places that were clicked
    before; `mask` is the URL of a picture that is white where a click is right.
    """

    def answered() -> None:
        assert on_answer is not None
        on_answer([float(part) for part in st.session_state[key]["answer"]])

    data = {"src": src, "alt": alt, "open": on_answer is not None, "guesses": [list(one) for one in guesses], "mask": mask}
    _place(key=key, data=data, on_answer_change=answered if on_answer is not None else lambda: None)

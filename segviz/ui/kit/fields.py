"""Widgets of a field: label, explanation, range and steps are those of its row of the table."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segviz.fields import Field, Table
from segviz.settings import FIELDS
from segviz.ui.kit.state import page_state

PLACED = (
    *(
        "model",
        "image",
        "goal",
        "target",
        "other",
        "region",
        "break_region",
        "against",
        "attack",
        "norm",
        "eps",
        "steps",
        "alpha",
        "restarts",
        "seed",
    ),
    *("variant", "layer", "q", "transforms", "clip"),
)
"""Settings whose widget has a place and conditions of its own, on the pages that have it."""
OTHERS: Table = {name: field for name, field in FIELDS.items() if name not in PLACED and "link" in field.where}
"""Settings that get the widget of their kind, under More settings of every page that attacks."""


@dataclass
class Widened:
    """Ends and steps of widgets by key: a link may go beyond the usual ones, which then stay where the link has put them."""

    low: dict[str, float] = dataclasses.field(default_factory=dict)
    high: dict[str, float] = dataclasses.field(default_factory=dict)
    step: dict[str, float | None] = dataclasses.field(default_factory=dict)


FINE = 0.01
"""The step of a slider whose value is none of the field's own steps."""


def slider(field: Field, key: str = "", step: float | None = None, **more: Any) -> float:
    """A slider from the least value to the usual largest one, or to the value where that lies beyond.

    It goes in the `step` of the field unless told otherwise, and in `FINE` ones where the value lies between them.
    """
    key = key or field.name
    assert field.low is not None
    assert field.usual is not None
    ends = page_state(Widened).high
    high = ends[key] = max(field.usual, st.session_state[key], ends.get(key, field.usual))
    step = step or field.step
    if step is not None and abs(st.session_state[key] / step - round(st.session_state[key] / step)) > 1e-6:
        step = FINE
    steps = page_state(Widened).step
    if steps.get(key, step) != step:
        # To Streamlit a slider of other steps is another widget, which would begin at its least value.
        st.session_state[key] = st.session_state[key]
    steps[key] = step
    return st.slider(field.label, float(field.low), float(high), step=step, help=field.tip, key=key, persist_state="session", **more)


def marks(field: Field, key: str = "", **more: Any) -> int:
    """A slider over the field's usual values, and the value where it lies between them."""
    key = key or field.name
    values = sorted({*field.marks, st.session_state[key]})
    label, more = more.pop("label", field.label), {"help": field.tip} | more
    chosen: Any = st.select_slider(label, values, key=key, persist_state="session", **more)
    return int(chosen)


def number(field: Field, key: str = "", **more: Any) -> Any:
    """A number input; of a field that may be None it is empty at first."""
    key, kind = key or field.name, field.kind
    low = field.step if field.above else field.low
    assert low is not None
    ends, value = page_state(Widened).low, st.session_state.get(key)
    low = ends[key] = min(low, ends.get(key, low), low if value is None else value)
    high = None if field.high is None else kind(field.high)
    if field.optional:
        more["value"] = None
    return st.number_input(field.label, kind(low), high, help=field.tip, key=key, persist_state="session", **more)


def choice(field: Field, titles: dict[str, str], options: Collection[str] | None = None, key: str = "") -> str:
    """A segmented control over the choices, or over those of them that are possible."""
    known = list(field.choices() if field.choices is not None else ())
    return str(
        st.segmented_control(
            field.label,
            [one for one in known if options is None or one in options],
            required=True,
            format_func=titles.__getitem__,
            help=field.tip,
            key=key or field.name,
            persist_state="session",
        )
    )


def switch(field: Field, key: str = "") -> bool:
    """A toggle."""
    return st.toggle(field.label, help=field.tip, key=key or field.name, persist_state="session")


def text_line(field: Field, key: str = "", **more: Any) -> str:
    """A text input."""
    return st.text_input(field.label, help=field.tip, key=key or field.name, persist_state="session", **more)


def widget(field: Field, key: str = "") -> Any:
    """The widget of a field's kind, for a field that needs nothing special."""
    key = key or field.name
    if field.kind is bool:
        return switch(field, key)
    if field.kind in (int, float):
        return slider(field, key) if field.usual is not None else number(field, key)
    if field.choices is not None and field.kind is tuple:
        return tuple(st.multiselect(field.label, field.choices(), help=field.tip, key=key, persist_state="session"))
    if field.choices is not None:
        return st.selectbox(field.label, list(field.choices()), help=field.tip, key=key, persist_state="session")
    return text_line(field, key)


def other_controls(prefix: str = "") -> dict[str, Any]:
    """The values of `OTHERS` from their widgets, whose keys begin with the prefix."""
    return {name: widget(field, prefix + name) for name, field in OTHERS.items()}

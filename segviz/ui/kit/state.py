"""What a browser tab remembers beside its widgets: one typed record per page, and one of what pages leave for one another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from segviz.draw import MapLook
from segviz.records import Picture, Trajectory
from segviz.types import UNSAID, Reading

T = TypeVar("T")


def page_state(kind: type[T], made: Callable[[], T] | None = None) -> T:
    """The record of this tab of that dataclass; on the first call it is `made`, or has its defaults."""
    key = record_key(kind)
    kept = st.session_state.get(key)
    if not isinstance(kept, kind):
        # Also after the program was reloaded while the tab was open, which makes another class of the same name.
        kept = st.session_state[key] = (made or kind)()
    return kept


def record_key(kind: type[Any]) -> str:
    """The key of a record in the state of the session."""
    return f"{kind.__module__}.{kind.__qualname__}"


@dataclass
class Tab:
    """What pages leave for one another.

    `entrance` is the page that the tab was opened on, `page` the one whose widgets were drawn last. `polygons` are the regions that were
    drawn, by setting, as text of `segviz.attacks.regions`. `subject` are picture and goal that classes were last suggested for. `own` are
    the name and the bytes of one's own photo and its label map, `own_picture` what became of them for the model `own_model`, read as
    `own_reading` says. `shown_in_lab` is a result that the attack lab is to show, `run_in_lab` says that it is to run the settings of its
    widgets. `presenting` is whether pages are shown for a projector, `look` how maps are drawn. `drawn` is whether the browser has drawn
    its first pictures, `asks` which part of the page asks it for that.
    """

    through_app: bool = False
    wanted: tuple[str, dict[str, str]] | None = None
    entrance: str = ""
    page: str = ""
    polygons: dict[str, str] = field(default_factory=dict)
    subject: tuple[str, str] | None = None
    own: tuple[str, bytes, bytes | None] | None = None
    own_picture: Picture | None = None
    own_model: str = ""
    own_reading: Reading = UNSAID
    shown_in_lab: Trajectory | None = None
    run_in_lab: bool = False
    presenting: bool = False
    look: MapLook = field(default_factory=MapLook)
    drawn: bool = False
    asks: str = ""


def tab() -> Tab:
    """The record of this tab."""
    return page_state(Tab)


def asked_by_link(page: str, parameter: str = "") -> bool:
    """Whether a page that is drawn for the first time is to run at once: the tab was opened on it, by a link with the parameter, if any.

    A page that one comes to from another page never runs by itself.
    """
    return tab().entrance == page and (not parameter or parameter in st.query_params)


def put(prefix: str, values: dict[str, Any]) -> None:
    """Set the widgets of a page, whose keys begin with the prefix, by name."""
    st.session_state.update({f"{prefix}{name}": value for name, value in values.items()})

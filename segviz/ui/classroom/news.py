"""Hearing at once that something in a room is new, and the banner that other pages have for who sits in one."""

from pathlib import Path

import streamlit as st

from segviz.types import UserError
from segviz.ui.classroom.common import mark_of_room, rooms
from segviz.ui.classroom.student import StudentState, news_of
from segviz.ui.kit.state import page_state
from segviz.ui.live import LEAVING

_ear = st.components.v2.component(
    "segviz_room",
    html='<div class="room" data-testid="segviz-room"></div>',
    js=LEAVING + (Path(__file__).parent / "room.js").read_text(encoding="utf-8"),
)


def hear(holder: str, mark: str, place: str = "") -> bool:
    """Have the page's script run again when the room's mark is no longer this one; `holder` is a token or a secret.

    Returns whether the page was used, with mouse or keys, since it showed this `place`, where that is why the script runs.
    """
    news = _ear(key="room_news", data={"holder": holder, "mark": mark, "place": place}, on_news_change=lambda: None).news
    return bool(news and news["touched"])


def show_banner() -> None:
    """On a page that is not the room's, for who sits in one: the way back, and what the teacher shows now.

    Who has done nothing on the page follows at once.
    """
    state = page_state(StudentState)
    if not state.seat:
        return
    try:
        mark, room = mark_of_room(state.seat), rooms().seen_by_student(state.seat)
    except UserError:
        state.seat = ""
        return
    new = news_of(room) != state.seen
    touched = hear(state.seat, mark, str(state.seen))
    if new and not (touched or state.offered):
        st.switch_page("pages/room.py", query_params={"seat": state.seat})
    state.offered = new
    with st.container(horizontal=True, vertical_alignment="center"):
        if new:
            st.info("Your teacher shows something new.", icon=":material/co_present:")
        st.page_link("pages/room.py", label=f"Room {room.code}", icon=":material/meeting_room:", query_params={"seat": state.seat})

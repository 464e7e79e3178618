"""Whose room a tab is in, kept over a reload; hearing at once that something in it is new; and the banner of other pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from segviz.classroom.rooms import RoomState
from segviz.types import UserError
from segviz.ui.classroom.common import PAGES, mark_of_room, rooms
from segviz.ui.kit.state import page_state
from segviz.ui.live import LEAVING

SECRETS = ("seat", "teacher")
"""Parameters of a room's own pages. The browser's way back brings them along to others, whose links everybody may have."""

_ear = st.components.v2.component(
    "segviz_room",
    html='<div class="room" data-testid="segviz-room"></div>',
    js=LEAVING + (Path(__file__).parent / "room.js").read_text(encoding="utf-8"),
)


@dataclass
class Member:
    """Whose room this tab is in: the token of a student's `seat`, or the teacher's `secret`, or nobody's.

    `seen` are the news that a student has seen, `opened` is the push whose view was opened. `offered` says that a banner offers what is
    new, as the tab was in the middle of something. `settled` is whether this says more than what the browser kept from before a reload.
    """

    seat: str = ""
    secret: str = ""
    seen: tuple[int, bool] = (0, False)
    opened: int = 0
    offered: bool = False
    settled: bool = False

    def become(self, seat: str = "", secret: str = "") -> None:
        """Sit on a seat, teach with a secret, or, with neither, leave."""
        if (seat, secret) != (self.seat, self.secret):
            self.seat, self.secret, self.seen, self.opened, self.offered = seat, secret, (0, False), 0, False
        self.settled = True

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Go on as what the browser kept, if that is still in a room. Anybody can make a browser say anything, so nothing is trusted."""
        holder, number, opened = kept.get("holder"), kept.get("number"), kept.get("opened")
        self.settled = True
        if not isinstance(holder, str) or self.seat or self.secret:
            return
        try:
            _, teaches = rooms().membership(holder)
        except UserError:
            return
        self.seat, self.secret = ("", holder) if teaches else (holder, "")
        self.seen = (number if isinstance(number, int) else 0, kept.get("revealed") is True)
        self.opened = opened if isinstance(opened, int) else 0

    def kept(self) -> dict[str, Any] | None:
        """What the browser is to keep; None for nothing."""
        number, revealed = self.seen
        holder = self.seat or self.secret
        return {"holder": holder, "number": number, "revealed": revealed, "opened": self.opened} if holder else None


def member() -> Member:
    """The record of this tab."""
    return page_state(Member)


def hear(holder: str = "", mark: str = "", place: str = "") -> bool:
    """Have the page's script run again when the room's mark is no longer this one; `holder` is a token or a secret.

    Without a holder the browser is only asked what it kept from before a reload. Returns whether the page was used, with mouse or keys,
    since it showed this `place`, where that is why the script runs.
    """

    def told() -> None:
        if isinstance(kept := st.session_state["room_news"]["news"].get("kept"), dict):
            one.recall(kept)

    one = member()
    data = {"holder": holder, "mark": mark, "place": place, "kept": one.kept(), "settled": one.settled}
    news = _ear(key="room_news", data=data, on_news_change=told).news
    return bool(news and news.get("touched"))


def show_banner(page: str) -> None:
    """On a page that is not the room's, for who is in one: the way back, and what can be pushed or what the teacher shows now."""
    one = member()
    for name in SECRETS:
        st.query_params.pop(name, None)
    try:
        if one.secret:
            show_teachers_banner(one.secret, page)
        elif one.seat:
            show_students_banner(one)
    except UserError:
        one.become()
    if not one.seat:
        hear()


def show_teachers_banner(secret: str, page: str) -> None:
    """The way back to one's own room, and a button that shows the page with its settings to the class."""

    def push() -> None:
        query = urlencode({name: value for name, value in st.query_params.to_dict().items() if name not in SECRETS})
        rooms().push(secret, page + (f"?{query}" if query else ""))
        st.toast("The class sees this page now.", icon=":material/send:")

    room = rooms().seen_by_teacher(secret)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"Your room {room.code}"
        st.page_link("pages/classroom.py", label=label, icon=":material/co_present:", query_params={"teacher": secret})
        if page in PAGES:
            st.button("Show this page to the class", icon=":material/send:", key="push_page", on_click=push)


def show_students_banner(one: Member) -> None:
    """The way back to the room, and what the teacher shows now. Who has done nothing on the page follows at once."""
    mark, room = mark_of_room(one.seat), rooms().seen_by_student(one.seat)
    new = news_of(room) != one.seen
    touched = hear(one.seat, mark, str(one.seen))
    if new and not (touched or one.offered):
        st.switch_page("pages/room.py", query_params={"seat": one.seat})
    one.offered = new
    with st.container(horizontal=True, vertical_alignment="center"):
        if new:
            st.info("Your teacher shows something new.", icon=":material/co_present:")
        st.page_link("pages/room.py", label=f"Room {room.code}", icon=":material/meeting_room:", query_params={"seat": one.seat})


def news_of(room: RoomState) -> tuple[int, bool]:
    """What makes a student's page another one: the push, and whether it was revealed."""
    return (0, False) if room.push is None else (room.push.number, room.push.revealed)

"""The students' page: join a room, open what the teacher pushes, answer, and see what was measured."""

from dataclasses import dataclass

import streamlit as st

from segviz.classroom.questions import Answer
from segviz.classroom.rooms import MAX_NAME, RoomState
from segviz.types import UserError
from segviz.ui.classroom.common import PAGES, evidence_for, page_and_query, pushed_step, rooms
from segviz.ui.kit.running import open_as_link
from segviz.ui.teaching.steps import ask, reveal, show_lesson_pictures


@dataclass
class StudentState:
    """The token of the seat that this tab has; the news that it has seen, and the push whose view it has opened.

    `offered` says that a banner offers what is new, as the tab was in the middle of something.
    """

    seat: str = ""
    seen: tuple[int, bool] = (0, False)
    opened: int = 0
    offered: bool = False


def join(code: str, key: str | None, name: str) -> None:
    """Take a seat and keep its token in the address, so that a reload goes on."""
    try:
        seat = rooms().join(code, key, st.context.ip_address or "local", name)
    except UserError as error:
        st.error(str(error))
        return
    st.query_params.from_dict({"seat": seat})
    st.rerun()


def show_entrance(link: str) -> None:
    """Join by the link `CODE-key`, or by typing the code."""
    code, _, key = link.partition("-")
    if key:
        try:
            needs_name = rooms().needs_name(code, key)
        except UserError as error:
            st.error(str(error))
            return
        if not needs_name:
            join(code, key, "")
            return
        st.markdown(f"### Room {code[:4]}")
        name = st.text_input("Your name, as your teacher will see it", max_chars=MAX_NAME, key="seat_name")
        if st.button("Join", type="primary", key="join", disabled=not name.strip()):
            join(code, key, name)
        return
    st.markdown("### Join your class")
    with st.form("enter"):
        typed = st.text_input("The four letters of the room", max_chars=4, key="room_code")
        name = st.text_input("Your name, if your teacher asks for it", max_chars=MAX_NAME, key="seat_name")
        if st.form_submit_button("Join", type="primary"):
            join(typed, None, name)


def show_room(seat: str, state: StudentState) -> None:
    """What is pushed now: a lesson's step with its question, or another view of the app, which opens by itself."""
    room = rooms().seen_by_student(seat)
    st.caption(f"Room {room.code} · {room.seats} in it")
    push = room.push
    state.seat, state.seen, state.offered = seat, news_of(room), False
    if push is None:
        st.markdown("### You are in. Your teacher will show something soon.")
        return
    at = pushed_step(push.view)
    if at is None:
        open_pushed_view(push.view, push.number, state)
        return
    lesson, number = at
    step, evidence = lesson.steps[number], evidence_for(lesson.key)
    st.markdown(f"### {step.title}")
    st.markdown(step.text)
    show_lesson_pictures(step.pictures, step, evidence)
    if step.asked is None:
        show_lesson_pictures(step.revealed, step, evidence)
        return
    own = rooms().own_answer(seat, push.number)
    if push.revealed:
        reveal(lesson, number, evidence, [] if own is None else [own])
    elif own is not None:
        st.success("Your guess is in. What was measured is shown when your teacher reveals it.")
    else:
        question = step.asked.question

        def answered(answer: Answer) -> None:
            try:
                rooms().answer(seat, push.number, question.check(answer))
            except UserError as error:
                # The teacher went on, or revealed, at the same moment.
                st.toast(str(error), icon=":material/info:")

        ask(lesson, number, evidence, answered)


def open_pushed_view(view: str, number: int, state: StudentState) -> None:
    """Open a pushed view of the app once; later a link to it stays."""
    page, query = page_and_query(view)
    if state.opened != number:
        state.opened = number
        open_as_link(PAGES[page], query)
    st.page_link(PAGES[page], label="Open what your teacher shows", icon=":material/open_in_new:", query_params=query)


def news_of(room: RoomState) -> tuple[int, bool]:
    """What makes a student's page another one: the push, and whether it was revealed."""
    return (0, False) if room.push is None else (room.push.number, room.push.revealed)

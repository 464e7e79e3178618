"""The students' page: join a room, open what the teacher pushes, answer, and see what was measured."""

import streamlit as st

from segviz.classroom.questions import Answer
from segviz.classroom.rooms import MAX_NAME
from segviz.types import UserError
from segviz.ui.classroom.common import PAGES, evidence_for, page_and_query, pushed_step, rooms
from segviz.ui.classroom.news import Member, news_of
from segviz.ui.kit.running import open_as_link
from segviz.ui.teaching.steps import ask, reveal, show_figure


def join(code: str, key: str | None, name: str) -> None:
    """Take a seat and keep its token in the address, so that a reload goes on."""
    try:
        seat = rooms().join(code, key, st.context.ip_address or "local", name)
    except UserError as error:
        st.error(str(error))
        return
    st.query_params.from_dict({"seat": seat})
    st.rerun()


def seat_for(link: str, one: Member) -> str:
    """The seat that a tab has already, unless the link `CODE-key` is another room's; empty for none."""
    try:
        return one.seat if not link or (one.seat and link.startswith(rooms().seen_by_student(one.seat).code)) else ""
    except UserError:
        return ""


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


def show_room(one: Member) -> None:
    """What is pushed now: a lesson's step with its question, or another view of the app, which opens by itself."""
    seat, room = one.seat, rooms().seen_by_student(one.seat)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"Room {room.code} · {room.seats} in it")
        st.button("Leave", icon=":material/logout:", type="tertiary", key="leave_room", on_click=leave, args=(one,))
    push = room.push
    one.seen, one.offered = news_of(room), False
    if push is None:
        st.markdown("### You are in. Your teacher will show something soon.")
        return
    at = pushed_step(push.view)
    if at is None:
        open_pushed_view(push.view, push.number, one)
        return
    lesson, number = at
    step, evidence = lesson.steps[number], evidence_for(lesson.key)
    show_figure(lesson, number, evidence)
    if step.asked is None:
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


def leave(one: Member) -> None:
    """Give the room up; what was answered stays."""
    one.become()
    st.query_params.clear()


def open_pushed_view(view: str, number: int, one: Member) -> None:
    """Open a pushed view of the app once; later a link to it stays."""
    page, query = page_and_query(view)
    if one.opened != number:
        one.opened = number
        open_as_link(PAGES[page], query)
    st.page_link(PAGES[page], label="Open what your teacher shows", icon=":material/open_in_new:", query_params=query)

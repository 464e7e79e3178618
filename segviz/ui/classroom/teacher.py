"""The teacher's page: a room with its code, what is pushed, the answers as they come, and the reveal."""

from urllib.parse import urlsplit

import segno
import streamlit as st

from segviz.classroom.lessons import FOLDER, lesson_keys, read_lesson
from segviz.classroom.rooms import MAX_SEATS, RoomState
from segviz.types import UserError
from segviz.ui.classroom.common import evidence_for, pushed_step, rooms, show_answers, view_of_link
from segviz.ui.kit.presenter import key_for
from segviz.ui.teaching.steps import reveal


def open_room(named: bool) -> None:
    """Open a room and go to its teacher's link."""
    room = rooms().open(named)
    st.query_params.from_dict({"teacher": room.secret})


def show_opening() -> None:
    """What a room is, and the button that opens one."""
    st.markdown(
        "Open a room, and your students join with a link or four letters, without an account. You push a lesson's step or any view of the "
        f"app; they predict; you see the answers come in and reveal what was measured. At most {MAX_SEATS} students. A room is deleted "
        "after 24 hours."
    )
    named = st.toggle(
        "Ask students for a name", False, key="ask_names", help="Only then can you see who answered what. It cannot be changed later."
    )
    st.button("Open a room", type="primary", icon=":material/meeting_room:", key="open_room", on_click=open_room, args=(named,))
    st.page_link("pages/room.py", label="I am a student and have a code", icon=":material/login:")


def address_of_lab() -> str:
    """The address at which the teacher sees this server, up to the last slash; empty where it is not known."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rsplit('/', 1)[0]}" if parts.netloc else ""


def join_address(room: RoomState) -> str:
    """The link with which students join."""
    return f"{address_of_lab()}/room?room={room.code}-{room.key}"


def show_door(room: RoomState) -> None:
    """Code, link and QR code, large enough for a projector."""
    code, picture = st.columns([3, 2], vertical_alignment="center")
    address = join_address(room)
    code.markdown(f"# :orange[{' '.join(room.code)}]")
    code.markdown(f"Join at **{address.partition('?')[0]}** with these four letters, or with this link:")
    code.code(address, language=None)
    picture.image(
        segno.make(address, error="m").svg_data_uri(scale=8, border=2), width=320, alt="QR code of the link with which students join"
    )


def show_push(secret: str) -> None:
    """Choose a lesson's step, or paste a link, and push it."""
    keys = lesson_keys()
    lesson_at, step_at = st.columns([3, 1])
    key = lesson_at.selectbox("Lesson", keys, format_func=lambda one: read_lesson(FOLDER / f"{one}.toml").title, key="push_lesson")
    steps = len(read_lesson(FOLDER / f"{key}.toml").steps)
    number = step_at.number_input("Step", 1, steps, 1, key=f"push_step_{key}")
    with st.container(horizontal=True):
        if st.button("Push this step", type="primary", icon=":material/send:", key="push"):
            rooms().push(secret, f"lessons?lesson={key}&step={number}")
        if st.button("Push the next step", icon=":material/skip_next:", key="push_next", shortcut=key_for("next")):
            push_next(secret)
    link = st.text_input("Or any view of the app: paste its link", key="push_link", placeholder="https://…/?attack=segpgd&eps=2")
    if st.button("Push this link", icon=":material/link:", key="push_view", disabled=not link):
        try:
            rooms().push(secret, view_of_link(link, urlsplit(address_of_lab()).path))
        except UserError as error:
            st.error(str(error))


def push_next(secret: str) -> None:
    """Go one step further in the lesson that was pushed last; to the first lesson's first step where none was."""
    newest = rooms().seen_by_teacher(secret).push
    at = pushed_step(newest.view) if newest is not None else None
    if at is None:
        rooms().push(secret, f"lessons?lesson={lesson_keys()[0]}&step=1")
    elif at[1] + 1 < len(at[0].steps):
        rooms().push(secret, f"lessons?lesson={at[0].key}&step={at[1] + 2}")


def show_answer_board(secret: str) -> None:
    """What the class sees now, the answers so far, and Reveal."""
    room = rooms().seen_by_teacher(secret)
    push = room.push
    answers = rooms().answers(secret)
    joined, answered = st.columns(2)
    joined.metric("Students", room.seats)
    answered.metric("Answers", len(answers))
    if push is None:
        st.info("Nothing is pushed yet. Choose a lesson and a step, and press Push.")
        return
    at = pushed_step(push.view)
    if at is None:
        st.markdown(f"Pushed: `{push.view or 'the lab'}`. [Open it in another tab]({push.view or './'}).")
        return
    lesson, number = at
    step = lesson.steps[number]
    st.markdown(f"#### {lesson.title}, step {number + 1}: {step.title}")
    if step.asked is None:
        st.markdown(step.text)
        return
    st.markdown(f"**{step.asked.question.ask}**")
    show_answers(lesson, number, evidence_for(lesson.key), [given.value for given in answers], f"{push.number}")
    if room.named and answers:
        st.dataframe({"name": [given.name for given in answers], "answer": [str(given.value) for given in answers]}, hide_index=True)
    if push.revealed:
        reveal(lesson, number, evidence_for(lesson.key), [])
    else:
        st.button(
            "Reveal",
            type="primary",
            icon=":material/visibility:",
            key="reveal",
            on_click=rooms().reveal,
            args=(secret,),
            shortcut=key_for("reveal"),
        )


def show_end_of_room(secret: str) -> None:
    """Export, and the end of the room."""
    with st.container(horizontal=True):
        st.download_button(
            "All answers as CSV", lambda: rooms().export(secret), "answers.csv", "text/csv", icon=":material/table:", on_click="ignore"
        )
        if st.button("Close the room and delete its answers", icon=":material/delete:", key="close_room"):
            rooms().close(secret)
            st.query_params.clear()
            st.rerun()

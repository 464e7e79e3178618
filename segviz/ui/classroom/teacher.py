"""The teacher's page: a room with its code, what is pushed, the answers as they come, and the reveal."""

from collections.abc import Mapping, Sequence
from statistics import median
from urllib.parse import urlsplit

import segno
import streamlit as st

from segviz.classroom.evidence import Evidence, is_right, measured_answer
from segviz.classroom.lessons import FOLDER, Lesson, lesson_keys, read_lesson
from segviz.classroom.questions import Answer, ChoiceQuestion, NumberQuestion, PlaceQuestion
from segviz.classroom.rooms import MAX_SEATS, GivenAnswer, Push, RoomState
from segviz.types import UserError
from segviz.ui.classroom.common import answer_in_words, evidence_for, pushed_step, rooms, show_answers, view_of_link
from segviz.ui.classroom.news import member
from segviz.ui.kit.presenter import in_pixels, key_for
from segviz.ui.kit.words import unformatted
from segviz.ui.teaching.steps import in_unit, show_figure, show_lesson_pictures

MAX_LINK = 2000
"""Characters of a link that can be pushed."""


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


def show_head(secret: str, room: RoomState, answered: int) -> None:
    """The room's code, how many are in it and have answered, and what a teacher does next, all in one row."""
    push = room.push
    at = pushed_step(push.view) if push is not None else None
    asks = at is not None and at[0].steps[at[1]].asked is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"## :orange[{room.code}]", width="content")
        st.metric("Students", room.seats, width="content")
        st.metric("Answers", answered, width="content")
        st.button(
            "Reveal",
            type="primary",
            icon=":material/visibility:",
            key="reveal",
            disabled=push is None or push.revealed or not asks,
            on_click=rooms().reveal,
            args=(secret,),
            shortcut=key_for("reveal"),
        )
        st.button(
            "Push the next step",
            icon=":material/skip_next:",
            key="push_next",
            on_click=push_next,
            args=(secret,),
            shortcut=key_for("next"),
        )


def show_door(room: RoomState) -> None:
    """Code, link and QR code, large enough for a projector."""
    code, picture = st.columns([3, 2], vertical_alignment="center")
    address = join_address(room)
    code.markdown(f"# :orange[{' '.join(room.code)}]")
    code.markdown(f"Join at **{address.partition('?')[0]}** with these four letters, or with this link:")
    code.code(address, language=None, wrap_lines=True)
    picture.image(
        segno.make(address, error="m").svg_data_uri(scale=8, border=2),
        width=in_pixels(320),
        alt="QR code of the link with which students join",
    )


def show_push(secret: str) -> None:
    """Choose a lesson's step, or paste a link, and push it."""
    lesson_at, step_at = st.columns(2)
    key = lesson_at.selectbox("Lesson", lesson_keys(), format_func=lambda one: read_lesson(FOLDER / f"{one}.toml").title, key="push_lesson")
    steps = read_lesson(FOLDER / f"{key}.toml").steps
    number = step_at.selectbox(
        "Step", range(1, len(steps) + 1), format_func=lambda number: f"{number}. {steps[number - 1].title}", key=f"push_step_{key}"
    )
    if st.button("Push this step", type="primary", icon=":material/send:", key="push"):
        rooms().push(secret, f"lessons?lesson={key}&step={number}")
        st.rerun()
    link = st.text_input(
        "Or any view of the app: paste its link, or go there and press **Show this page to the class**",
        key="push_link",
        placeholder="https://…/?attack=segpgd&eps=2",
        max_chars=MAX_LINK,
    )
    if st.button("Push this link", icon=":material/link:", key="push_view", disabled=not link):
        try:
            rooms().push(secret, view_of_link(link, urlsplit(address_of_lab()).path))
        except UserError as error:
            st.error(unformatted(str(error)))
        else:
            st.rerun()


def push_next(secret: str) -> None:
    """Go one step further in the lesson that was pushed last; to the first lesson's first step where none was."""
    newest = rooms().seen_by_teacher(secret).push
    at = pushed_step(newest.view) if newest is not None else None
    if at is None:
        rooms().push(secret, f"lessons?lesson={lesson_keys()[0]}&step=1")
    elif at[1] + 1 < len(at[0].steps):
        rooms().push(secret, f"lessons?lesson={at[0].key}&step={at[1] + 2}")


def show_answer_board(room: RoomState, push: Push, answers: Sequence[GivenAnswer]) -> None:
    """What the class sees now, the answers so far and, once it is revealed, what was measured."""
    at = pushed_step(push.view)
    if at is None:
        st.markdown(f"The class sees **{push.view.partition('?')[0] or 'the lab'}**. [Open it in another tab]({push.view or './'}).")
        return
    lesson, number = at
    step, evidence = lesson.steps[number], evidence_for(lesson.key)
    st.markdown(f"**{lesson.title}, step {number + 1}: {step.title}.** {step.asked.question.ask if step.asked is not None else ''}")
    if step.asked is None:
        show_figure(lesson, number, evidence)
        return
    values: list[Answer] = [given.value for given in answers]
    show_answers(lesson, number, evidence, values, push.revealed, f"{push.number}")
    if push.revealed:
        show_measured(lesson, number, evidence, values)
    else:
        with st.expander("What the students see"):
            st.markdown(step.text)
            show_lesson_pictures((*step.pictures, *step.asked.choices), step, evidence)
    if room.named and answers:
        with st.expander("Who answered what"):
            said = [answer_in_words(step.asked.question, value) for value in values]
            st.dataframe({"name": [given.name for given in answers], "answer": said}, hide_index=True)


def show_measured(lesson: Lesson, number: int, evidence: Mapping[str, Evidence], answers: Sequence[Answer]) -> None:
    """What was measured beside the guesses of the class, the reason, and the pictures that were kept back."""
    step = lesson.steps[number]
    assert step.asked is not None
    question, measured = step.asked.question, measured_answer(lesson, number, evidence)
    if isinstance(question, NumberQuestion) and isinstance(measured, float):
        guessed, truth = st.columns(2)
        if answers:
            guessed.metric("Median guess", in_unit(median(float(one) for one in answers if isinstance(one, int | float)), question))
        truth.metric("Measured", in_unit(measured, question))
    elif isinstance(question, PlaceQuestion):
        inside = sum(bool(is_right(lesson, number, one, evidence)) for one in answers)
        st.markdown(f"Lit: where it was measured. **{inside}** of {len(answers)} clicks are inside.")
    elif isinstance(question, ChoiceQuestion) and isinstance(measured, int):
        st.markdown(f"Measured: **{question.options[measured]}**.")
    st.markdown(step.asked.reason)
    show_lesson_pictures(step.revealed, step, evidence)


def show_end_of_room(secret: str) -> None:
    """The secret, export, and the end of the room."""
    st.caption("The address of this page is yours alone: whoever has it can push, reveal and see the answers.")
    with st.container(horizontal=True):
        st.download_button(
            "All answers as CSV", lambda: rooms().export(secret), "answers.csv", "text/csv", icon=":material/table:", on_click="ignore"
        )
        if st.button("Close the room and delete its answers", icon=":material/delete:", key="close_room"):
            rooms().close(secret)
            member().become()
            st.query_params.clear()
            st.rerun()

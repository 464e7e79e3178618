"""Lessons: predict what an attack does, then see what was measured."""

from functools import partial

import streamlit as st

from segviz.classroom.evidence import Evidence, stored_evidence
from segviz.classroom.handout import handout
from segviz.classroom.lessons import FOLDER, lesson_keys, read_lesson
from segviz.classroom.questions import Answer
from segviz.ui.kit.presenter import end_page, key_for
from segviz.ui.kit.session import through_app
from segviz.ui.kit.state import page_state, tab
from segviz.ui.kit.words import unformatted
from segviz.ui.lessons import here, view
from segviz.ui.lessons.state import LessonsState
from segviz.ui.teaching.steps import ask, reveal, show_figure

through_app("pages/lessons.py")

state = page_state(LessonsState)
query = st.query_params


def open_lesson(key: str, step: int = 1) -> None:
    """Go to a step of a lesson."""
    query.from_dict({"lesson": key, "step": str(step)})


key = query.get("lesson", "")
if key not in lesson_keys():
    st.title("Lessons")
    if key:
        st.warning(unformatted(f"There is no lesson {key!r}. These are the lessons:"))
    st.markdown(view.INTRODUCTION)
    view.show_list(open_lesson)
    end_page()

lesson = read_lesson(FOLDER / f"{key}.toml")
count = len(lesson.steps)
asked_for = query.get("step", "1")
number = min(max(int(asked_for), 1), count) if asked_for.isdecimal() else 1
step = lesson.steps[number - 1]


@st.cache_resource(show_spinner=False)
def stored(key: str) -> dict[str, Evidence]:
    """What ships with a lesson, read once."""
    return stored_evidence(key)


def answered(answer: Answer) -> None:
    """Keep an answer of this tab."""
    assert step.asked is not None
    state.answers[key, number] = step.asked.question.check(answer)


st.button("All lessons", icon=":material/arrow_back:", key="all_lessons", type="tertiary", on_click=query.clear)
st.title(lesson.title)
if str(number) != asked_for:
    st.warning(unformatted(f"This lesson has no step {asked_for!r}. Its steps are 1 to {count}, and this is step {number}."))
st.progress(number / count, f"Step {number} of {count}")
evidence = stored(key) | {run: seen for (of, run), seen in state.ran.items() if of == key}
show_figure(lesson, number - 1, evidence)
if step.asked is not None and (key, number) in state.answers:
    guess = state.answers[key, number]
    reveal(lesson, number - 1, evidence, [] if guess is None else [guess])
elif step.asked is not None:
    ask(lesson, number - 1, evidence, answered)
    if tab().presenting:
        reveal_at = partial(state.answers.__setitem__, (key, number), None)
        st.button("Reveal", icon=":material/visibility:", key="reveal", on_click=reveal_at, shortcut=key_for("reveal"))
if step.asked is None or (key, number) in state.answers:
    here.show_run_here(lesson, step, state)
    if number == count:
        st.divider()
        view.show_end(lesson, evidence)
with st.container(horizontal=True):
    st.button(
        "Back",
        icon=":material/arrow_back:",
        key="back",
        disabled=number == 1,
        on_click=open_lesson,
        args=(key, number - 1),
        shortcut=key_for("back"),
    )
    st.button(
        "Next",
        icon=":material/arrow_forward:",
        key="next",
        disabled=number == count,
        on_click=open_lesson,
        args=(key, number + 1),
        shortcut=key_for("next"),
    )
with st.expander("For the teacher", icon=":material/co_present:"):
    view.show_teacher(lesson)
    made = partial(handout, lesson, stored(key))
    st.download_button("One sheet to print", made, f"{key}.html", "text/html", icon=":material/print:", on_click="ignore")

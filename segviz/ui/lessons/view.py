"""The page Lessons: the list, the papers' claims at the end, what the teacher needs, and links into the lab."""

from collections.abc import Callable, Mapping

import streamlit as st

from segviz.classroom.evidence import Evidence, with_figures
from segviz.classroom.lessons import FOLDER, BrokenLessonError, Lesson, LessonRun, lesson_keys, read_lesson
from segviz.settings import Settings
from segviz.ui.kit.links import link_of

INTRODUCTION = "Predict what an attack does to a network, then see what was measured. Ten lessons; each ends in what the papers say."


def show_list(open_lesson: Callable[[str], None]) -> None:
    """All lessons as cards."""
    with st.grid(3, min_column_width=280, gap="medium"):
        for key in lesson_keys():
            with st.container(border=True, height="stretch"):
                try:
                    lesson = read_lesson(FOLDER / f"{key}.toml")
                except BrokenLessonError as error:
                    st.error(str(error))
                    continue
                st.markdown(f"##### {int(key[:2])}. {lesson.title}\n{lesson.about}")
                st.caption(f"{lesson.minutes} minutes, {sum(step.asked is not None for step in lesson.steps)} questions")
                st.button("Open", key=f"open-{key}", on_click=open_lesson, args=(key,), icon=":material/school:")


def show_end(lesson: Lesson, evidence: Mapping[str, Evidence]) -> None:
    """The papers' own claim beside ours."""
    theirs, ours = st.columns(2, gap="large")
    theirs.markdown(f"##### What the papers say\n{lesson.claim}")
    for title, url in lesson.papers:
        theirs.markdown(f"[{title}]({url})")
    ours.markdown(f"##### What was measured here\n{with_figures(lesson.ours, evidence)}")


def show_teacher(lesson: Lesson, base: str = "") -> None:
    """What the teacher needs: time, usual mistakes, questions, a link per step."""
    st.markdown(f"**{lesson.minutes} minutes.** What students usually answer wrong:")
    st.markdown("\n".join(f"- {one}" for one in lesson.wrong))
    st.markdown("For the discussion:")
    st.markdown("\n".join(f"{number}. {one}" for number, one in enumerate(lesson.discussion, 1)))
    st.markdown(
        "Links: "
        + ", ".join(f"[step {number}]({base}lessons?lesson={lesson.key}&step={number})" for number in range(1, len(lesson.steps) + 1))
    )


def lab_settings(run: LessonRun) -> Settings | None:
    """The settings with which the lab shows a run; None for a run that the lab cannot show."""
    if run.kind != "attack" or "target_map" in run.table:
        return None
    return Settings(**{name: value for name, value in run.table.items() if name != "paper"})


def lab_link(run: LessonRun) -> dict[str, str] | None:
    """The parameters of the lab's link for a run."""
    settings = lab_settings(run)
    return None if settings is None else link_of(settings)

"""Running what a lesson shows on this machine, and opening it in the lab."""

from functools import partial

import streamlit as st

from segviz.classroom.lessons import Lesson, LessonRun, LessonStep
from segviz.classroom.make import evidence_of_runs
from segviz.ui.kit.presenter import key_for
from segviz.ui.kit.running import follow
from segviz.ui.kit.session import queue
from segviz.ui.kit.status import show_job
from segviz.ui.lessons.state import LessonsState
from segviz.ui.lessons.view import lab_link


def runs_of_step(lesson: Lesson, step: LessonStep) -> list[LessonRun]:
    """The runs that a step shows or asks about, each once."""
    named = [one.run for one in (*step.pictures, *step.curves, *step.revealed)]
    if step.asked is not None:
        named += [one.run for one in step.asked.choices] or [step.asked.measured.partition(".")[0]]
    return [lesson.runs[name] for name in dict.fromkeys(named)]


def show_run_here(lesson: Lesson, step: LessonStep, state: LessonsState) -> None:
    """Buttons that make the step's runs anew on this machine, and that open one in the lab; says where the figures come from."""
    runs = runs_of_step(lesson, step)
    if not runs:
        return
    job = state.job
    if job is not None and not job.active and job.latest is not None and all(seen.progress == 1 for seen in job.latest.values()):
        state.ran |= {(state.running, name): seen for name, seen in job.latest.items()}
        state.job = None
        st.rerun()
    active = job is not None and job.active
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Run it here", icon=":material/play_arrow:", key="run_here", disabled=active, shortcut=key_for("run")):
            state.running, state.job = lesson.key, queue(evidence_of_runs, tuple(runs), beside="lesson")
            st.rerun()
        if active and job is not None:
            st.button("Stop", icon=":material/stop:", key="stop_here", on_click=job.stop, shortcut=key_for("stop"))
        link = lab_link(lesson.runs[step.lab]) if step.lab else None
        if link is not None:
            st.page_link("pages/attack_lab.py", label="Open in the lab", icon=":material/science:", query_params=link)
    show = partial(show_job, state.job, "lesson")
    follow(show, state.job, live=show)
    here = all((lesson.key, run.name) in state.ran for run in runs)
    st.caption("Made on this machine just now." if here else "Made beforehand, by real runs with the bundled networks.")

"""What the teacher's page and the students' share: the rooms of this server, what was pushed, and how answers are drawn."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import streamlit as st

from segviz.classroom.evidence import Evidence, stored_evidence
from segviz.classroom.lessons import FOLDER, Lesson, lesson_keys, read_lesson
from segviz.classroom.questions import Answer, ChoiceQuestion, CurveQuestion, NumberQuestion
from segviz.classroom.rooms import Rooms
from segviz.places import HOME
from segviz.types import UserError
from segviz.ui.teaching.predict import click_place, draw_curve
from segviz.ui.teaching.steps import picture_url

APART = ("about", "attack_lab", "classroom", "room")
"""Pages that are not shown to a class, and the lab, whose address has no name."""
PAGES = {"": "pages/attack_lab.py"} | {
    file.stem: f"pages/{file.name}" for file in sorted((HOME / "pages").glob("*.py")) if file.stem not in APART
}
"""File of each page that a class can be shown, by the last part of its address."""


@st.cache_resource
def rooms() -> Rooms:
    """The rooms of this server."""
    return Rooms()


def mark_of_room(holder: str) -> str:
    """The mark of the room that a token or a secret belongs to, as `segviz.live.rooms` tells it. Raises UserError for neither."""
    room, teaches = rooms().membership(holder)
    return rooms().marks().get(room, ("", ""))[teaches]


@st.cache_resource(show_spinner=False, max_entries=20)
def evidence_for(key: str) -> dict[str, Evidence]:
    """What ships with a lesson, read once for everybody."""
    return stored_evidence(key)


def pushed_step(view: str) -> tuple[Lesson, int] | None:
    """The lesson and the number (from 0) of its step that a pushed view is; None for another view of the app."""
    page, query = page_and_query(view)
    if page != "lessons" or query.get("lesson") not in lesson_keys():
        return None
    lesson = read_lesson(FOLDER / f"{query['lesson']}.toml")
    number = query.get("step", "1")
    return lesson, min(max(int(number), 1), len(lesson.steps)) - 1 if number.isdecimal() else 0


def page_and_query(view: str) -> tuple[str, dict[str, str]]:
    """A view as the last part of its page's address, empty for the lab, and the parameters of its link."""
    page, _, query = view.partition("?")
    return page, dict(parse_qsl(query))


def view_of_link(link: str, base: str = "") -> str:
    """The view that a link to this app opens, wherever the app is served; `base` is the path of the lab where it is not "/".

    Raises UserError for what is no link to a page of the app.
    """
    parts = urlsplit(link.strip())
    path = parts.path.strip("/")
    page = "" if path == base.strip("/") else path.rpartition("/")[2]
    if page not in PAGES or parts.scheme not in ("", "http", "https"):
        raise UserError(f"This is no link to a page of the app. Pages: {', '.join(name or 'the lab' for name in PAGES)}.")
    return page + (f"?{urlencode(parse_qsl(parts.query))}" if parts.query else "")


def show_answers(lesson: Lesson, number: int, evidence: Mapping[str, Evidence], answers: Sequence[Answer], key: str) -> None:
    """The answers of a class: a histogram of numbers and choices, curves over each other, clicks on the picture."""
    asked = lesson.steps[number].asked
    assert asked is not None
    question = asked.question
    if isinstance(question, NumberQuestion):
        values = [one for one in answers if isinstance(one, int | float)]
        counts, edges = np.histogram(values, bins=10, range=(question.low, question.high))
        names = [f"{low:.0f} – {high:.0f} {question.unit}" for low, high in pairwise(edges)]
        st.bar_chart({"guess": names, "students": counts.tolist()}, x="guess", y="students", sort=False, height=300)
    elif isinstance(question, ChoiceQuestion):
        chosen = [sum(answer == place for answer in answers) for place in range(len(question.options))]
        st.bar_chart({"guess": list(question.options), "students": chosen}, x="guess", y="students", sort=False, height=300)
    elif isinstance(question, CurveQuestion):
        drawn = [one for one in answers if isinstance(one, list)]
        # The first of the curves is drawn as one's own; here there is none.
        draw_curve(question.at, (question.x_title, question.y_title), None, key=f"all-{key}", guesses=[[], *drawn])
    else:
        run, _, _ = asked.measured.partition(".")
        clicked = [one for one in answers if isinstance(one, list)]
        photo = evidence[run].pictures["photo"]
        click_place(picture_url(photo, None), f"The photo with {len(clicked)} clicks", None, key=f"all-{key}", guesses=clicked)

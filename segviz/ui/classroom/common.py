"""What the teacher's page and the students' share: the rooms of this server, what was pushed, and how answers are drawn."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from segviz.classroom.evidence import Evidence, measured_answer, stored_evidence
from segviz.classroom.lessons import FOLDER, Lesson, lesson_keys, read_lesson
from segviz.classroom.questions import Answer, ChoiceQuestion, CurveQuestion, NumberQuestion, Question
from segviz.classroom.rooms import Rooms
from segviz.places import HOME
from segviz.types import UserError
from segviz.ui.kit.charts import show_chart
from segviz.ui.kit.links import LAB, read_link
from segviz.ui.teaching.predict import click_place, draw_curve
from segviz.ui.teaching.steps import in_unit, picture_url

APART = ("about", "attack_lab", "classroom", "room")
"""Pages that are not shown to a class, and the lab, whose address has no name."""
PAGES = {"": "pages/attack_lab.py"} | {
    file.stem: f"pages/{file.name}" for file in sorted((HOME / "pages").glob("*.py")) if file.stem not in APART
}
"""File of each page that a class can be shown, by the last part of its address."""

MEASURED = "#1971c2"


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

    Raises UserError for what is no link to a page of the app, and for one to the lab or to a lesson that asks for something in vain.
    """
    parts = urlsplit(link.strip())
    path = parts.path.strip("/")
    page = "" if path == base.strip("/") else path.rpartition("/")[2]
    if page not in PAGES or parts.scheme not in ("", "http", "https"):
        raise UserError(f"This is no link to a page of the app. Pages: {', '.join(name or 'the lab' for name in PAGES)}.")
    query = dict(parse_qsl(parts.query))
    if page == "lessons" and query.get("lesson", lesson_keys()[0]) not in lesson_keys():
        raise UserError(f"There is no lesson {query['lesson']!r}. Lessons: {', '.join(lesson_keys())}.")
    if not page and (refused := read_link(query, LAB).refused):
        raise UserError("The lab cannot open this link. " + " ".join(refused))
    return page + (f"?{urlencode(query)}" if query else "")


def show_answers(
    lesson: Lesson, number: int, evidence: Mapping[str, Evidence], answers: Sequence[Answer], revealed: bool, key: str
) -> None:
    """The answers of a class: a histogram of numbers and choices, curves over each other, a heat map of clicks.

    Once it is `revealed`, what was measured is drawn into it. `key` is of the push.
    """
    asked = lesson.steps[number].asked
    assert asked is not None
    question = asked.question
    measured = measured_answer(lesson, number, evidence) if revealed else None
    lists = [one for one in answers if isinstance(one, list)]
    if isinstance(question, NumberQuestion):
        values = [float(one) for one in answers if isinstance(one, int | float)]
        assert measured is None or isinstance(measured, float)
        show_chart(number_bars(question, values, measured), key=f"all-{key}", config={"displayModeBar": False}, alt="Guesses of the class")
    elif isinstance(question, ChoiceQuestion):
        chosen = [sum(answer == place for answer in answers) for place in range(len(question.options))]
        assert measured is None or isinstance(measured, int)
        show_chart(choice_bars(question, chosen, measured), key=f"all-{key}", config={"displayModeBar": False}, alt="Choices of the class")
    elif isinstance(question, CurveQuestion):
        assert measured is None or isinstance(measured, list)
        # The first of the curves is drawn as one's own; here there is none.
        draw_curve(question.at, (question.x_title, question.y_title), None, key=f"all-{key}", guesses=[[], *lists], measured=measured)
    else:
        run, _, _ = asked.measured.partition(".")
        photo = evidence[run].pictures["photo"]
        mask = picture_url(measured, None) if isinstance(measured, np.ndarray) else None
        click_place(picture_url(photo, None), f"The photo with {len(lists)} clicks", None, key=f"all-{key}", guesses=lists, mask=mask)


def number_bars(question: NumberQuestion, values: Sequence[float], measured: float | None) -> go.Figure:
    """How many guessed what, in ten bins of the scale, with a rule at what was measured."""
    counts, edges = np.histogram(values, bins=10, range=(question.low, question.high))
    width = (question.high - question.low) / 10
    figure = bars(edges[:-1] + width / 2, counts)
    figure.update_traces(width=0.92 * width)
    figure.update_xaxes(
        title_text=f"guess, {question.unit}" if question.unit else "guess", range=[question.low, question.high], dtick=width
    )
    if measured is not None:
        text = f"measured {measured:.0f} {question.unit}"
        figure.add_vline(x=measured, line_width=4, line_color=MEASURED, annotation={"text": text, "font_color": MEASURED})
    return figure


def choice_bars(question: ChoiceQuestion, counts: Sequence[int], measured: int | None) -> go.Figure:
    """How many chose what, with a word at what was measured."""
    names = [f"{name} (measured)" if place == measured else name for place, name in enumerate(question.options)]
    return bars(names, counts)


def bars(x: Sequence[Any] | np.ndarray, counts: Sequence[int] | np.ndarray) -> go.Figure:
    """Numbers of students as bars."""
    figure = go.Figure(go.Bar(x=x, y=counts, marker_color="#d9480f", hovertemplate="%{y} students<extra></extra>"))
    figure.update_yaxes(title_text="students", rangemode="tozero", dtick=1 if max(counts, default=0) < 8 else None)
    figure.update_layout(height=260, margin={"l": 10, "r": 30, "t": 30, "b": 10})
    return figure


def answer_in_words(question: Question, answer: Answer) -> str:
    """An answer as a line of a table."""
    if isinstance(question, NumberQuestion):
        return in_unit(answer, question)
    if isinstance(question, ChoiceQuestion):
        assert isinstance(answer, int)
        return question.options[answer]
    assert isinstance(answer, list)
    return ", ".join(f"{part:.0%}" for part in answer)

"""Lessons on screen: the list, a step with its figure, the question, and what was measured."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st
from PIL import Image

from segviz.classroom.evidence import Evidence, is_right, measured_answer
from segviz.classroom.lessons import Lesson, LessonFigure, LessonStep
from segviz.classroom.questions import Answer, ChoiceQuestion, CurveQuestion, NumberQuestion, mean_distance
from segviz.data.samples import samples
from segviz.settings import Settings
from segviz.ui.teaching.predict import click_place, draw_curve


def picture_url(picture: np.ndarray, crop: tuple[float, float, float, float] | None) -> str:
    """The part of a picture (H,W,3) uint8 that a step shows, as a lossless data URL."""
    height, width = picture.shape[:2]
    left, top, right, bottom = crop or (0.0, 0.0, 1.0, 1.0)
    part = picture[int(top * height) : int(np.ceil(bottom * height)), int(left * width) : int(np.ceil(right * width))]
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(part)).save(stream, "WEBP", lossless=True, quality=0, method=0)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def show_lesson_pictures(shown: Sequence[LessonFigure], step: LessonStep, evidence: Mapping[str, Evidence]) -> None:
    """Pictures side by side, at most three in a row."""
    if not shown:
        return
    with st.grid(min(max(len(shown), 2), 3), min_column_width=140, gap="small"):
        for one in shown:
            caption = one.caption or one.name
            url, alt = picture_url(evidence[one.run].pictures[one.name], step.crop), described(one, evidence[one.run])
            st.image(url, caption=caption, width="stretch", alt=alt)


def described(shown: LessonFigure, seen: Evidence) -> str:
    """What a picture shows, for who cannot see it: its caption and, in figures of the run, the classes of a map or the size of a change."""
    caption = shown.caption or shown.name
    kinds = ("clean map", "target map", "label map", "map", "first flipped", "flipped", "adversarial", "perturbation")
    kind = next((one for one in kinds if f" {shown.name}".endswith(f" {one}")), "")
    figures = {name.removeprefix(of): value for of in [shown.name.removesuffix(kind)] for name, value in seen.figures.items()}
    if kind == "map":
        shares = sorted(((value, name) for name, value in figures.items() if name.startswith("share of ") and value >= 0.005), reverse=True)
        return ": ".join(
            [caption, *([", ".join(f"{name.removeprefix('share of ')} {value:.0%}" for value, name in shares)] if shares else [])]
        )
    if kind == "flipped" and kind in figures:
        return f"{caption}: {figures[kind]:.0%} of the pixels changed their class"
    if kind in ("adversarial", "perturbation") and "linf" in figures:
        return f"{caption}: no colour value changed by more than {figures['linf']:.0f} of 255"
    return caption


def show_figure(lesson: Lesson, number: int, evidence: Mapping[str, Evidence]) -> None:
    """What a step shows at once: its text, pictures and curves; all of them where it asks nothing."""
    step = lesson.steps[number]
    st.markdown(f"### {step.title}")
    st.markdown(step.text)
    show_lesson_pictures(step.pictures, step, evidence)
    for one in step.curves:
        x, y = evidence[one.run].curves[one.name]
        draw_curve(x, ("steps", one.caption or one.name), None, key=f"curve-{lesson.key}-{number}-{one.run}-{one.name}", measured=y)
    if step.asked is None:
        show_lesson_pictures(step.revealed, step, evidence)


def ask(lesson: Lesson, number: int, evidence: Mapping[str, Evidence], answered: Callable[[Answer], None] | None) -> None:
    """The question with the widget that takes its answer; without `answered` the question alone."""
    asked = lesson.steps[number].asked
    assert asked is not None
    question, key = asked.question, f"{lesson.key}-{number}"
    with st.container(border=True):
        st.markdown(f"**Predict first. {question.ask}**")
        if isinstance(question, NumberQuestion):
            widget = f"number-{key}"
            given: float | int | None = st.slider(
                question.ask,
                question.low,
                question.high,
                (question.low + question.high) / 2,
                10.0 ** -digits_of(question),
                format=f"%.{digits_of(question)}f " + question.unit.replace("%", "%%"),
                key=widget,
                label_visibility="collapsed",
            )
        elif isinstance(question, ChoiceQuestion):
            show_lesson_pictures(asked.choices, lesson.steps[number], evidence)
            widget = f"choice-{key}"
            given = st.radio(
                question.ask,
                range(len(question.options)),
                format_func=lambda place: question.options[place],
                index=None,
                horizontal=True,
                key=widget,
                label_visibility="collapsed",
            )
        elif isinstance(question, CurveQuestion):
            draw_curve(question.at, (question.x_title, question.y_title), answered, key=f"curve-{key}")
            return
        else:
            run, _, _ = asked.measured.partition(".")
            title = samples()[lesson.runs[run].table.get("image", Settings.image)].title
            click_place(picture_url(evidence[run].pictures["photo"], None), title, answered, key=f"place-{key}")
            return
        if answered is not None:
            # What the widget says at the click: a move just before it may not have been drawn yet.
            at_click = partial(answer_of_widget, widget, answered)
            st.button("This is my guess", type="primary", key=f"guess-{key}", disabled=given is None, on_click=at_click)


def answer_of_widget(widget: str, answered: Callable[[Answer], None]) -> None:
    """Take the value of the widget with this key as the answer, if it has one."""
    if (given := st.session_state[widget]) is not None:
        answered(given)


def reveal(lesson: Lesson, number: int, evidence: Mapping[str, Evidence], guesses: Sequence[Answer]) -> None:
    """What was measured beside the guesses, the first being one's own; the reason, and the pictures that were kept back."""
    step = lesson.steps[number]
    asked = step.asked
    assert asked is not None
    question, key = asked.question, f"{lesson.key}-{number}"
    measured = measured_answer(lesson, number, evidence)
    with st.container(border=True):
        st.markdown(f"**{question.ask}**")
        if isinstance(question, NumberQuestion):
            assert isinstance(measured, float)
            reveal_number(question, measured, guesses)
        elif isinstance(question, ChoiceQuestion):
            show_lesson_pictures(asked.choices, step, evidence)
            assert isinstance(measured, int)
            right = f"Measured: **{question.options[measured]}**."
            if guesses:
                right += " That was your guess." if guesses[0] == measured else f" You chose {question.options[int(guesses[0])]}."  # type: ignore[arg-type]
            st.markdown(right)
        elif isinstance(question, CurveQuestion):
            assert isinstance(measured, list)
            drawn = [one for one in guesses if isinstance(one, list)]
            draw_curve(question.at, (question.x_title, question.y_title), None, key=f"shown-{key}", guesses=drawn, measured=measured)
            if drawn:
                st.markdown(f"On average your curve is off by **{100 * mean_distance(drawn[0], measured):.0f} points**.")
        else:
            assert isinstance(measured, np.ndarray)
            reveal_place(lesson, number, evidence, measured, guesses)
        st.markdown(asked.reason)
    show_lesson_pictures(step.revealed, step, evidence)


def reveal_number(question: NumberQuestion, measured: float, guesses: Sequence[Answer]) -> None:
    """The number that was measured beside one's own."""
    if not guesses:
        st.metric("Measured", in_unit(measured, question))
        return
    yours, truth = st.columns(2)
    yours.metric("Your guess", in_unit(guesses[0], question))
    off = float(guesses[0]) - measured if isinstance(guesses[0], int | float) else 0.0
    truth.metric(
        "Measured", in_unit(measured, question), delta=f"your guess is off by {abs(off):.0f}", delta_color="off", delta_arrow="off"
    )


def reveal_place(lesson: Lesson, number: int, evidence: Mapping[str, Evidence], measured: np.ndarray, guesses: Sequence[Answer]) -> None:
    """The photo with the clicks, lit where it was measured, and whether one's own lies inside; `measured` (H,W,3) uint8."""
    asked = lesson.steps[number].asked
    assert asked is not None
    run, _, _ = asked.measured.partition(".")
    clicked = [one for one in guesses if isinstance(one, list)]
    click_place(
        picture_url(evidence[run].pictures["photo"], None),
        "The photo; lit where it was measured",
        None,
        key=f"lit-{lesson.key}-{number}",
        guesses=clicked,
        mask=picture_url(measured, None),
    )
    if clicked:
        st.markdown("Your click is **inside**." if is_right(lesson, number, clicked[0], evidence) else "Your click is **outside**.")


def in_unit(value: Answer, question: NumberQuestion) -> str:
    """A number of a question as people read it."""
    assert isinstance(value, int | float)
    return f"{value:.{digits_of(question)}f} {question.unit}".strip()


def digits_of(question: NumberQuestion) -> int:
    """Decimals with which a question's numbers are shown and guessed."""
    return 0 if question.high - question.low >= 50 else 1

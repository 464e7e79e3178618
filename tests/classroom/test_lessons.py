"""Lessons are data: every one that ships is whole, and a broken one is refused with file and line."""

import re

import numpy as np
import pytest

from segviz.classroom.evidence import Evidence, save, stored_evidence, with_figures
from segviz.classroom.lessons import FOLDER, MAX_WORDS, BrokenLessonError, lesson_keys, read_lesson
from segviz.classroom.questions import ChoiceQuestion, CurveQuestion, NumberQuestion, PlaceQuestion, mean_distance
from segviz.types import UserError

WHOLE = """title = "A lesson"
about = "What it is about."
minutes = 5
claim = "They say."
ours = "We see."
wrong = ["This."]
discussion = ["Why?"]

[[papers]]
title = "A paper"
url = "https://example.org"

[runs.one]
kind = "attack"
attack = "fgsm"

[[steps]]
title = "First"
text = "Look."
pictures = ["one.photo: the photo"]

[[steps]]
title = "Second"
text = "Guess."
revealed = ["one.map"]
lab = "one"

[steps.question]
kind = "number"
ask = "How much?"
low = 0
high = 100
unit = "%"
factor = 100
measured = "one.miou"
reason = "Because."
"""


def lesson_from(tmp_path, text):
    file = tmp_path / "lesson.toml"
    file.write_text(text)
    return read_lesson(file)


def test_a_whole_lesson_is_read(tmp_path):
    lesson = lesson_from(tmp_path, WHOLE)
    assert (lesson.key, lesson.minutes, list(lesson.runs)) == ("lesson", 5, ["one"])
    first, second = lesson.steps
    assert (first.pictures[0].run, first.pictures[0].name, first.pictures[0].caption) == ("one", "photo", "the photo")
    assert second.asked.question == NumberQuestion("How much?", 0.0, 100.0, "%")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('title = "A lesson"\n', "", 1, "'title' is missing"),
        ("minutes = 5", 'minutes = "five"', 3, "whole number"),
        ("minutes = 5", "minutes = ", 3, "TOML"),
        ('kind = "attack"', 'kind = "magic"', 14, "unknown kind of run 'magic'"),
        ('text = "Look."', f'text = "{"word " * (MAX_WORDS + 1)}"', 19, "61 words"),
        ('"one.photo: the photo"', '"two.photo"', 20, "two.photo"),
        ("low = 0", "low = 100", 32, "empty"),
        ('ask = "How much?"\n', "", 28, "'ask' is missing"),
        ('kind = "number"', 'kind = "riddle"', 29, "unknown kind of question"),
        ('measured = "one.miou"', 'measured = "three.miou"', 35, "names no run"),
        ('lab = "one"', 'lab = "none"', 26, "no run 'none'"),
        ('title = "Second"', 'titel = "Second"', 23, "unknown 'titel'"),
        ('attack = "fgsm"', 'attack = "fgsn"', 15, "no attack 'fgsn'"),
        ('attack = "fgsm"', 'attack = "fgsm"\nimage = "unicorn"', 16, "no image 'unicorn'"),
        ('attack = "fgsm"', 'attack = "fgsm"\neps = "four"', 16, "eps"),
        ('attack = "fgsm"', 'attack = "fgsm"\nstepz = 4', 16, "unknown 'stepz'"),
        ('about = "What it is about."', 'about = "What"\nauthor = "me"', 3, "unknown 'author'"),
    ],
)
def test_a_broken_lesson_is_refused_with_file_and_line(tmp_path, old, new, line, says):
    assert old in WHOLE
    with pytest.raises(BrokenLessonError) as caught:
        lesson_from(tmp_path, WHOLE.replace(old, new, 1))
    assert str(caught.value).startswith(f"lesson.toml:{line}: ")
    assert says in str(caught.value)


def test_a_lesson_without_a_question_is_none(tmp_path):
    with pytest.raises(BrokenLessonError, match="question"):
        lesson_from(tmp_path, WHOLE[: WHOLE.index("[steps.question]")])


@pytest.mark.parametrize("key", lesson_keys())
def test_lessons_that_ship_are_whole(key):
    lesson = read_lesson(FOLDER / f"{key}.toml")
    assert re.fullmatch(r"\d\d-[a-z-]+", key)
    assert len(lesson.discussion) == 3
    assert lesson.wrong
    assert all(url.startswith("https://") for _, url in lesson.papers)
    assert all(step.asked is None or len(step.asked.reason.split(". ")) <= 3 for step in lesson.steps)


@pytest.mark.parametrize(
    ("question", "fits", "unfit"),
    [
        (NumberQuestion("?", 0, 10), 10, [10.1, -1, float("nan"), True, "5", None]),
        (ChoiceQuestion("?", ("a", "b")), 1, [2, -1, 0.5, True, "a", None]),
        (CurveQuestion("?", (0.0, 1.0)), [0, 1], [[0], [0, 1, 1], [0, 1.1], [0, float("nan")], 1, None]),
        (PlaceQuestion("?"), [0.5, 1], [[0.5], [1.5, 0], ["a", "b"], 0.5, None]),
    ],
)
def test_answers_out_of_range_are_refused(question, fits, unfit):
    assert question.check(fits) == fits
    for value in unfit:
        with pytest.raises(UserError):
            question.check(value)


def test_distance_of_curves():
    assert mean_distance([0, 0.5, 1], [0.2, 0.5, 0.4]) == pytest.approx(0.8 / 3)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('"one.photo: the photo"', '"one.phto: the photo"', 20, "'one.phto'"),
        ('measured = "one.miou"', 'measured = "one.miuo"', 35, "'one.miuo'"),
        ('ours = "We see."', 'ours = "We see {one.miou} and {one.moiu}."', 5, "'one.moiu'"),
        ("", "", 13, "python -m segviz.classroom.make lesson"),
    ],
)
def test_a_lesson_that_shows_what_no_run_has_is_refused_with_file_and_line(tmp_path, old, new, line, says):
    lesson = lesson_from(tmp_path, WHOLE)
    if old:
        grey = np.zeros((4, 4, 3), np.uint8)
        save(lesson, {"one": Evidence({"miou": 0.5}, {}, {"photo": grey, "map": grey}, 1.0)}, tmp_path / "lesson.zip")
        assert stored_evidence("lesson", tmp_path)
        lesson_from(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(BrokenLessonError) as caught:
        stored_evidence("lesson", tmp_path)
    assert str(caught.value).startswith(f"lesson.toml:{line}: ")
    assert says in str(caught.value)


def test_figures_in_a_text_are_those_of_the_runs():
    seen = {"a-b": Evidence({"miou": 0.256, "first unsure": 3.0})}
    assert with_figures("It is {a-b.miou}, {a-b.miou:.1%}, {a-b.first unsure:.0f} {nothing}.", seen) == "It is 26 %, 25.6 %, 3 {nothing}."

"""What a lesson shows was measured: stored evidence comes back as it was, is that of its settings, and decides who was right."""

import hashlib
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from segviz.classroom.evidence import Evidence, is_right, load, measured_answer, right_choice, save, shown_by, stored_evidence
from segviz.classroom.lessons import FOLDER, AskedStep, LessonFigure, LessonRun, LessonStep, lesson_keys, read_lesson
from segviz.classroom.make import evidence_of
from segviz.classroom.questions import PlaceQuestion
from segviz.types import UserError

LESSONS = [read_lesson(FOLDER / f"{key}.toml") for key in lesson_keys()]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_every_question_has_a_measured_answer(lesson):
    evidence = stored_evidence(lesson.key)
    for number, step in enumerate(lesson.steps):
        if step.asked is not None:
            answer = measured_answer(lesson, number, evidence)
            if isinstance(answer, np.ndarray):
                assert 0 < (answer[..., 0] > 0).mean() < 0.5
            else:
                # The scale of the question holds what was measured.
                step.asked.question.check(answer)
        for shown in (*step.pictures, *step.revealed):
            assert shown.name in evidence[shown.run].pictures
        for shown in step.curves:
            assert shown.name in evidence[shown.run].curves


def test_one_lesson_a_day_is_run_anew():
    """Which one changes from day to day; `python -m segviz.classroom.make` does all."""
    runs = [
        (lesson, run) for lesson in LESSONS for run in lesson.runs.values() if run.kind == "attack" and run.table.get("steps", 20) <= 20
    ]
    day = int(hashlib.sha256(date.today().isoformat().encode()).hexdigest(), 16)
    lesson, run = runs[day % len(runs)]
    *_, made = evidence_of(run)
    stored = stored_evidence(lesson.key)[run.name]
    for name in ("clean_miou", "clean_accuracy", "linf"):
        assert made.figures[name] == pytest.approx(stored.figures[name], abs=0.002)
    # Processors round differently, so the iterates drift apart a little; the damage done must be the same.
    assert made.figures["accuracy"] == pytest.approx(stored.figures["accuracy"], abs=0.05)
    if "clean map" in stored.pictures:
        # Of the same class within a grey level: the stored maps were given the screen's colours where they lay over the photo.
        apart = np.abs(made.pictures["clean map"].astype(int) - stored.pictures["clean map"]).max(2)
        assert (apart <= 1).mean() > 0.999


def test_evidence_comes_back_as_it_was(tmp_path):
    lesson = LESSONS[0]
    name = next(iter(lesson.runs))
    pictures = {picture: np.random.default_rng(1).integers(0, 256, (8, 9, 3), np.uint8) for picture in shown_by(lesson)[name]}
    evidence = {
        name: Evidence(
            {"miou": 0.25}, {"miou": ((0.0, 1.0), (1.0, 0.5))}, pictures | {"not shown": np.zeros((2, 2, 3), np.uint8)}, 1.0, "CPU"
        )
    }
    save(lesson, evidence, tmp_path / "x.zip")
    again = load(tmp_path / "x.zip")[name]
    assert (again.figures, again.curves, again.device) == ({"miou": 0.25}, {"miou": ((0.0, 1.0), (1.0, 0.5))}, "CPU")
    assert set(again.pictures) == set(pictures)
    assert all(np.array_equal(again.pictures[key], pictures[key]) for key in pictures)


def test_a_run_that_its_kind_does_not_take_is_refused():
    with pytest.raises(UserError, match="'bad'"):
        list(evidence_of(LessonRun("bad", "attack", {"attack": "pgd", "speed": 3})))


def test_a_click_is_right_inside_of_what_was_measured():
    mask = np.zeros((10, 20, 3), np.uint8)
    mask[2:4, 10:12] = 255
    step = LessonStep("", "", asked=AskedStep(PlaceQuestion("?"), "one.flipped", ""))
    lesson = replace(LESSONS[0], steps=(step,))
    evidence = {"one": Evidence(pictures={"flipped": mask})}
    assert is_right(lesson, 0, [0.55, 0.25], evidence) is True
    assert is_right(lesson, 0, [0.1, 0.1], evidence) is False
    assert is_right(lesson, 0, [1.0, 1.0], evidence) is False


def test_the_right_choice_follows_from_what_was_measured():
    evidence = {"a": Evidence({"miou": 0.3}), "b": Evidence({"miou": 0.1})}
    choices = (LessonFigure("a", "map", "A"), LessonFigure("b", "map", "B"))
    assert right_choice("smallest miou", choices, evidence) == 1
    assert right_choice("largest miou", choices, evidence) == 0
    assert right_choice("b.map", choices, evidence) == 1

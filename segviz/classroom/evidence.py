"""What a lesson shows of a run: figures, curves and pictures by name; how they are stored, and what they say about an answer."""

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
from PIL import Image

from segviz.classroom.lessons import FOLDER, BrokenLessonError, Lesson, LessonFigure, read_lesson
from segviz.classroom.questions import Answer, ChoiceQuestion, CurveQuestion, NumberQuestion, PlaceQuestion
from segviz.types import UserError

Curve: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""x and y."""


@dataclass(frozen=True)
class Evidence:
    """What a run has shown so far.

    `figures` are rates in [0,1], grey levels ("linf") or dB ("psnr"); `curves` run over iterations; `pictures` (H,W,3) uint8, of which
    those that answer a question for a place are white where a click is right and black elsewhere. `progress` in [0,1].
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    progress: float = 0.0
    device: str = ""


def shown_by(lesson: Lesson) -> dict[str, set[str]]:
    """The pictures that a lesson shows or asks for, by run."""
    found: dict[str, set[str]] = {name: set() for name in lesson.runs}
    for step in lesson.steps:
        every: list[LessonFigure] = [*step.pictures, *step.revealed]
        if step.asked is not None:
            every += step.asked.choices
            if isinstance(step.asked.question, PlaceQuestion):
                run, _, picture = step.asked.measured.partition(".")
                every += [LessonFigure(run, picture), LessonFigure(run, "photo")]
        for one in every:
            found[one.run].add(one.name)
    return found


def measured_answer(lesson: Lesson, step: int, evidence: Mapping[str, Evidence]) -> Answer | np.ndarray:
    """What was measured, in the form of an answer to the step's question; of a place the picture that is white where a click is right.

    Raises UserError where the run has no such figure, curve or picture.
    """
    asked = lesson.steps[step].asked
    assert asked is not None
    run, _, name = asked.measured.partition(".")
    question = asked.question
    try:
        if isinstance(question, NumberQuestion):
            return asked.factor * evidence[run].figures[name]
        if isinstance(question, CurveQuestion):
            x, y = evidence[run].curves[name]
            return [float(height) for height in np.interp(question.at, x, y)]
        if isinstance(question, PlaceQuestion):
            return evidence[run].pictures[name]
        return right_choice(asked.measured, asked.choices, evidence)
    except KeyError as error:
        raise UserError(f"The lesson {lesson.key} asks for '{asked.measured}', and nothing called {error} was measured.") from None


def right_choice(measured: str, choices: Sequence[LessonFigure], evidence: Mapping[str, Evidence]) -> int:
    """The place of the right choice: the picture that is named, or the one of the run with the largest or smallest figure."""
    extreme, _, figure = measured.partition(" ")
    if extreme in ("largest", "smallest"):
        values = [evidence[one.run].figures[figure] for one in choices]
        return values.index(max(values) if extreme == "largest" else min(values))
    return [f"{one.run}.{one.name}" for one in choices].index(measured)


def is_right(lesson: Lesson, step: int, answer: Answer, evidence: Mapping[str, Evidence]) -> bool | None:
    """Whether an answer is right; None for numbers and curves, which are more or less near."""
    asked = lesson.steps[step].asked
    assert asked is not None
    measured = measured_answer(lesson, step, evidence)
    if isinstance(asked.question, ChoiceQuestion):
        return bool(answer == measured)
    if isinstance(asked.question, PlaceQuestion):
        assert isinstance(measured, np.ndarray)
        assert isinstance(answer, list)
        height, width = measured.shape[:2]
        x, y = answer
        return bool(measured[min(int(y * height), height - 1), min(int(x * width), width - 1), 0] > 0)
    return None


FIGURE = re.compile(r"\{([\w-]+)\.([^{}:]+)(?::([^{}]+))?\}")
"""A figure in a text, "{RUN.FIGURE}" or "{RUN.FIGURE:FORMAT}"; the format is that of Python, without one whole per cent."""


def with_figures(text: str, evidence: Mapping[str, Evidence]) -> str:
    """A text with the figures that it names."""
    return FIGURE.sub(lambda named: format(evidence[named[1]].figures[named[2]], named[3] or ".0%").replace("%", " %"), text)


def check_named(lesson: Lesson, evidence: Mapping[str, Evidence], file: Path) -> None:
    """Raises BrokenLessonError, with the line in the lesson's `file`, for what it names and no run has shown."""
    named = [(run, name, "pictures") for run, names in shown_by(lesson).items() for name in sorted(names)]
    named += [(one.run, one.name, "curves") for step in lesson.steps for one in step.curves]
    named += [(run, name, "figures") for run, name, _ in FIGURE.findall(lesson.ours)]
    for run, name, kind in named:
        if run not in evidence or name not in getattr(evidence[run], kind):
            known = ", ".join(sorted(getattr(evidence[run], kind))) if run in evidence else "none, as there is no such run"
            refuse_line(file, f"{run}.{name}", f"no run has shown '{run}.{name}'. {kind.capitalize()}: {known}")
    for number, step in enumerate(lesson.steps):
        if step.asked is not None:
            try:
                measured_answer(lesson, number, evidence)
            except UserError:
                refuse_line(file, step.asked.measured, f"no run has shown '{step.asked.measured}'")


def refuse_line(file: Path, words: str, why: str) -> NoReturn:
    """Raises BrokenLessonError with the first line of a file in which the words stand."""
    lines = file.read_text(encoding="utf-8").splitlines()
    raise BrokenLessonError(f"{file.name}:{next((number for number, line in enumerate(lines, 1) if words in line), 1)}: {why}.")


def save(lesson: Lesson, evidence: Mapping[str, Evidence], file: Path) -> None:
    """Write what a lesson shows of its runs; pictures lossless, and only those that it shows."""
    facts = {}
    with zipfile.ZipFile(file, "w") as archive:
        for name, one in evidence.items():
            kept = sorted(shown_by(lesson)[name] & set(one.pictures))
            facts[name] = {key: value for key, value in asdict(replace(one, pictures={})).items() if key != "pictures"} | {"pictures": kept}
            for picture in kept:
                stream = io.BytesIO()
                Image.fromarray(one.pictures[picture]).save(stream, "WEBP", lossless=True, quality=100, method=6)
                archive.writestr(f"{name}/{picture}.webp", stream.getvalue())
        archive.writestr("facts.json", json.dumps(facts))


def load(file: Path) -> dict[str, Evidence]:
    """Read what `save` wrote."""
    found = {}
    with zipfile.ZipFile(file) as archive:
        for name, facts in json.loads(archive.read("facts.json")).items():
            pictures = {
                picture: np.asarray(Image.open(io.BytesIO(archive.read(f"{name}/{picture}.webp"))).convert("RGB"))
                for picture in facts.pop("pictures")
            }
            curves = {key: (tuple(x), tuple(y)) for key, (x, y) in facts.pop("curves").items()}
            found[name] = Evidence(pictures=pictures, curves=curves, **facts)
    return found


def stored_evidence(key: str, folder: Path = FOLDER) -> dict[str, Evidence]:
    """What ships with a lesson. Raises BrokenLessonError where it is missing, or does not have what the lesson shows."""
    file = folder / f"{key}.toml"
    try:
        evidence = load(folder / f"{key}.zip")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        refuse_line(file, "[runs", f"what its runs show is not stored. Make it: python -m segviz.classroom.make {key}")
    check_named(read_lesson(file), evidence, file)
    return evidence

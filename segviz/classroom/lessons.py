"""Lessons as data: one TOML file each under `assets/lessons/`, read, checked, and refused with file and line where it is broken."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from segviz.attacks.rows import ATTACKS
from segviz.classroom.questions import ChoiceQuestion, CurveQuestion, NumberQuestion, PlaceQuestion, Question
from segviz.data.samples import samples
from segviz.fields import Table, fields_of
from segviz.places import ASSETS
from segviz.settings import FIELDS
from segviz.studies.scaling import ScalingSettings
from segviz.types import UserError

FOLDER = ASSETS / "lessons"
MAX_WORDS = 60
"""Of a step's text."""

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a lesson's file: names of tables and, of repeated ones, their number from 0."""

KINDS = ("attack", "defence", "transfer", "scaling")
"""What a run of a lesson can be: an attack in the lab, a defence on trial, a study of transfer, an image-scaling attack."""


@dataclass(frozen=True)
class LessonRun:
    """A run that a lesson shows; `table` holds what else its file says of it: settings, as the run's kind takes them."""

    name: str
    kind: str
    table: Mapping[str, Any]


@dataclass(frozen=True)
class LessonFigure:
    """A picture or a curve of a run, by its name in the run's evidence, with a caption of its own or that name."""

    run: str
    name: str
    caption: str = ""


@dataclass(frozen=True)
class AskedStep:
    """The question of a step.

    `measured` names what was measured: "RUN.FIGURE" for a number, "RUN.CURVE" for a curve, "RUN.PICTURE" for a place (white is right), and
    for a choice "RUN.PICTURE" of one of `choices`, or "largest FIGURE" or "smallest FIGURE" over them. `factor` brings the figure to
    the unit of the scale.
    """

    question: Question
    measured: str
    reason: str
    choices: tuple[LessonFigure, ...] = ()
    factor: float = 1.0


@dataclass(frozen=True)
class LessonStep:
    """One step: at most MAX_WORDS words, a live figure, and perhaps a question.

    `pictures` and `curves` are shown at once, `revealed` only after the answer. `crop` (left, top, right, bottom) in [0,1] is the part of
    the pictures that is shown. `lab` names the run that "open in the lab" opens.
    """

    title: str
    text: str
    pictures: tuple[LessonFigure, ...] = ()
    curves: tuple[LessonFigure, ...] = ()
    revealed: tuple[LessonFigure, ...] = ()
    crop: tuple[float, float, float, float] | None = None
    asked: AskedStep | None = None
    lab: str = ""


@dataclass(frozen=True)
class Lesson:
    """A lesson. `claim` is what the papers say, in their numbers; `ours` what was measured here, and where it differs; it names
    figures of runs as "{RUN.FIGURE}", see `segviz.classroom.evidence`.
    """

    key: str
    title: str
    about: str
    minutes: int
    claim: str
    ours: str
    papers: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]
    discussion: tuple[str, ...]
    runs: Mapping[str, LessonRun]
    steps: tuple[LessonStep, ...]


TAKEN: Mapping[str, tuple[Any, ...]] = {
    "attack": (FIELDS, "target_map", "paper"),
    "defence": (FIELDS, "defence", "budget"),
    "scaling": (fields_of(ScalingSettings),),
}
"""By kind of run the table of its settings, and what else it takes."""


class BrokenLessonError(UserError):
    """A lesson's file that says something wrong; the message begins with file and line."""


def lesson_keys(folder: Path = FOLDER) -> list[str]:
    """The lessons' keys, in their order: the names of their files, which begin with a number."""
    return sorted(file.stem for file in folder.glob("*.toml"))


def read_lesson(file: Path) -> Lesson:
    """The lesson in a TOML file. Raises BrokenLessonError with file and line for anything that is missing, unknown or wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenLessonError(f"{file.name}: cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found[1] if found else len(text.splitlines())
        raise BrokenLessonError(f"{file.name}:{line}: this is no TOML: {error}.") from None
    reader = Reader(file.name, text)
    return lesson_of(reader, file.stem, table)


def lesson_of(read: "Reader", key: str, table: Mapping[str, Any]) -> Lesson:
    """A lesson from the values of its file."""
    read.known(table, (), tuple(part.name for part in fields(Lesson) if part.name != "key"))
    runs = {}
    for name, one in read.value(table, (), "runs", dict).items():
        kind = read.value(one, ("runs", name), "kind", str)
        if kind not in KINDS:
            read.refuse(("runs", name, "kind"), f"unknown kind of run '{kind}'. Known: {', '.join(KINDS)}")
        runs[name] = LessonRun(name, kind, {field: value for field, value in one.items() if field != "kind"})
        check_run(read, runs[name])
    steps = tuple(lesson_step(read, ("steps", number), one, runs) for number, one in enumerate(read.value(table, (), "steps", list)))
    if not any(step.asked for step in steps):
        read.refuse(("steps", 0), "no step asks anything; a lesson needs a question")
    papers = tuple(
        (read.value(one, ("papers", number), "title", str), read.value(one, ("papers", number), "url", str))
        for number, one in enumerate(read.value(table, (), "papers", list))
    )
    return Lesson(
        key=key,
        title=read.value(table, (), "title", str),
        about=read.value(table, (), "about", str),
        minutes=read.value(table, (), "minutes", int),
        claim=" ".join(read.value(table, (), "claim", str).split()),
        ours=" ".join(read.value(table, (), "ours", str).split()),
        papers=papers,
        wrong=read.texts(table, (), "wrong"),
        discussion=read.texts(table, (), "discussion"),
        runs=runs,
        steps=steps,
    )


def check_run(read: "Reader", run: LessonRun) -> None:
    """Refuses what the kind of a run does not take."""
    place: Place = ("runs", run.name)
    if run.kind == "transfer":
        for name, made in read.value(run.table, place, "made", dict).items():
            check_run_settings(read, (*place, "made", name), made, FIELDS, "paper")
    else:
        table, *own = TAKEN[run.kind]
        check_run_settings(read, place, run.table, table, *own)


def check_run_settings(read: "Reader", place: Place, values: Mapping[str, Any], table: Table, *own: str) -> None:
    """Refuses settings that are not in their table, or have a value that they cannot have; those called `own` are the run's affair."""
    for name, value in values.items():
        known = ATTACKS if name == "attack" else samples() if name in ("image", "target_map") else None
        if known is not None and value not in known:
            read.refuse((*place, name), f"there is no {name} {value!r}. Known: {', '.join(known)}")
        if name in own:
            continue
        if name not in table:
            read.refuse((*place, name), f"unknown '{name}'. Known here: {', '.join((*own, *table))}")
        try:
            table[name].read(value, name)
        except UserError as error:
            read.refuse((*place, name), str(error).rstrip("."))


def lesson_step(read: "Reader", place: Place, table: Mapping[str, Any], runs: Mapping[str, LessonRun]) -> LessonStep:
    """A step from its table."""
    read.known(table, place, ("title", "text", "pictures", "curves", "revealed", "crop", "question", "lab"))
    text = read.value(table, place, "text", str)
    if (words := len(text.split())) > MAX_WORDS:
        read.refuse((*place, "text"), f"the text has {words} words; at most {MAX_WORDS} are read")
    lab = read.value(table, place, "lab", str, "")
    if lab and lab not in runs:
        read.refuse((*place, "lab"), f"there is no run '{lab}'. Runs: {', '.join(runs)}")
    crop = read.value(table, place, "crop", list, None)
    if crop is not None and not (len(crop) == 4 and 0 <= crop[0] < crop[2] <= 1 and 0 <= crop[1] < crop[3] <= 1):
        read.refuse((*place, "crop"), "crop is [left, top, right, bottom] in shares of the picture")
    return LessonStep(
        title=read.value(table, place, "title", str),
        text=text,
        pictures=shown_of(read, place, table, "pictures", runs),
        curves=shown_of(read, place, table, "curves", runs),
        revealed=shown_of(read, place, table, "revealed", runs),
        crop=None if crop is None else (float(crop[0]), float(crop[1]), float(crop[2]), float(crop[3])),
        asked=asked_of(read, (*place, "question"), table["question"], runs) if "question" in table else None,
        lab=lab,
    )


def shown_of(read: "Reader", place: Place, table: Mapping[str, Any], name: str, runs: Mapping[str, LessonRun]) -> tuple[LessonFigure, ...]:
    """Pictures or curves, each written "RUN.NAME" or "RUN.NAME: caption"."""
    found = []
    for text in read.texts(table, place, name, ()):
        path, _, caption = text.partition(":")
        run, _, picture = path.strip().partition(".")
        if run not in runs or not picture:
            read.refuse((*place, name), f"'{text}' is not of the form RUN.NAME with a run of this lesson ({', '.join(runs)})")
        found.append(LessonFigure(run, picture, caption.strip()))
    return tuple(found)


def asked_of(read: "Reader", place: Place, table: Mapping[str, Any], runs: Mapping[str, LessonRun]) -> AskedStep:
    """A question from its table; its kind says which other values it takes."""
    kind, ask = read.value(table, place, "kind", str), read.value(table, place, "ask", str)
    builders: dict[str, tuple[tuple[str, ...], Callable[[], Question]]] = {
        "number": (("low", "high", "unit", "factor"), lambda: number_question(read, place, table, ask)),
        "choice": (("choices",), lambda: ChoiceQuestion(ask, tuple(one.caption for one in choices))),
        "curve": (("at", "x", "y"), lambda: curve_question(read, place, table, ask)),
        "place": ((), lambda: PlaceQuestion(ask)),
    }
    if kind not in builders:
        read.refuse((*place, "kind"), f"unknown kind of question '{kind}'. Known: {', '.join(builders)}")
    own, build = builders[kind]
    read.known(table, place, ("kind", "ask", "measured", "reason", *own))
    choices = shown_of(read, place, table, "choices", runs)
    if kind == "choice" and (len(choices) < 2 or not all(one.caption for one in choices)):
        read.refuse((*place, "choices"), 'a choice needs two or more maps, each with a caption: "RUN.PICTURE: caption"')
    measured = read.value(table, place, "measured", str)
    if kind != "choice" and measured.partition(".")[0] not in runs:
        read.refuse((*place, "measured"), f"'{measured}' names no run of this lesson ({', '.join(runs)})")
    if kind == "choice" and not re.match(r"(largest|smallest) ", measured) and measured not in {f"{one.run}.{one.name}" for one in choices}:
        read.refuse((*place, "measured"), "it is RUN.PICTURE of one of the choices, or 'largest FIGURE' or 'smallest FIGURE' over them")
    factor = read.value(table, place, "factor", float, 1.0)
    return AskedStep(build(), measured, read.value(table, place, "reason", str), choices, factor)


def number_question(read: "Reader", place: Place, table: Mapping[str, Any], ask: str) -> NumberQuestion:
    """A number on a scale."""
    low, high = read.value(table, place, "low", float), read.value(table, place, "high", float)
    if low >= high:
        read.refuse((*place, "high"), f"the scale from {low:g} to {high:g} is empty")
    return NumberQuestion(ask, low, high, read.value(table, place, "unit", str, ""))


def curve_question(read: "Reader", place: Place, table: Mapping[str, Any], ask: str) -> CurveQuestion:
    """A curve over growing places."""
    at = read.value(table, place, "at", list)
    if len(at) < 2 or any(not isinstance(one, int | float) for one in at) or sorted(set(at)) != at:
        read.refuse((*place, "at"), "at holds two or more growing numbers")
    return CurveQuestion(ask, tuple(map(float, at)), read.value(table, place, "x", str, ""), read.value(table, place, "y", str, ""))


class Reader:
    """Takes values out of the tables of one file, and refuses wrong ones with its name and the line."""

    def __init__(self, name: str, text: str):
        self.name, self.lines = name, text.splitlines()

    def refuse(self, place: Place, why: str) -> NoReturn:
        """Raises BrokenLessonError."""
        raise BrokenLessonError(f"{self.name}:{line_of(self.lines, place)}: {why}.")

    def known(self, table: Mapping[str, Any], place: Place, names: Sequence[str]) -> None:
        """Refuses a value of another name."""
        for name in table:
            if name not in names:
                self.refuse((*place, name), f"unknown '{name}'. Known here: {', '.join(names)}")

    def value(self, table: Mapping[str, Any], place: Place, name: str, kind: type, *default: Any) -> Any:
        """A value of a kind, an integer also where a float is wanted; without a default it must be there."""
        if name not in table:
            if not default:
                self.refuse(place, f"'{name}' is missing")
            return default[0]
        value = table[name]
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or isinstance(value, bool):
            words = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
            self.refuse((*place, name), f"'{name}' must be {words[kind]}")
        return float(value) if kind is float else value

    def texts(self, table: Mapping[str, Any], place: Place, name: str, *default: Any) -> tuple[str, ...]:
        """A list of texts."""
        found = self.value(table, place, name, list, *default)
        if not all(isinstance(one, str) for one in found):
            self.refuse((*place, name), f"'{name}' must be a list of texts")
        return tuple(found)


def line_of(lines: Sequence[str], place: Place) -> int:
    """The line, from 1, at which a value stands in a TOML file; of one that is missing, that of the table it would belong to."""
    here: Place = ()
    seen: dict[Place, int] = {}
    best, depth = 1, -1
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\-\"]+)\s*\]", line):
            names: list[str | int] = []
            for name in header[2].replace('"', "").split("."):
                names.append(name)
                if (counted := seen.get(tuple(names))) is not None and tuple(names) != tuple(header[2].split(".")):
                    names.append(counted)
            here = tuple(names)
            if header[1] == "[[":
                seen[here] = seen.get(here, -1) + 1
                here = (*here, seen[here])
            reached = here
        elif key := re.match(r"\s*([\w\-\"]+)\s*=", line):
            reached = (*here, key[1].strip('"'))
        else:
            continue
        if reached == place[: len(reached)] and len(reached) > depth:
            best, depth = number, len(reached)
    return best

"""What a page of a study shows and runs: results come in from the store while it runs."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import streamlit as st

from segviz.studies import precomputed
from segviz.studies.grid import GridPoint, Study
from segviz.studies.leaderboard import Standing, standings_of
from segviz.studies.ledger import Progress
from segviz.studies.runs import run_study
from segviz.studies.store import CellResult, Store
from segviz.studies.table import Pairs, Row, results_at, row_of
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import queue

FEW_CLASSES = 6
"""Classes that are named; of more only the number is."""


@st.cache_resource
def results_store() -> Store:
    """The results on this server."""
    return Store()


@dataclass(frozen=True)
class Shown:
    """What is on screen: a study, its results so far and their table; `made_before` results came with the project."""

    study: Study
    pairs: Pairs
    rows: tuple[Row, ...]
    made_before: bool = False

    @property
    def results(self) -> dict[GridPoint, list[CellResult | None]]:
        """The results of each point, image by image."""
        return {point: [result for _, result in pairs] for point, pairs in self.pairs.items()}

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """The models of the study by their worst case."""
        return standings_of(self.study, self.pairs)

    @cached_property
    def class_notes(self) -> tuple[str, ...]:
        """What is to be said of the classes that the mIoUs of the study are means over."""
        notes = []
        classes = {row.classes for row in self.rows if row.images}
        if len(classes) > 1:
            counts = " and ".join(map(str, sorted({len(one) for one in classes})))
            notes.append(f"The models here have different classes ({counts} of them), so their mIoUs are means of different things.")
        there = [result for results in self.results.values() for result in results if result is not None and not result.error]
        lacking: dict[str, None] = {}
        for names in sorted(classes, key=len):
            labelled = np.sum([result.clean for result in there if result.classes == names], 0).sum(1)
            lacking |= dict.fromkeys(name for name, pixels in zip(names, labelled, strict=True) if not pixels)
        if lacking:
            named = ", ".join(lacking) if len(lacking) <= FEW_CLASSES else f"{len(lacking)} of the classes"
            notes.append(f"None of these photos has {named}: wherever a map shows one of them, it enters the mean with IoU 0.")
        return tuple(notes)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(row.images for row in self.rows)


def nothing() -> Shown:
    """Before anything is on screen."""
    return Shown(Study("page", (), (), ()), {}, ())


def study_shown(study: Study, pairs: Pairs, before: Shown | None = None, made_before: bool = False) -> Shown:
    """The table of results; rows of `before` to which nothing has come are taken from there."""
    known = {row.point: row for row in before.rows} if before is not None and before.study == study else {}
    rows = []
    for point, of_point in pairs.items():
        pending = sum(result is None for _, result in of_point)
        old = known.get(point)
        rows.append(old if old is not None and old.pending == pending else row_of(point, [result for _, result in of_point]))
    return Shown(study, pairs, tuple(rows), made_before)


def stored_study(study: Study, before: Shown | None = None) -> Shown:
    """What is stored of a study."""
    return study_shown(study, results_at(study, results_store()), before)


@st.cache_resource
def first_study(name: str) -> Shown:
    """The study that ships with the project under this name."""
    study = next(one for one in precomputed.STUDIES if one.name == name)
    return study_shown(study, precomputed.load(study), made_before=True)


def at_hand(study: Study, default: Study) -> Shown:
    """What there is of a study without computing anything: what is stored or, until all of it is, what ships with the project."""
    there = stored_study(study)
    return first_study(default.name) if study == default and any(row.pending for row in there.rows) else there


@dataclass
class StudyRun(Running[Progress]):
    """`shown` is on screen, with what was stored when `done` cells were done; `study` is that of the newest run.

    `opened` says whether the widgets have been filled, `wanted` is a study that a preset asks for.
    """

    shown: Shown = field(default_factory=nothing)
    done: int = -1
    study: Study | None = None
    opened: bool = False
    wanted: Study | None = None

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is not None and self.job.latest is not None and self.job.latest.done != self.done and self.study is not None:
            self.done = self.job.latest.done
            found = stored_study(self.study, self.shown)
            self.shown = self.shown if found.empty else found

    def show(self, study: Study, default: Study) -> None:
        """Show another study if there is anything of it."""
        if study != self.shown.study:
            there = at_hand(study, default)
            if not there.empty:
                self.shown, self.job = there, None

    def run(self, study: Study, page: str) -> None:
        """Queue a study; the tab's attack and its other studies go on beside it."""
        self.job, self.study, self.done = queue(run_study, study, results_store().folder, beside=page), study, -1

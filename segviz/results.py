"""Finished runs as JSON values, the same for the terminal and for the page's download."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from segviz.attacks.catalog import alpha_of, steps_of
from segviz.data.label_sets import LabelSet
from segviz.lab import Figures, Trajectory
from segviz.settings import Settings
from segviz.studies.compare import Entrant, by_strength
from segviz.studies.defences import Survey
from segviz.studies.evaluate import Evaluation, SetFigures


def attack_result(trajectory: Trajectory, label_set: LabelSet) -> dict[str, Any]:
    """A finished run: settings, clean and adversarial figures, sizes of the change; rates are fractions of 1."""
    assert trajectory.report is not None
    height, width = trajectory.picture.pixels.shape[:2]
    return {
        "scope": "one image",
        **run_settings(trajectory.settings),
        "reference": "own prediction" if trajectory.own_prediction else "label map",
        "device": trajectory.device,
        "width": width,
        "height": height,
        **asdict(trajectory.report),
        "clean": named(trajectory.clean, label_set),
        "adversarial": named(trajectory.report.adversarial, label_set),
        "members": [asdict(outcome) for outcome in trajectory.outcomes],
    }


def comparison_result(entrants: Sequence[Entrant], budget: int, label_set: LabelSet) -> dict[str, Any]:
    """A finished comparison: every attack as in `attack_result`, strongest first; those that could not go on with their error."""
    return {
        "scope": "several attacks on one image",
        "budget": budget,
        "attacks": [
            attack_result(entrant.trajectory, label_set)
            if entrant.trajectory is not None and entrant.trajectory.report is not None
            else {**run_settings(entrant.settings), "error": entrant.error}
            for entrant in by_strength(entrants)
        ],
    }


def evaluation_result(evaluation: Evaluation, settings: Settings | None, label_set: LabelSet) -> dict[str, Any]:
    """An evaluation over a data set, likewise."""
    attacked = run_settings(settings) if settings is not None else {}
    attacked.pop("image", None)
    return {
        "scope": "data set",
        **attacked,
        **asdict(evaluation),
        "clean": named(evaluation.clean, label_set),
        "adversarial": named(evaluation.adversarial, label_set) if evaluation.adversarial is not None else None,
        "members": [{**asdict(member), "figures": named(member.figures, label_set)} for member in evaluation.members],
    }


def run_settings(settings: Settings) -> dict[str, Any]:
    """The settings with the step size and the number of steps that they led to."""
    return {**asdict(settings), "steps": steps_of(settings), "alpha": alpha_of(settings)}


def named(figures: Figures | SetFigures, label_set: LabelSet) -> dict[str, Any]:
    """Figures as JSON values, with the IoU by class name."""
    return {**asdict(figures), "iou": dict(zip(label_set.classes, figures.iou, strict=True))}


def survey_csv(survey: Survey) -> str:
    """The table of a survey of defences as CSV, rates as fractions of 1; the first row is the network alone."""
    text = io.StringIO()
    rows = [
        {**asdict(row), "naive_ratio": row.ratio(row.naive), "adaptive_ratio": row.ratio(row.adaptive)}
        if row.pictures
        else {"defence": row.defence, "error": row.error}
        for row in survey.rows
    ]
    writer = csv.DictWriter(text, [*asdict(survey.rows[0]), "naive_ratio", "adaptive_ratio"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
